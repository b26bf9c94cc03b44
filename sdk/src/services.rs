//! The core services, as authors see them. Each is a thin wrapper that a [`Context`](crate::Context) gives.

pub mod audit;
pub mod authz;
pub mod blobs;
pub mod cache;
pub mod channel;
#[cfg(feature = "database")]
pub mod database;
pub mod errors;
pub mod events;
pub mod health;
pub mod mail;
pub mod metrics;
pub mod scheduler;
pub mod secrets;

/// A transaction of the module's database, open or lent: what is published or asked for in it happens when it commits.
pub trait InTransaction: Sync {
    /// Its handle for the host.
    #[doc(hidden)]
    fn handle(&self) -> u64;
}

/// The transaction of a handler, whether the module looks into it or not. Without one, what is published is durable at once.
impl InTransaction for crate::events::EventContext {
    fn handle(&self) -> u64 {
        self.tx_handle()
    }
}

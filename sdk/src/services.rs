//! The core services, as authors see them. Each is a thin wrapper that a [`Context`](crate::Context) gives.

pub mod channel;
#[cfg(feature = "database")]
pub mod database;
pub mod errors;
pub mod health;
pub mod metrics;

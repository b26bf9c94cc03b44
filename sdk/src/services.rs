//! The core services, as authors see them. Each is a thin wrapper that a [`Context`](crate::Context) gives.

pub mod cache;
pub mod channel;
pub mod errors;
pub mod health;
pub mod metrics;
pub mod secrets;

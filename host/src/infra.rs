//! Adapters: a folder a port.

#[cfg(feature = "redis")]
pub mod cache;
pub mod database;
pub mod events;
pub mod signals;

#[cfg(feature = "redis")]
pub mod redis;

#[cfg(all(test, feature = "servers"))]
pub(crate) mod servers;

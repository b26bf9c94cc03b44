//! Adapters: a folder a port.

pub mod blobs;
pub mod database;
pub mod signals;

#[cfg(feature = "redis")]
pub mod redis;

#[cfg(all(test, feature = "servers"))]
pub(crate) mod servers;

//! Adapters: a folder a port.

pub mod blobs;
#[cfg(feature = "redis")]
pub mod cache;
pub mod database;
pub mod errors;
pub mod events;
pub mod mail;
pub mod rate;
pub mod secrets;
pub mod signals;
pub mod traces;

#[cfg(feature = "redis")]
pub mod redis;

#[cfg(all(test, feature = "servers"))]
pub(crate) mod servers;

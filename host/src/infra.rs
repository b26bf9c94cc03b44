//! Adapters: a folder a port.

pub mod database;

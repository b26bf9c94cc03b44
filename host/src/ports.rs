//! One trait a file for each outside system, each with an in-memory form.

pub mod blobs;
pub mod cache;
pub mod clock;
pub mod database;
pub mod errors;
pub mod mail;
pub mod rate;
pub mod secrets;
pub mod signals;
pub mod state;
pub mod traces;
pub mod transport;

//! The listener against real sockets and real clients, with endpoints made here in place of modules.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "tests"
)]

#[path = "listener/rig.rs"]
mod rig;

#[path = "listener/http.rs"]
mod http_requests;
#[path = "listener/limits.rs"]
mod limits;
#[path = "listener/replacing.rs"]
mod replacing;
#[path = "listener/shutdown.rs"]
mod shutdown;
#[path = "listener/streams.rs"]
mod streams;
#[path = "listener/tls.rs"]
mod tls;

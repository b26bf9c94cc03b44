//! The module in a host: events, requests, jobs and replays.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod exports;
mod feeding;
mod over_grpc;
mod reading;
mod replays;
mod retaining;
mod writing;

//! The TestHost with the two sample modules, linked in and loaded.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

#[path = "test_host/apart.rs"]
mod apart;
#[path = "test_host/cache.rs"]
mod cache;
#[path = "test_host/calls.rs"]
mod calls;
#[path = "test_host/desk.rs"]
mod desk;
#[path = "test_host/idempotency.rs"]
mod idempotency;
#[path = "test_host/library.rs"]
mod library;
#[path = "test_host/nodes.rs"]
mod nodes;
#[path = "test_host/one_image.rs"]
mod one_image;
#[path = "test_host/orders.rs"]
mod orders;
#[path = "test_host/statuses.rs"]
mod statuses;
#[path = "test_host/traces.rs"]
mod traces;

//! Tests against installed programs that others wrote. `make test-servers` installs the programs and runs these.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

#[path = "servers/analytics.rs"]
mod analytics;
#[path = "servers/backends.rs"]
mod backends;
#[path = "servers/billing.rs"]
mod billing;
#[path = "servers/blobs.rs"]
mod blobs;
#[path = "servers/blog.rs"]
mod blog;
#[path = "servers/frozen.rs"]
mod frozen;
#[path = "servers/fuzz.rs"]
mod fuzz;
#[path = "servers/migrate.rs"]
mod migrate;
#[path = "servers/nodes.rs"]
mod nodes;
#[path = "servers/protos.rs"]
mod protos;
#[path = "servers/replica.rs"]
mod replica;
#[path = "servers/security.rs"]
mod security;
#[path = "servers/shop.rs"]
mod shop;
#[path = "servers/trace.rs"]
mod trace;
#[path = "servers/untouched.rs"]
mod untouched;
#[path = "servers/upgrades.rs"]
mod upgrades;
#[path = "servers/visitors.rs"]
mod visitors;

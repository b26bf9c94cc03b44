//! End to end: the real binary, real libraries, and what a client and an operator see of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod e2e {
    pub(crate) mod stage;

    mod analytics;
    mod billing;
    mod blobs;
    mod blog;
    mod calling_back;
    mod disk;
    mod enabling;
    mod events;
    mod failpoints;
    mod lifecycle;
    mod logs;
    mod migrate;
    mod nodes;
    mod openapi;
    mod panics;
    mod pins;
    mod reload;
    mod secrets;
    mod security;
    mod shutdown;
    mod streams;
    mod stuck;
    mod traces;
    mod untouched;
    mod upgrades;
    mod visitors;
    mod ways;
}

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
    mod blog;
    mod enabling;
    mod failpoints;
    mod lifecycle;
    mod logs;
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
    mod untouched;
    mod upgrades;
    mod visitors;
    mod ways;
}

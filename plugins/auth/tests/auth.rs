//! The module in a host without sockets, with a stand-in for `identity`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

#[path = "auth/rig.rs"]
mod rig;

#[path = "auth/accounts.rs"]
mod accounts;
#[path = "auth/authorize.rs"]
mod authorize;
#[path = "auth/clients.rs"]
mod clients;
#[path = "auth/keys.rs"]
mod keys;
#[path = "auth/sessions.rs"]
mod sessions;
#[path = "auth/watches.rs"]
mod watches;

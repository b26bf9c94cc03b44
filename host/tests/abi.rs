//! The ABI between real libraries: growth in both directions, and stages 6 and 7 against libraries that are wrong in one way each.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

#[path = "abi/create.rs"]
mod create;
#[path = "abi/fixture.rs"]
mod fixture;
#[path = "abi/growth.rs"]
mod growth;
#[path = "abi/open.rs"]
mod open;
#[path = "abi/rig.rs"]
mod rig;

//! The pipeline of every request: the real gateway, mesh and sources, with stand-ins for the core modules that speak their APIs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "tests"
)]

#[path = "pipeline/rig.rs"]
mod rig;
#[path = "pipeline/signer.rs"]
mod signer;

#[path = "pipeline/admission.rs"]
mod admission;
#[path = "pipeline/browsers.rs"]
mod browsers;
#[path = "pipeline/hidden.rs"]
mod hidden;
#[path = "pipeline/rates.rs"]
mod rates;
#[path = "pipeline/records.rs"]
mod records;
#[path = "pipeline/tokens.rs"]
mod tokens;

//! Stages 1 to 5 against libraries that are wrong in one way each.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

#[path = "loader/catalogue.rs"]
mod catalogue;
#[path = "loader/damage.rs"]
mod damage;
#[path = "loader/fixture.rs"]
mod fixture;
#[path = "loader/inspect.rs"]
mod inspect;
#[path = "loader/macho.rs"]
mod macho;
#[path = "loader/manifest.rs"]
mod manifest;
#[path = "loader/place.rs"]
mod place;
#[path = "loader/plan.rs"]
mod plan;
#[path = "loader/resolve.rs"]
mod resolve;
#[path = "loader/trust.rs"]
mod trust;

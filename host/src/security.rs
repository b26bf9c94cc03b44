//! Who is calling, may they, how often.
//!
//! The listener asks a [`Gatekeeper`] before any module runs. Until an authenticator exists that is
//! [`PublicOnly`]: routes marked public are served, everything else is refused.

pub mod gatekeeper;
pub mod principal;

pub use gatekeeper::{Admission, Denial, Gatekeeper, PublicOnly};
pub use principal::Principal;

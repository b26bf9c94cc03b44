//! In what state an account is.

use crate::error::{Error, Result};

/// It may be used.
pub(crate) const ACTIVE: &str = "active";
/// It waits for its owner to accept.
pub(crate) const INVITED: &str = "invited";
/// Somebody took it out of use.
pub(crate) const SUSPENDED: &str = "suspended";

/// A status that somebody may set.
pub(crate) fn settable(text: &str) -> Result<&'static str> {
    match text {
        ACTIVE => Ok(ACTIVE),
        SUSPENDED => Ok(SUSPENDED),
        other => Err(Error::Invalid(format!(
            "found status {other:?}, expected {ACTIVE:?} or {SUSPENDED:?}"
        ))),
    }
}

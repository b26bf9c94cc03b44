//! Why something was not done, and what the caller is told.

use sea_orm::DbErr;
use wharf_sdk::Fault;
use wharf_sdk::tonic::Status;

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// What was asked for makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// There is such a thing already.
    #[error("{0}")]
    Exists(String),
    /// They may not.
    #[error("{0}")]
    Denied(String),
    /// The state of things does not allow it: 409.
    #[error("{0}")]
    Conflict(String),
    /// The database did not answer, or not as expected.
    #[error("the database of authz: {0}")]
    Database(#[from] DbErr),
    /// A core service refused.
    #[error(transparent)]
    Service(#[from] Fault),
    /// casbin does not take a policy.
    #[error("casbin: {0}")]
    Model(#[from] casbin::Error),
    /// A change that was kept cannot be read.
    #[error("a kept change of the rules cannot be read: {0}")]
    Change(#[from] serde_json::Error),
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(text) => Self::invalid_argument(text),
            Error::NotFound(text) => Self::not_found(text),
            Error::Exists(text) => Self::already_exists(text),
            Error::Denied(text) => Self::permission_denied(text),
            Error::Conflict(text) => Self::aborted(text),
            other => {
                let other: &(dyn std::error::Error + 'static) = &other;
                wharf_sdk::tracing::error!(error = other, "a call failed");
                Self::unavailable("the rules cannot be read or written at this moment, try again")
            }
        }
    }
}

//! Why something is not done, and what callers are told.

use sea_orm::DbErr;
use tonic::Status;
use wharf_sdk::services::database::DbErrExt as _;
use wharf_sdk::{Fault, FaultCode};

/// What goes wrong here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// What was asked for makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// Not for this caller.
    #[error("{0}")]
    Denied(String),
    /// Something that is needed is away.
    #[error("{0}")]
    Unavailable(String),
    /// The database.
    #[error(transparent)]
    Database(#[from] DbErr),
    /// A core service.
    #[error(transparent)]
    Service(#[from] Fault),
}

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Invalid(_) => Self::invalid_argument(text),
            Error::Denied(_) => Self::permission_denied(text),
            Error::Unavailable(_) => Self::unavailable(text),
            Error::Service(fault) if fault.code == FaultCode::UNAVAILABLE => {
                tracing::warn!(error = text, "a core service is away");
                Self::unavailable("something this needs is away; try again later")
            }
            Error::Database(error) if error.is_transient() => {
                tracing::warn!(error = text, "the database is away or busy");
                Self::unavailable("the database does not answer in time; try again later")
            }
            Error::Database(_) | Error::Service(_) => {
                tracing::error!(error = text, "a call failed");
                Self::internal("something went wrong in the service")
            }
        }
    }
}

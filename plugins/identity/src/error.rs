//! Why something is not done, and what callers are told.

use axum::http::StatusCode;
use sea_orm::DbErr;
use tonic::Status;
use wharf_sdk::services::database::DbErrExt as _;
use wharf_sdk::{Fault, FaultCode, Problem};

/// What goes wrong here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// What was asked for makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// There is none, or the caller may not know of it.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// There is one already.
    #[error("{0}")]
    Exists(String),
    /// Somebody else changed it meanwhile.
    #[error("found version {found}, expected {expected}: read it again and decide anew")]
    Stale {
        /// The one in the database.
        found: i64,
        /// The one of the request.
        expected: u64,
    },
    /// Not for this caller.
    #[error("{0}")]
    Denied(String),
    /// The state of things does not allow it.
    #[error("{0}")]
    State(String),
    /// Too many wrong tries.
    #[error("too many wrong tries; try again in {0} seconds")]
    Locked(u32),
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

impl Error {
    /// A link that does not count; which way is not told.
    pub(crate) fn link() -> Self {
        Self::State("this link does not count: it was used, it is too old, or it never was one; ask for another one".to_owned())
    }

    /// What a client over HTTP is told.
    pub(crate) fn problem(self) -> Problem {
        let text = self.to_string();
        match self {
            Self::Invalid(_) | Self::Exists(_) => Problem::unprocessable(text),
            Self::NotFound(_) => Problem::not_found(text),
            Self::Stale { .. } => Problem::conflict(text),
            Self::State(_) => Problem::new(StatusCode::GONE, "link-gone", text),
            Self::Denied(_) => Problem::forbidden(text),
            Self::Locked(_) => Problem::new(StatusCode::TOO_MANY_REQUESTS, "locked", text),
            Self::Unavailable(_) => Problem::unavailable(text),
            Self::Database(error) => Problem::internal(error),
            Self::Service(fault) => Problem::internal(fault),
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Invalid(_) => Self::invalid_argument(text),
            Error::NotFound(_) => Self::not_found(text),
            Error::Exists(_) => Self::already_exists(text),
            Error::Stale { .. } => Self::aborted(text),
            Error::Denied(_) => Self::permission_denied(text),
            Error::State(_) => Self::failed_precondition(text),
            Error::Locked(_) => Self::resource_exhausted(text),
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

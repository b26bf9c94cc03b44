//! Why something is not done, and what callers are told.

use axum::http::StatusCode;
use sea_orm::DbErr;
use tonic::Status;
use wharf_sdk::services::database::DbErrExt as _;
use wharf_sdk::{Fault, FaultCode, Problem};

use crate::domain::calendar::NoSuchDay;
use crate::domain::money::MoneyError;

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
    /// The state of things does not allow it.
    #[error("{detail}")]
    State {
        /// For programs.
        code: &'static str,
        /// For people.
        detail: String,
    },
    /// A write that must say which version it changes did not.
    #[error("this needs the header field If-Match with the ETag that was read, so that no other change is lost")]
    NoVersion,
    /// Somebody else changed it meanwhile.
    #[error("found another version than the one of the request: read it again and decide anew")]
    Stale,
    /// Not for this caller.
    #[error("this needs the permission {0}")]
    Denied(&'static str),
    /// A webhook that does not count.
    #[error("{detail}")]
    Webhook {
        /// For programs.
        code: &'static str,
        /// For people.
        detail: String,
    },
    /// What is in the database makes no sense: ours to mend.
    #[error("{0}")]
    Broken(String),
    /// An amount.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// A day.
    #[error(transparent)]
    Day(#[from] NoSuchDay),
    /// The database.
    #[error(transparent)]
    Database(#[from] DbErr),
    /// A core service.
    #[error(transparent)]
    Service(#[from] Fault),
}

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The state of things does not allow it.
    pub(crate) fn state(code: &'static str, detail: impl Into<String>) -> Self {
        Self::State {
            code,
            detail: detail.into(),
        }
    }

    pub(crate) fn webhook(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Webhook {
            code,
            detail: detail.into(),
        }
    }

    /// What a client over HTTP is told.
    pub(crate) fn problem(self) -> Problem {
        let text = self.to_string();
        if self.is_away() {
            tracing::warn!(error = text, "something that is needed is away");
            return Problem::unavailable("something this needs is away or busy; try again later");
        }
        match self {
            Self::Invalid(_) | Self::Money(_) | Self::Day(_) => Problem::unprocessable(text),
            Self::NotFound(_) => Problem::not_found(text),
            Self::Exists(_) => Problem::new(StatusCode::CONFLICT, "exists", text),
            Self::State { code, detail } => Problem::new(StatusCode::CONFLICT, code, detail),
            Self::NoVersion => Problem::new(StatusCode::PRECONDITION_REQUIRED, "if-match-required", text),
            Self::Stale => Problem::new(StatusCode::PRECONDITION_FAILED, "stale", text),
            Self::Denied(_) => Problem::forbidden(text),
            Self::Webhook { code, detail } => Problem::new(StatusCode::FORBIDDEN, code, detail),
            Self::Broken(_) | Self::Database(_) | Self::Service(_) => Problem::internal(self),
        }
    }

    /// Something that the same request may find mended when it comes again.
    fn is_away(&self) -> bool {
        match self {
            Self::Database(error) => error.is_transient(),
            Self::Service(fault) => fault.code == FaultCode::UNAVAILABLE || fault.code == FaultCode::BUSY,
            _ => false,
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        if error.is_away() {
            tracing::warn!(error = text, "something that is needed is away");
            return Self::unavailable("something this needs is away or busy; try again later");
        }
        match error {
            Error::Invalid(_) | Error::Money(_) | Error::Day(_) => Self::invalid_argument(text),
            Error::NotFound(_) => Self::not_found(text),
            Error::Exists(_) => Self::already_exists(text),
            Error::State { .. } | Error::NoVersion => Self::failed_precondition(text),
            Error::Stale => Self::aborted(text),
            Error::Denied(_) | Error::Webhook { .. } => Self::permission_denied(text),
            Error::Broken(_) | Error::Database(_) | Error::Service(_) => {
                tracing::error!(error = text, "a call failed");
                Self::internal("something went wrong in the service")
            }
        }
    }
}

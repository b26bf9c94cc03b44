//! Why something is not done, and what callers are told.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use sea_orm::DbErr;
use tonic::Status;
use wharf_sdk::services::cache::LoadError;
use wharf_sdk::services::database::DbErrExt as _;
use wharf_sdk::{Fault, FaultCode, Problem};

use crate::domain::page::BadToken;
use crate::domain::state::Refused;
use crate::domain::words::Unfit;

/// What goes wrong here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A text cannot be taken.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The token of a page was not one of ours.
    #[error(transparent)]
    Token(#[from] BadToken),
    /// There is none, or the caller may not know of it.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The state of things does not allow it.
    #[error(transparent)]
    State(#[from] Refused),
    /// Somebody else changed it meanwhile.
    #[error("found version {found}, expected {expected}: read it again and decide anew")]
    Stale {
        /// The one in the database.
        found: i64,
        /// What the request says.
        expected: String,
    },
    /// A write that says nothing of the version it is based on.
    #[error("found no If-Match, expected the ETag of the version this is based on: GET it, then send its ETag")]
    NoCondition,
    /// Too many bytes.
    #[error("found more than {0} bytes, expected at most that many")]
    Large(u64),
    /// Another media type than those that are taken.
    #[error("{0}")]
    Media(String),
    /// A part that is not there.
    #[error("found a range outside of the {0} bytes there are")]
    Range(u64),
    /// What somebody else refuses in words of their own.
    #[error("{0}")]
    Problem(Problem),
    /// The database.
    #[error(transparent)]
    Database(#[from] DbErr),
    /// A core service.
    #[error(transparent)]
    Service(#[from] Fault),
    /// What should come out of the cache.
    #[error(transparent)]
    Load(#[from] LoadError),
}

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Whether trying again later may help.
    fn is_passing(&self) -> bool {
        match self {
            Self::Database(error) => error.is_transient(),
            Self::Service(fault) => matches!(fault.code, FaultCode::UNAVAILABLE | FaultCode::BUSY),
            Self::Load(LoadError::Failed(error)) => error.downcast_ref::<Self>().is_some_and(Self::is_passing),
            _ => false,
        }
    }

    /// What a client over HTTP is told.
    pub(crate) fn problem(self) -> Problem {
        let text = self.to_string();
        if self.is_passing() {
            tracing::warn!(error = text, "something that is needed is away");
            return Problem::unavailable("something this needs does not answer in time; try again later");
        }
        match self {
            Self::Unfit(_) | Self::Invalid(_) => Problem::unprocessable(text),
            Self::Token(_) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-page-token", text),
            Self::NotFound(_) => Problem::not_found(text),
            Self::State(_) => Problem::new(StatusCode::CONFLICT, "wrong-state", text),
            Self::Stale { .. } => Problem::new(StatusCode::PRECONDITION_FAILED, "stale-version", text),
            Self::NoCondition => Problem::new(StatusCode::PRECONDITION_REQUIRED, "if-match-required", text),
            Self::Large(_) => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", text),
            Self::Media(_) => Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", text),
            Self::Range(_) => Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "no-such-range", text),
            Self::Problem(problem) => problem,
            other => Problem::internal(other),
        }
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let size = match &self {
            Self::Range(size) => Some(*size),
            _ => None,
        };
        let mut response = self.problem().into_response();
        if let Some(value) = size.and_then(|size| format!("bytes */{size}").parse().ok()) {
            response.headers_mut().insert(axum::http::header::CONTENT_RANGE, value);
        }
        response
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Unfit(_) | Error::Invalid(_) | Error::Token(_) | Error::Media(_) | Error::Large(_) => Self::invalid_argument(text),
            Error::NotFound(_) => Self::not_found(text),
            Error::State(_) | Error::NoCondition => Self::failed_precondition(text),
            Error::Stale { .. } => Self::aborted(text),
            Error::Range(_) => Self::out_of_range(text),
            other => other.problem().into(),
        }
    }
}

//! How something fails here, for HTTP, OAuth and gRPC alike.

use std::error::Error;

use sea_orm::DbErr;
use wharf_sdk::{Fault, tonic};

/// Why something was not done. No variant carries a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The secret is wrong, or nobody has that name, or they may not log in: one outcome, so that nothing is given away.
    #[error("login or password is wrong")]
    Wrong,
    /// Too many wrong tries.
    #[error("too many tries: try again in {0} seconds")]
    Locked(u32),
    /// The client is not who it says.
    #[error("the client is unknown, or its secret is wrong")]
    Client,
    /// The code or refresh token does not count. The sentence is the client's to read.
    #[error("{0}")]
    Grant(&'static str),
    /// What was asked makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The scopes asked for are more than the client may have.
    #[error("found scope {0:?}, expected one within what the client is registered for")]
    Scope(String),
    /// There is no such thing, or it is somebody else's.
    #[error("{0}")]
    Missing(&'static str),
    /// The caller may not.
    #[error("{0}")]
    Forbidden(&'static str),
    /// Something that is needed does not answer.
    #[error("{0}")]
    Unavailable(String),
    /// Anything else; the client sees no more than that.
    #[error("something went wrong in the service")]
    Internal(#[source] Box<dyn Error + Send + Sync>),
}

impl Failure {
    pub(crate) fn internal(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Internal(error.into())
    }

    /// Says in the log what the client is not told.
    pub(crate) fn log(&self) {
        if let Self::Internal(error) = self {
            let mut chain = error.to_string();
            let mut next = error.source();
            while let Some(cause) = next {
                chain.push_str(": ");
                chain.push_str(&cause.to_string());
                next = cause.source();
            }
            tracing::error!(error = chain, "something failed");
        }
    }
}

impl From<DbErr> for Failure {
    fn from(error: DbErr) -> Self {
        Self::internal(error)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::internal(fault)
    }
}

impl From<jsonwebtoken::errors::Error> for Failure {
    fn from(error: jsonwebtoken::errors::Error) -> Self {
        Self::internal(error)
    }
}

impl From<Failure> for tonic::Status {
    fn from(failure: Failure) -> Self {
        failure.log();
        let sentence = failure.to_string();
        match failure {
            Failure::Wrong | Failure::Client => Self::unauthenticated(sentence),
            Failure::Locked(_) => Self::resource_exhausted(sentence),
            Failure::Grant(_) | Failure::Forbidden(_) => Self::permission_denied(sentence),
            Failure::Invalid(_) | Failure::Scope(_) => Self::invalid_argument(sentence),
            Failure::Missing(_) => Self::not_found(sentence),
            Failure::Unavailable(_) => Self::unavailable(sentence),
            Failure::Internal(_) => Self::internal(sentence),
        }
    }
}

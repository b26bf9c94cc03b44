//! Why something is not done, and what callers are told.

use axum::http::StatusCode;
use sea_orm::DbErr;
use tonic::Status;
use wharf_sdk::services::database::DbErrExt as _;
use wharf_sdk::{Fault, Problem};

use crate::domain::{NameError, PeriodError, PlanError, RecordError};

/// What goes wrong here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// What was asked for makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// A record of a batch.
    #[error("event {index}: {why}")]
    Event {
        /// Which one, counted from 0.
        index: usize,
        /// What is wrong with it.
        why: String,
    },
    /// Nobody has recorded it.
    #[error("the metric {metric} has no dimension {found:?}, expected one of {expected:?}")]
    Dimension {
        /// Of which metric.
        metric: String,
        /// What was asked for.
        found: String,
        /// What there is.
        expected: Vec<String>,
    },
    /// Nobody has recorded it.
    #[error("there is no metric {0:?}: GET /metrics lists those there are")]
    Metric(String),
    /// The tenant has enough.
    #[error("found a new metric {found:?}, and there are {most} already: record under one that exists, or raise max_metrics")]
    TooMany {
        /// The new one.
        found: String,
        /// How many a tenant may have.
        most: u32,
    },
    /// Its buckets are gone.
    #[error("{0}")]
    Gone(String),
    /// Others are reading everything already.
    #[error("{0} exports are under way, as many as there may be at a time: try again when one has ended")]
    Busy(usize),
    /// The database.
    #[error(transparent)]
    Database(#[from] DbErr),
    /// A core service.
    #[error(transparent)]
    Service(#[from] Fault),
}

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl From<PlanError> for Error {
    fn from(error: PlanError) -> Self {
        match &error {
            PlanError::Gone { .. } => Self::Gone(error.to_string()),
            _ => Self::Invalid(error.to_string()),
        }
    }
}

macro_rules! invalid {
    ($($type:ty)*) => {$(
        impl From<$type> for Error {
            fn from(error: $type) -> Self {
                Self::Invalid(error.to_string())
            }
        }
    )*};
}
invalid!(NameError PeriodError RecordError);

impl Error {
    /// What a client over HTTP is told.
    pub(crate) fn problem(self) -> Problem {
        let text = self.to_string();
        let of = |code| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, text.clone());
        match self {
            Self::Invalid(_) | Self::Event { .. } => Problem::unprocessable(text),
            Self::Dimension { .. } => Problem::new(StatusCode::NOT_FOUND, "unknown-dimension", text),
            Self::Metric(_) => Problem::new(StatusCode::NOT_FOUND, "unknown-metric", text),
            Self::TooMany { .. } => of("too-many-metrics"),
            Self::Gone(_) => of("beyond-retention"),
            Self::Busy(_) => Problem::unavailable(text),
            Self::Database(error) if error.is_transient() => {
                tracing::warn!(error = text, "the database is away or busy");
                Problem::unavailable("the database does not answer in time; try again later")
            }
            Self::Database(error) => Problem::internal(error),
            Self::Service(fault) => Problem::internal(fault),
        }
    }
}

/// What a client over gRPC is told.
impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Gone(_) => Self::out_of_range(text),
            Error::TooMany { .. } => Self::resource_exhausted(text),
            other => other.problem().into(),
        }
    }
}

//! How often: counting calls of somebody against a quota, by the generic cell rate algorithm.
//!
//! The form in this process answers at once ([`Taking::Now`]) and costs no task and no allocation; one that all nodes share has
//! to be waited for.

mod memory;

#[cfg(test)]
pub(crate) mod contract;

use std::fmt;
use std::future::Future;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use memory::MemoryRates;

/// How often is not too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Calls in `period`, evenly.
    pub requests: NonZeroU32,
    /// The time.
    pub period: Duration,
    /// Most at once.
    pub burst: NonZeroU32,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the call is within the quota; one that is not does not count.
    pub is_allowed: bool,
    /// Calls that could follow at once.
    pub remaining: u32,
    /// Until nothing is used any more.
    pub reset: Duration,
    /// For calls that were refused: until one would be allowed.
    pub retry_after: Duration,
}

/// Why nobody could count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("calls cannot be counted: {0}")]
pub struct RateError(pub String);

/// An answer, now or later. Dropping it gives the question up; the call may have been counted.
pub enum Taking {
    /// Known at once.
    Now(Result<Verdict, RateError>),
    /// To be waited for.
    Later(Pin<Box<dyn Future<Output = Result<Verdict, RateError>> + Send>>),
}

/// Counts by key against one quota.
pub trait RateBucket: Send + Sync + 'static {
    /// Counts `cost` calls of `key`, all or none. A cost above the burst is never allowed.
    fn take(&self, key: &str, cost: NonZeroU32) -> Taking;
}

/// Where is counted.
pub trait RateStore: Send + Sync + 'static {
    /// Counts under a name of its own: buckets of the same name count together.
    fn bucket(&self, name: &str, quota: Quota) -> Arc<dyn RateBucket>;

    /// Where, in a word or two, for whoever reads the log.
    fn place(&self) -> &'static str;
}

impl Quota {
    /// Time in which one call comes free.
    #[must_use]
    pub fn interval(&self) -> Duration {
        (self.period / self.requests.get()).max(Duration::from_nanos(1))
    }
}

impl Taking {
    /// The answer, waited for if it has to be.
    ///
    /// # Errors
    /// [`RateError`]
    pub async fn wait(self) -> Result<Verdict, RateError> {
        match self {
            Self::Now(answer) => answer,
            Self::Later(answer) => answer.await,
        }
    }
}

impl fmt::Debug for Taking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(answer) => f.debug_tuple("Now").field(answer).finish(),
            Self::Later(_) => f.write_str("Later(..)"),
        }
    }
}

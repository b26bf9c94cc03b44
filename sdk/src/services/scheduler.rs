//! Asking for runs of the module's own jobs.

use std::time::{Duration, SystemTime};

use wharf_plugin_api::services::scheduler::{NewRun, SchedulerRef};
use wharf_plugin_api::{Fault, FaultCode};

use super::InTransaction;
use crate::jobs::Payload;

/// Asks for runs of this module's jobs: `jobs.enqueue(Run::of("report").with(&payload)?.after(HOUR)).await?`.
#[derive(Clone)]
pub struct Scheduler(SchedulerRef);

/// A run to be asked for.
#[derive(Clone, Debug)]
#[must_use]
pub struct Run(NewRun);

impl Run {
    /// Of this job, soon, without a payload.
    pub fn of(job: &str) -> Self {
        Self(NewRun {
            job: job.into(),
            payload: Vec::new().into(),
            payload_version: 0,
            not_before_ms: 0,
            delay_ms: 0,
            dedup: String::new().into(),
        })
    }

    /// With a payload.
    ///
    /// # Errors
    /// `invalid` when it cannot be written as JSON.
    pub fn with<P: Payload>(mut self, payload: &P) -> Result<Self, Fault> {
        let text = serde_json::to_vec(payload).map_err(|error| {
            let text = format!("the payload of job {} cannot be written as JSON: {error}", self.0.job);
            Fault::new(FaultCode::INVALID, text)
        })?;
        self.0.payload = text.into();
        self.0.payload_version = P::VERSION;
        Ok(self)
    }

    /// Not before that long from now.
    pub fn after(mut self, delay: Duration) -> Self {
        self.0.delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self
    }

    /// Not before that time.
    pub fn at(mut self, time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.0.not_before_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        self
    }

    /// Only when no other run of this job with the same text is waiting or running.
    pub fn unless_there_is(mut self, dedup: &str) -> Self {
        self.0.dedup = dedup.into();
        self
    }
}

impl Scheduler {
    pub(crate) fn new(service: SchedulerRef) -> Self {
        Self(service)
    }

    /// Asks for a run when the transaction commits, or never. Gives its id; none when there is one already
    /// ([`Run::unless_there_is`]).
    ///
    /// # Errors
    /// `undeclared` when `wharf.toml` does not list the job, `unavailable` when the database does not answer.
    pub async fn enqueue(&self, tx: &impl InTransaction, run: Run) -> Result<Option<String>, Fault> {
        self.ask(run, tx.handle()).await
    }

    /// Asks for a run by itself: durable when this returns.
    ///
    /// # Errors
    /// As [`Scheduler::enqueue`].
    pub async fn enqueue_alone(&self, run: Run) -> Result<Option<String>, Fault> {
        self.ask(run, 0).await
    }

    async fn ask(&self, run: Run, tx: u64) -> Result<Option<String>, Fault> {
        let id: String = self.0.enqueue(run.0, tx).await?.into();
        Ok(Some(id).filter(|id| !id.is_empty()))
    }

    /// Takes a run out that has not begun. `false` when there is none, or it has begun.
    ///
    /// # Errors
    /// `unavailable` when the database does not answer.
    pub async fn cancel(&self, id: &str) -> Result<bool, Fault> {
        self.0.cancel(id.into()).await
    }
}

impl std::fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scheduler")
    }
}

//! From a leased run to the module, and what became of it into the database.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use uuid::Uuid;
use wharf_plugin_api::{Fault, FaultCode};

use super::spec::JobSpec;
use super::table::{self, Ran};
use crate::events::verdict_of;
use crate::failpoint;
use crate::ports::database::{DbError, DbErrorKind, On};
use crate::queue::{Item, Queue, TRACEPARENT, Verdict, Work, WorkFuture};
use crate::telemetry::Metrics;

/// One try of one run, for a module.
#[derive(Debug)]
pub struct RunTry {
    /// The job.
    pub job: String,
    /// Id of the run.
    pub id: String,
    /// JSON; empty for none.
    pub payload: Vec<u8>,
    /// Version of its type.
    pub payload_version: u32,
    /// Which try, counted from 1.
    pub attempt: u32,
    /// Tries there are.
    pub max_attempts: u32,
    /// When it was to run.
    pub scheduled_ms: i64,
    /// Longest time for it.
    pub timeout: Duration,
    /// Turns true when it should end soon.
    pub cancelled: watch::Receiver<bool>,
    /// W3C trace context of whoever asked for it; empty when it was due.
    pub traceparent: String,
}

/// An instance that runs jobs.
pub trait Runs: Send + Sync + 'static {
    /// Runs one. Dropping the future ends the try.
    fn run(&self, run: RunTry) -> Pin<Box<dyn Future<Output = Result<(), Fault>> + Send>>;
}

/// The work of one job.
pub(super) struct Running {
    pub(super) queue: Queue,
    pub(super) job: JobSpec,
    pub(super) runs: Arc<dyn Runs>,
    pub(super) cancelled: watch::Receiver<bool>,
    pub(super) metrics: Metrics,
}

impl Work for Running {
    fn run(&self, items: Vec<Item>) -> WorkFuture<'_> {
        Box::pin(async move {
            let mut verdicts = Vec::with_capacity(items.len());
            for item in &items {
                verdicts.push(self.one(item).await);
            }
            verdicts
        })
    }
}

impl Running {
    async fn one(&self, item: &Item) -> Verdict {
        let started_ms = self.queue.now_ms();
        let began = std::time::Instant::now();
        let result = match failpoint::hit("jobs.leased").await {
            Ok(()) => self.run(item, started_ms).await,
            Err(injected) => Err(Fault::new(FaultCode::FAILED, injected.to_string())),
        };
        let cut = *self.cancelled.borrow();
        let (outcome, verdict) = match &result {
            Ok(()) => ("ok", Verdict::Ended),
            // It was asked to end, and did: the next one to lease it begins anew.
            Err(fault) if cut && fault.code == FaultCode::FAILED => ("handed-over", Verdict::NotTried),
            Err(fault) => match verdict_of(fault) {
                Verdict::Failed(chain) if item.attempts < item.max_attempts => ("failed", Verdict::Failed(chain)),
                verdict => ("dead", verdict),
            },
        };
        let ran = Ran {
            id: Uuid::now_v7().to_string(),
            job: self.job.name.clone(),
            item: item.id.clone(),
            fire_ms: fire_ms(item),
            attempt: item.attempts,
            started_ms,
            ended_ms: self.queue.now_ms(),
            outcome,
            error: result
                .err()
                .map(|fault| format!("{}: {}", fault.code.name(), fault.message))
                .unwrap_or_default(),
        };
        let labels = [
            ("module", self.queue.module()),
            ("job", self.job.name.as_str()),
            ("outcome", outcome),
        ];
        self.metrics.own_counter("wharf_jobs_runs_total", &labels).increment(1);
        let labels = [("module", self.queue.module()), ("job", self.job.name.as_str())];
        self.metrics
            .own_histogram("wharf_jobs_run_seconds", &labels)
            .record(began.elapsed().as_secs_f64());
        if !ran.error.is_empty() {
            tracing::warn!(
                module.id = self.queue.module(),
                job = ran.job,
                run.id = ran.item,
                attempt = ran.attempt,
                outcome,
                error = ran.error,
                "a job did not succeed"
            );
        }
        match self.record(item, &ran).await {
            Ok(()) => verdict,
            Err(error) => Verdict::Failed(vec![format!("what became of the run could not be recorded: {error}")]),
        }
    }

    async fn run(&self, item: &Item, started_ms: i64) -> Result<(), Fault> {
        let version = item
            .headers
            .get("payload_version")
            .and_then(|version| version.parse().ok())
            .unwrap_or_default();
        let run = RunTry {
            job: self.job.name.clone(),
            id: item.id.clone(),
            payload: item.payload.clone(),
            payload_version: version,
            attempt: item.attempts,
            max_attempts: item.max_attempts,
            scheduled_ms: if fire_ms(item) > 0 {
                fire_ms(item)
            } else {
                item.due_ms.min(started_ms)
            },
            timeout: self.job.timeout,
            cancelled: self.cancelled.clone(),
            traceparent: item.headers.get(TRACEPARENT).cloned().unwrap_or_default(),
        };
        match tokio::time::timeout(self.job.timeout, self.runs.run(run)).await {
            Ok(result) => result,
            Err(_) => Err(Fault::new(
                FaultCode::DEADLINE,
                format!("the job did not end within {} ms", self.job.timeout.as_millis()),
            )),
        }
    }

    /// The record of a run that succeeded and its end are one transaction.
    async fn record(&self, item: &Item, ran: &Ran) -> Result<(), DbError> {
        hit("jobs.ran").await?;
        if ran.outcome != "ok" {
            return table::record(&self.queue, On::Pool, ran).await;
        }
        let tx = self.queue.begin().await?;
        table::record(&self.queue, tx.on(), ran).await?;
        if self.queue.end(tx.on(), &[item], false).await? {
            tx.commit().await?;
        } else {
            tracing::warn!(
                module.id = self.queue.module(),
                job = ran.job,
                "a lease was lost before the end of its run was recorded; it may be run again"
            );
            tx.rollback().await;
        }
        hit("jobs.recorded").await
    }
}

fn fire_ms(item: &Item) -> i64 {
    item.headers.get("fire_ms").and_then(|ms| ms.parse().ok()).unwrap_or_default()
}

async fn hit(place: &'static str) -> Result<(), DbError> {
    failpoint::hit(place)
        .await
        .map_err(|injected| DbError::new(DbErrorKind::Other, injected.to_string()))
}

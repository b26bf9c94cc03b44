//! Jobs of one host.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::running::{Running, Runs};
use super::spec::JobSpec;
use super::{clockwork, table};
use crate::ports::database::{DbError, On, TxId};
use crate::queue::{Kind, Lane, LaneSettings, Queue, Queues, TRACEPARENT};
use crate::telemetry::Metrics;

const UPKEEP: Duration = Duration::from_secs(60);

/// A run that is asked for.
#[derive(Clone, Debug, Default)]
pub struct NewJobRun {
    /// The job.
    pub job: String,
    /// JSON; empty for none.
    pub payload: Vec<u8>,
    /// Version of its type.
    pub payload_version: u32,
    /// Not before; now without.
    pub not_before: Option<Timestamp>,
    /// Not while another one with the same text is there.
    pub dedup: Option<String>,
    /// W3C trace context of whoever asks; empty for none.
    pub traceparent: String,
}

/// Why a run was not added.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// There is no such job.
    #[error("found no job {job:?} in module {module}; it has {}", if .jobs.is_empty() { "none".to_owned() } else { .jobs.join(", ") })]
    Unknown {
        /// The module.
        module: String,
        /// What was asked for.
        job: String,
        /// What there is.
        jobs: Vec<String>,
    },
    /// The payload is no JSON.
    #[error("the payload of job {job} is no JSON: {why}")]
    Payload {
        /// The job.
        job: String,
        /// What is wrong.
        why: String,
    },
    /// The database did not take it.
    #[error("the run could not be written: {0}")]
    Database(#[from] DbError),
}

/// Jobs of one host. Clones are the same.
#[derive(Clone)]
pub struct JobHub(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) queues: Arc<Queues>,
    metrics: Metrics,
    history: Duration,
    /// Jobs of what runs, by module.
    pub(super) jobs: Mutex<BTreeMap<String, Vec<JobSpec>>>,
}

/// What an instance runs; it ends with [`JobLanes::drain`].
pub(crate) struct JobLanes {
    lanes: Vec<(Lane, Option<Duration>)>,
    clocks: Vec<AbortHandle>,
    cancel: watch::Sender<bool>,
}

impl JobHub {
    /// Nothing runs yet. `history` is how long it is kept what became of runs.
    #[must_use]
    pub fn new(queues: Arc<Queues>, metrics: Metrics, history: Duration) -> Self {
        let hub = Self(Arc::new(Inner {
            queues,
            metrics,
            history,
            jobs: Mutex::default(),
        }));
        let weak = Arc::downgrade(&hub.0);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(UPKEEP).await;
                let Some(inner) = weak.upgrade() else { return };
                if let Err(error) = Self(inner).upkeep().await {
                    tracing::debug!(error = %error, "old runs could not be looked for; it is tried again");
                }
            }
        });
        hub
    }

    async fn upkeep(&self) -> Result<(), DbError> {
        for queue in self.0.queues.all() {
            let age = SignedDuration::try_from(self.0.history).unwrap_or(SignedDuration::MAX);
            let before = queue.now().checked_sub(age).map_or(0, |at| at.as_millisecond());
            table::forget(&queue, before).await?;
        }
        Ok(())
    }

    /// Makes the schedules of a module known, before it starts.
    ///
    /// # Errors
    /// What the database says.
    pub async fn declare(&self, module: &str, jobs: &[JobSpec]) -> Result<(), DbError> {
        let queue = self.0.queues.of(module).await?;
        for job in jobs.iter().filter(|job| job.schedule.is_some()) {
            table::know(&queue, job).await?;
        }
        Ok(())
    }

    /// Begins to run jobs in an instance.
    pub(crate) async fn attach(&self, module: &str, jobs: &[JobSpec], runs: Arc<dyn Runs>) -> Result<JobLanes, DbError> {
        let queue = self.0.queues.of(module).await?;
        let (cancel, cancelled) = watch::channel(false);
        let mut lanes = JobLanes {
            lanes: Vec::new(),
            clocks: Vec::new(),
            cancel,
        };
        for job in jobs {
            let work = Running {
                queue: queue.clone(),
                job: job.clone(),
                runs: runs.clone(),
                cancelled: cancelled.clone(),
                metrics: self.0.metrics.clone(),
            };
            let settings = LaneSettings {
                is_ordered: job.is_one_at_a_time(),
                concurrency: if job.is_one_at_a_time() { 1 } else { 8 },
                ..LaneSettings::new(Kind::JOB, &job.name)
            };
            lanes.lanes.push((Lane::start(queue.clone(), settings, Arc::new(work)), job.drain));
            if job.cron.is_some() {
                lanes
                    .clocks
                    .push(tokio::spawn(clockwork::run(queue.clone(), job.clone())).abort_handle());
            }
        }
        Ok(lanes)
    }

    /// Adds a run, in a transaction of the module's space or by itself. Gives its id; none when `dedup` says that there is one.
    ///
    /// # Errors
    /// [`JobError`]
    pub async fn enqueue(&self, module: &str, job: &JobSpec, run: NewJobRun, tx: Option<TxId>) -> Result<Option<String>, JobError> {
        if !run.payload.is_empty() {
            serde_json::from_slice::<serde::de::IgnoredAny>(&run.payload).map_err(|error| JobError::Payload {
                job: run.job.clone(),
                why: error.to_string(),
            })?;
        }
        let mut item = job.item(run.payload);
        item.due = run.not_before;
        item.dedup = run.dedup;
        item.headers.insert("payload_version".to_owned(), run.payload_version.to_string());
        if !run.traceparent.is_empty() {
            item.headers.insert(TRACEPARENT.to_owned(), run.traceparent);
        }
        let id = item.id.clone();
        let queue = self.0.queues.of(module).await?;
        let put = queue.put(tx.map_or(On::Pool, On::Tx), Kind::JOB, &[item]).await?;
        Ok((put > 0).then_some(id))
    }

    /// Takes a run out that has not begun.
    ///
    /// # Errors
    /// What the database says.
    pub async fn cancel(&self, module: &str, id: &str) -> Result<bool, DbError> {
        self.0.queues.of(module).await?.cancel(On::Pool, Kind::JOB, id).await
    }

    pub(super) fn job(&self, module: &str, job: &str) -> Result<JobSpec, JobError> {
        let jobs = lock(&self.0.jobs);
        let known = jobs.get(module).map(Vec::as_slice).unwrap_or_default();
        known
            .iter()
            .find(|known| known.name == job)
            .cloned()
            .ok_or_else(|| JobError::Unknown {
                module: module.to_owned(),
                job: job.to_owned(),
                jobs: known.iter().map(|known| known.name.clone()).collect(),
            })
    }

    /// Remembers which jobs a module has, for operators.
    pub fn show_jobs(&self, module: &str, jobs: &[JobSpec]) {
        lock(&self.0.jobs).insert(module.to_owned(), jobs.to_vec());
    }

    pub(super) async fn queue(&self, module: &str) -> Result<Queue, DbError> {
        self.0.queues.of(module).await
    }
}

impl JobLanes {
    /// Leases nothing new, and asks what runs to end.
    pub(crate) fn stop_leasing(&mut self) {
        self.clocks.drain(..).for_each(|clock| clock.abort());
        self.lanes.iter().for_each(|(lane, _)| lane.stop_leasing());
        self.cancel.send_replace(true);
    }

    /// Waits for what runs, each job for its own drain time, then hands over. `false` when something was cut.
    pub(crate) async fn drain(mut self, time: Duration) -> bool {
        self.stop_leasing();
        let ends: Vec<_> = self.lanes.drain(..).map(|(lane, own)| lane.drain(own.unwrap_or(time))).collect();
        futures_util::future::join_all(ends).await.into_iter().all(|clean| clean)
    }
}

impl Drop for JobLanes {
    fn drop(&mut self) {
        self.clocks.iter().for_each(AbortHandle::abort);
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for JobHub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JobHub")
    }
}

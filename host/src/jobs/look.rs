//! What operators see of jobs and do with them.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_plugin_api::sql::Value;

use super::hub::{JobError, JobHub, NewJobRun, lock};
use super::{CLOCK, table};
use crate::ports::database::{DbError, On};
use crate::queue::Kind;

/// A job, as operators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobRow {
    /// Module it is in.
    pub module: String,
    /// Its name.
    pub job: String,
    /// One line about it.
    pub description: String,
    /// Cron; none for one that runs only when asked for.
    pub schedule: Option<String>,
    /// Zone of the schedule.
    pub timezone: String,
    /// Whether its schedule is paused.
    pub paused: bool,
    /// When it was last time.
    #[schemars(with = "Option<String>")]
    pub last: Option<Timestamp>,
    /// When it is next time.
    #[schemars(with = "Option<String>")]
    pub next: Option<Timestamp>,
    /// Runs that wait.
    pub waiting: u64,
    /// Runs under way, on all nodes.
    pub running: u64,
    /// Runs that were given up and wait for an operator.
    pub dead: u64,
}

/// One try of one run, as operators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunRow {
    /// Module it is in.
    pub module: String,
    /// Its job.
    pub job: String,
    /// Id of the run; empty for one that was left out.
    pub run: String,
    /// When it was to run by its schedule.
    #[schemars(with = "Option<String>")]
    pub scheduled: Option<Timestamp>,
    /// Which try.
    pub attempt: u32,
    /// Where it ran.
    pub node: String,
    /// When the try began.
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// When it ended.
    #[schemars(with = "String")]
    pub ended: Timestamp,
    /// `ok`, `failed` (again later), `dead` (given up), `handed-over` or `skipped`.
    pub outcome: String,
    /// Why it did not succeed.
    pub error: String,
}

impl JobHub {
    /// All jobs of what runs.
    ///
    /// # Errors
    /// What the database says.
    pub async fn list(&self) -> Result<Vec<JobRow>, DbError> {
        let jobs = lock(&self.0.jobs).clone();
        let mut rows = Vec::new();
        for (module, jobs) in jobs {
            let queue = self.queue(&module).await?;
            let counts = queue.counts().await?;
            for job in jobs {
                let count = |state: &str| {
                    let of = |row: &&crate::queue::LaneCount| row.kind == Kind::JOB.0 && row.name == job.name && row.state.name() == state;
                    counts.iter().find(of).map_or(0, |row| row.count)
                };
                let place = match job.cron {
                    Some(_) => table::place(&queue, &job.name).await?,
                    None => None,
                };
                let last = place.and_then(|place| Timestamp::from_millisecond(place.last_fire_ms).ok());
                let paused = place.is_some_and(|place| place.is_paused);
                let next = last.filter(|_| !paused).and_then(|last| job.cron.as_ref()?.next_after(last));
                rows.push(JobRow {
                    module: module.clone(),
                    waiting: count("waiting"),
                    running: count("leased"),
                    dead: count("dead"),
                    job: job.name,
                    description: job.description,
                    schedule: job.schedule,
                    timezone: job.timezone,
                    paused,
                    last,
                    next,
                });
            }
        }
        Ok(rows)
    }

    /// How many schedules have a time that has passed and whose run is not put yet.
    ///
    /// # Errors
    /// What the database says.
    pub async fn due(&self) -> Result<u64, DbError> {
        let now = self.0.queues.clock().now();
        let rows = self.list().await?;
        Ok(rows.iter().filter(|row| row.next.is_some_and(|next| next <= now)).count() as u64)
    }

    /// Runs a job soon, whatever its schedule says.
    ///
    /// # Errors
    /// [`JobError`]
    pub async fn run_now(&self, module: &str, job: &str, payload: Vec<u8>) -> Result<String, JobError> {
        let run = NewJobRun {
            job: job.to_owned(),
            payload,
            payload_version: 1,
            ..NewJobRun::default()
        };
        Ok(self.enqueue(module, &self.job(module, job)?, run, None).await?.unwrap_or_default())
    }

    /// Pauses or resumes a schedule, on all nodes.
    ///
    /// # Errors
    /// [`JobError`]
    pub async fn pause(&self, module: &str, job: &str, is_paused: bool) -> Result<(), JobError> {
        let spec = self.job(module, job)?;
        let queue = self.queue(module).await?;
        table::know_if_scheduled(&queue, &spec).await?;
        table::pause(&queue, job, is_paused).await?;
        queue.bell(CLOCK, job).notify_one();
        queue.wake_others();
        Ok(())
    }

    /// What became of runs, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn history(&self, module: Option<&str>, job: Option<&str>, limit: usize) -> Result<Vec<RunRow>, DbError> {
        let limit = if limit == 0 { 50 } else { limit };
        let mut rows = Vec::new();
        for queue in self.0.queues.all() {
            if module.is_some_and(|module| module != queue.module()) {
                continue;
            }
            let (condition, args) = job.map_or(("", Vec::new()), |job| ("WHERE job = $1", vec![Value::text(job)]));
            let sql = format!(
                "SELECT job, item, fire_ms, attempt, node, started_ms, ended_ms, outcome, error FROM wharf_runs {condition} ORDER BY started_ms DESC, id DESC LIMIT {limit}"
            );
            let found = queue.space().query(On::Pool, &queue.statement(&sql, args)).await?;
            rows.extend(found.iter().filter_map(|row| run_row(queue.module(), row)));
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.started));
        rows.truncate(limit);
        Ok(rows)
    }
}

fn run_row(module: &str, row: &[Value]) -> Option<RunRow> {
    let [job, run, fire, attempt, node, started, ended, outcome, error] = row else {
        return None;
    };
    let text = |value: &Value| value.as_text().unwrap_or_default().to_owned();
    let time = |value: &Value| value.as_int().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    Some(RunRow {
        module: module.to_owned(),
        job: text(job),
        run: text(run),
        scheduled: time(fire).filter(|at| at.as_millisecond() > 0),
        attempt: attempt.as_int().and_then(|n| u32::try_from(n).ok())?,
        node: text(node),
        started: time(started)?,
        ended: time(ended)?,
        outcome: text(outcome),
        error: text(error),
    })
}

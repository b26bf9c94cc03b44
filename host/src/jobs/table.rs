//! The tables of the scheduler: where each schedule is, and what became of each try.

use wharf_plugin_api::sql::Value;

use super::spec::JobSpec;
use crate::ports::database::{DbError, On};
use crate::queue::{Kind, Queue};

/// Where a schedule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) last_fire_ms: i64,
    pub(super) is_paused: bool,
}

/// What became of one try.
#[derive(Clone, Debug)]
pub(super) struct Ran {
    pub(super) id: String,
    pub(super) job: String,
    pub(super) item: String,
    pub(super) fire_ms: i64,
    pub(super) attempt: u32,
    pub(super) started_ms: i64,
    pub(super) ended_ms: i64,
    pub(super) outcome: &'static str,
    pub(super) error: String,
}

/// Makes a schedule known. A new one begins now; a changed one keeps its last time.
pub(super) async fn know(queue: &Queue, job: &JobSpec) -> Result<(), DbError> {
    let sql = "INSERT INTO wharf_schedule (job, schedule, timezone, last_fire_ms, is_paused, changed_ms) VALUES ($1, $2, $3, $4, 0, $5) \
               ON CONFLICT (job) DO UPDATE SET schedule = excluded.schedule, timezone = excluded.timezone";
    let now = queue.now_ms();
    let args = vec![
        Value::text(&job.name),
        Value::text(job.schedule.clone().unwrap_or_default()),
        Value::text(&job.timezone),
        Value::int(now),
        Value::int(now),
    ];
    queue.space().execute(On::Pool, &queue.statement(sql, args)).await?;
    Ok(())
}

/// The same, for a job that may have no schedule.
pub(super) async fn know_if_scheduled(queue: &Queue, job: &JobSpec) -> Result<(), DbError> {
    match job.schedule {
        Some(_) => know(queue, job).await,
        None => Ok(()),
    }
}

pub(super) async fn place(queue: &Queue, job: &str) -> Result<Option<Place>, DbError> {
    let sql = "SELECT last_fire_ms, is_paused FROM wharf_schedule WHERE job = $1";
    let rows = queue.space().query(On::Pool, &queue.statement(sql, vec![Value::text(job)])).await?;
    let place = rows.iter().next().and_then(|row| {
        let [last, paused] = row else { return None };
        Some(Place {
            last_fire_ms: last.as_int()?,
            is_paused: paused.as_int()? != 0,
        })
    });
    Ok(place)
}

/// Moves the last time on. `false` when another node has done it.
pub(super) async fn advance(queue: &Queue, on: On, job: &str, from_ms: i64, to_ms: i64) -> Result<bool, DbError> {
    let sql = "UPDATE wharf_schedule SET last_fire_ms = $1 WHERE job = $2 AND last_fire_ms = $3 AND is_paused = 0";
    let args = vec![Value::int(to_ms), Value::text(job), Value::int(from_ms)];
    Ok(queue.space().execute(on, &queue.statement(sql, args)).await?.affected == 1)
}

/// Pauses or resumes. What was missed in between is left out. `false` when there is no such schedule.
pub(super) async fn pause(queue: &Queue, job: &str, is_paused: bool) -> Result<bool, DbError> {
    let now = queue.now_ms();
    let sql = "UPDATE wharf_schedule SET is_paused = $1, changed_ms = $2, \
               last_fire_ms = CASE WHEN is_paused = 1 THEN $3 ELSE last_fire_ms END WHERE job = $4";
    let args = vec![Value::int(i64::from(is_paused)), Value::int(now), Value::int(now), Value::text(job)];
    Ok(queue.space().execute(On::Pool, &queue.statement(sql, args)).await?.affected == 1)
}

/// How many runs of a job are waiting or under way.
pub(super) async fn open_runs(queue: &Queue, on: On, job: &str) -> Result<i64, DbError> {
    let sql = "SELECT COUNT(*) FROM wharf_queue WHERE kind = $1 AND name = $2 AND state IN ('waiting', 'leased')";
    let args = vec![Value::text(Kind::JOB.0), Value::text(job)];
    let rows = queue.space().query(on, &queue.statement(sql, args)).await?;
    Ok(rows.values.first().and_then(Value::as_int).unwrap_or_default())
}

/// Writes what became of a try.
pub(super) async fn record(queue: &Queue, on: On, ran: &Ran) -> Result<(), DbError> {
    let sql = "INSERT INTO wharf_runs (id, job, item, fire_ms, attempt, node, started_ms, ended_ms, outcome, error) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let args = vec![
        Value::text(&ran.id),
        Value::text(&ran.job),
        Value::text(&ran.item),
        Value::int(ran.fire_ms),
        Value::int(i64::from(ran.attempt)),
        Value::text(queue.node()),
        Value::int(ran.started_ms),
        Value::int(ran.ended_ms),
        Value::text(ran.outcome),
        Value::text(&ran.error),
    ];
    queue.space().execute(on, &queue.statement(sql, args)).await?;
    Ok(())
}

/// Forgets what became of tries before a time.
pub(super) async fn forget(queue: &Queue, before_ms: i64) -> Result<(), DbError> {
    let sql = "DELETE FROM wharf_runs WHERE ended_ms < $1";
    queue
        .space()
        .execute(On::Pool, &queue.statement(sql, vec![Value::int(before_ms)]))
        .await?;
    Ok(())
}

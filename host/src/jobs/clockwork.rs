//! Waits for the time of one schedule, and puts its runs. Every node has one for each schedule; one of them wins each time.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;
use wharf_manifest::{Missed, Overlap};

use super::CLOCK;
use super::cron::Cron;
use super::spec::JobSpec;
use super::table::{self, Place, Ran};
use crate::ports::database::DbError;
use crate::queue::{Kind, NewItem, Queue};

/// A time that is later than this was missed: nobody was there.
const LATE_MS: i64 = 60_000;
/// Missed times that are run at once, at most.
const MOST: usize = 1000;
/// A schedule is looked at this often, whatever happens: another node may have been told to pause it.
const LOOK: Duration = Duration::from_secs(30);

/// Goes on until the task is dropped.
pub(super) async fn run(queue: Queue, job: JobSpec) {
    let Some(cron) = job.cron.clone() else { return };
    let bell = queue.bell(CLOCK, &job.name);
    let mut is_failing = false;
    loop {
        match step(&queue, &job, &cron).await {
            Ok(next) => {
                is_failing = false;
                let clock = queue.clock();
                tokio::select! {
                    () = async { match next {
                        Some(next) => clock.sleep_until(next).await,
                        None => std::future::pending().await,
                    } } => {}
                    () = bell.notified() => {}
                    () = tokio::time::sleep(LOOK) => {}
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::warn!(module.id = queue.module(), job = job.name, error = %error, "a schedule cannot be followed; it is tried again every second");
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// Puts what is due. Gives the next time; none while it is paused.
async fn step(queue: &Queue, job: &JobSpec, cron: &Cron) -> Result<Option<Timestamp>, DbError> {
    loop {
        let Some(place) = table::place(queue, &job.name).await? else {
            table::know(queue, job).await?;
            continue;
        };
        if place.is_paused {
            return Ok(None);
        }
        let last = Timestamp::from_millisecond(place.last_fire_ms).unwrap_or_default();
        let Some(next) = cron.next_after(last) else { return Ok(None) };
        if next > queue.now() {
            return Ok(Some(next));
        }
        fire(queue, job, cron, place).await?;
    }
}

/// Puts the runs of all times that have passed, if no other node does.
async fn fire(queue: &Queue, job: &JobSpec, cron: &Cron, place: Place) -> Result<(), DbError> {
    let now = queue.now_ms();
    // Which of them run is seen before they are worked out: after a long absence there are many.
    let most = if job.missed == Missed::RunAll { MOST } else { 1 };
    let passed = passed(cron, place.last_fire_ms, now, most);
    let Some(last) = passed.last().copied() else { return Ok(()) };
    let mut times = chosen(job.missed, &passed, now);
    let tx = queue.begin().await?;
    if !table::advance(queue, tx.on(), &job.name, place.last_fire_ms, last).await? {
        tx.rollback().await;
        return Ok(());
    }
    if job.overlap == Overlap::Skip && table::open_runs(queue, tx.on(), &job.name).await? > 0 {
        for fire_ms in std::mem::take(&mut times) {
            table::record(queue, tx.on(), &left_out(job, fire_ms, now)).await?;
        }
    }
    let items: Vec<NewItem> = times.into_iter().map(|fire_ms| scheduled(job, fire_ms)).collect();
    queue.put(tx.on(), Kind::JOB, &items).await?;
    tx.commit().await
}

/// The last times that have passed, at most so many.
fn passed(cron: &Cron, after_ms: i64, now: i64, most: usize) -> Vec<i64> {
    let time = |ms: i64| Timestamp::from_millisecond(ms).unwrap_or_default();
    let times = cron.last_between(time(after_ms), time(now), most);
    times.into_iter().map(Timestamp::as_millisecond).collect()
}

/// Which of the times that passed are run.
fn chosen(missed: Missed, passed: &[i64], now: i64) -> Vec<i64> {
    match missed {
        Missed::RunAll => passed.to_vec(),
        Missed::RunOnce => passed.last().copied().into_iter().collect(),
        Missed::Skip => passed.last().copied().filter(|at| now - at <= LATE_MS).into_iter().collect(),
    }
}

pub(super) fn scheduled(job: &JobSpec, fire_ms: i64) -> NewItem {
    let mut item = job.item(Vec::new());
    item.dedup = Some(format!("cron/{fire_ms}"));
    item.headers.insert("fire_ms".to_owned(), fire_ms.to_string());
    item
}

fn left_out(job: &JobSpec, fire_ms: i64, now: i64) -> Ran {
    Ran {
        id: Uuid::now_v7().to_string(),
        job: job.name.clone(),
        item: String::new(),
        fire_ms,
        attempt: 0,
        started_ms: now,
        ended_ms: now,
        outcome: "skipped",
        error: "the run before had not ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn missed_times_are_run_as_the_manifest_says() {
        let hour = 3_600_000;
        let cron = Cron::parse("0 * * * *", None).unwrap();
        let times = passed(&cron, 0, 3 * hour + 30_000, MOST);
        assert_eq!(times, [hour, 2 * hour, 3 * hour]);
        for (missed, now, expected) in [
            (Missed::RunAll, 3 * hour + 30_000, vec![hour, 2 * hour, 3 * hour]),
            (Missed::RunOnce, 3 * hour + 30_000, vec![3 * hour]),
            (Missed::Skip, 3 * hour + 30_000, vec![3 * hour]),
            (Missed::Skip, 3 * hour + 90_000, vec![]),
        ] {
            assert_eq!(chosen(missed, &times, now), expected, "{missed:?}");
        }
    }

    #[test]
    fn a_long_absence_runs_no_more_than_the_last_thousand() {
        let cron = Cron::parse("* * * * *", None).unwrap();
        let times = passed(&cron, 0, 5000 * 60_000, MOST);
        assert_eq!((times.len(), times.last()), (MOST, Some(&(5000 * 60_000))));
        // Half a century of minutes: nobody walks through them.
        let now = 50 * 365 * 24 * 3_600_000;
        let times = passed(&cron, 0, now, MOST);
        assert_eq!((times.len(), times.first()), (MOST, Some(&(now - 999 * 60_000))));
        assert_eq!(passed(&cron, 0, now, 1), [now]);
    }
}

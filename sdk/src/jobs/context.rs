//! What a job knows of its run.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use wharf_plugin_api::exports::jobs::Run;
use wharf_plugin_api::future::FfiFuture;

/// One try of one run.
#[derive(Clone)]
pub struct JobContext(Arc<Inner>);

struct Inner {
    job: String,
    id: String,
    attempt: u32,
    max_attempts: u32,
    scheduled: SystemTime,
    deadline: Instant,
    cancelled: Mutex<Cancelled>,
}

enum Cancelled {
    Not(FfiFuture<()>, Vec<Waker>),
    Yes,
}

impl JobContext {
    pub(super) fn new(run: Run) -> Self {
        let now = Instant::now();
        let scheduled = Duration::from_millis(u64::try_from(run.scheduled_ms).unwrap_or_default());
        Self(Arc::new(Inner {
            job: run.job.into(),
            id: run.id.into(),
            attempt: run.attempt,
            max_attempts: run.max_attempts,
            scheduled: SystemTime::UNIX_EPOCH + scheduled,
            deadline: now.checked_add(Duration::from_millis(run.timeout_ms)).unwrap_or(now),
            cancelled: Mutex::new(Cancelled::Not(run.cancelled, Vec::new())),
        }))
    }

    /// Name of the job.
    #[must_use]
    pub fn job(&self) -> &str {
        &self.0.job
    }

    /// Id of the run; the same in every try.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Which try this is, counted from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// Tries there are.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.0.max_attempts
    }

    /// When it was to run: the time of its schedule, not the time at which it began.
    #[must_use]
    pub fn scheduled(&self) -> SystemTime {
        self.0.scheduled
    }

    /// When this try is cut.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.0.deadline
    }

    /// Ready when the job should come to an end: the module is being replaced or stopped. A job that returns an error then is
    /// run again by whoever takes over; one that goes on is cut after its `drain` time, and run again too.
    pub async fn cancelled(&self) {
        poll_fn(|cx| {
            let mut cancelled = self.0.cancelled.lock().unwrap_or_else(PoisonError::into_inner);
            let Cancelled::Not(future, waiting) = &mut *cancelled else {
                return Poll::Ready(());
            };
            if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                waiting.push(cx.waker().clone());
            }
            // Only the last one that polls is woken by the host, so each wakes all others.
            if Pin::new(future).poll(cx).is_pending() {
                return Poll::Pending;
            }
            let waiting = std::mem::take(waiting);
            *cancelled = Cancelled::Yes;
            drop(cancelled);
            waiting.into_iter().for_each(Waker::wake);
            Poll::Ready(())
        })
        .await;
    }
}

impl std::fmt::Debug for JobContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobContext")
            .field("job", &self.0.job)
            .field("id", &self.0.id)
            .field("attempt", &self.0.attempt)
            .finish_non_exhaustive()
    }
}

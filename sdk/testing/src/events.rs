//! What a test asks of events and jobs.

use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::Value;
use wharf_host::events::{DeliveryRow, EventRow};
use wharf_host::host::Host;
use wharf_host::jobs::RunRow;
use wharf_host::queue::{Filter, State};

/// Longest wait.
const LIMIT: Duration = Duration::from_secs(30);

/// A published event.
pub type PublishedEvent = EventRow;
/// A delivery that failed too often, with the errors of each try.
pub type DeadLetter = DeliveryRow;

/// Events and jobs of a [`TestHost`](crate::TestHost).
#[derive(Debug)]
#[must_use]
pub struct Events<'a>(&'a Host);

impl<'a> Events<'a> {
    pub(crate) fn new(host: &'a Host) -> Self {
        Self(host)
    }

    /// Events of a subject that were published in transactions that committed, oldest first.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn published(&self, event_type: &str) -> Vec<PublishedEvent> {
        let found = self.0.work().events.published(None, Some(event_type), None, 10_000).await;
        let mut events = orderly(found);
        events.reverse();
        events
    }

    /// The data of those events.
    ///
    /// # Panics
    /// When it is not the JSON of a `T`.
    pub async fn data<T: DeserializeOwned>(&self, event_type: &str) -> Vec<T> {
        let events = self.published(event_type).await;
        let data = events
            .into_iter()
            .map(|event| event.envelope.get("data").cloned().unwrap_or(Value::Null));
        data.map(|data| orderly(serde_json::from_value(data))).collect()
    }

    /// Deliveries that failed too often, newest first.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn dead_letters(&self) -> Vec<DeadLetter> {
        let filter = Filter {
            state: Some(State::Dead),
            limit: 10_000,
            ..Filter::default()
        };
        orderly(self.0.work().events.deliveries(None, &filter).await)
    }

    /// What became of the runs of a job, newest first.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn runs(&self, module: &str, job: &str) -> Vec<RunRow> {
        orderly(self.0.work().jobs.history(Some(module), Some(job), 10_000).await)
    }

    pub(crate) async fn settle(&self) {
        let until = Instant::now() + LIMIT;
        loop {
            let busy = orderly(self.0.work().busy().await);
            if busy == 0 {
                return;
            }
            assert!(
                Instant::now() < until,
                "{busy} events, deliveries or runs are still due after {LIMIT:?}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn run_job(&self, module: &str, job: &str) {
        let before = self.runs(module, job).await.len();
        orderly(self.0.work().jobs.run_now(module, job, Vec::new()).await);
        let until = Instant::now() + LIMIT;
        while self.runs(module, job).await.len() == before {
            assert!(Instant::now() < until, "job {job} of {module} has not run within {LIMIT:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[allow(clippy::panic, reason = "this is an assertion for tests")]
fn orderly<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

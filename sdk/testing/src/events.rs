//! What a test asks of events and jobs.

use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::Value;
use wharf_host::events::{DeliveryRow, EventRow, Published, SubscriptionRow};
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

    /// Publishes an event of a tenant (empty: of none) in the name of the module its subject begins with, which need not be there: for
    /// tests of who takes it. Gives its id.
    ///
    /// # Panics
    /// When it is no event.
    pub async fn publish(&self, tenant: &str, event_type: &str, data: &Value) -> String {
        let event = Published {
            module: event_type.split('.').next().unwrap_or_default().to_owned(),
            event_type: event_type.to_owned(),
            content_type: "application/json".to_owned(),
            data: data.to_string().into_bytes(),
            tenant: tenant.to_owned(),
            ..Published::default()
        };
        orderly(self.0.work().events.publish(event, None).await)
    }

    /// Delivers the kept events of a subscription again, as `wharf events replay` does, and waits until they are handled. Gives how many.
    ///
    /// # Panics
    /// When there is no such subscription, or they are not handled after half a minute.
    #[allow(clippy::panic, reason = "this is an assertion for tests")]
    pub async fn replay(&self, module: &str, subscription: &str) -> u64 {
        let hub = &self.0.work().events;
        let all = orderly(hub.subscriptions().await);
        let is_it = |row: &&SubscriptionRow| row.module == module && row.subscription == subscription;
        let Some(row) = all.iter().find(is_it) else {
            panic!("module {module} has no subscription {subscription:?}; there are {all:?}");
        };
        let mut progress = orderly(hub.replay(row, None, None, None).await);
        while progress.next.is_some() {
            progress = orderly(hub.replay(row, None, None, Some(progress)).await);
        }
        self.settle().await;
        progress.delivered
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

    /// What is counted in one place may move to another that was looked at before, so nothing has to be seen twice in a row.
    pub(crate) async fn settle(&self) {
        let until = Instant::now() + LIMIT;
        let mut quiet = 0;
        while quiet < 2 {
            let busy = orderly(self.0.work().busy().await);
            quiet = if busy == 0 { quiet + 1 } else { 0 };
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

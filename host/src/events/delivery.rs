//! From the queue of a subscriber to its handler, and what it did into the database: once.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use wharf_plugin_api::sql::{Kind as SqlKind, Value};
use wharf_plugin_api::{Fault, FaultCode};

use super::envelope;
use super::relay::hit;
use crate::ports::database::{DbError, TxId};
use crate::queue::{Item, Open, Queue, Verdict, Work, WorkFuture, placeholders};
use crate::telemetry::Metrics;

/// A boxed future of a handler.
pub type HandlesFuture = Pin<Box<dyn Future<Output = Result<(), Fault>> + Send>>;

/// What the hub hands to a handler.
#[derive(Clone, Debug)]
pub struct Try {
    /// Name of the subscription.
    pub subscription: String,
    /// The envelope.
    pub envelope: Vec<u8>,
    /// Which try, counted from 1.
    pub attempt: u32,
    /// Tries there are.
    pub max_attempts: u32,
    /// Longest time for it.
    pub timeout: Duration,
    /// The transaction it may use.
    pub tx: Option<TxId>,
}

/// An instance that handles events.
pub trait Handles: Send + Sync + 'static {
    /// Handles one. Dropping the future ends the try.
    fn handle(&self, attempt: Try) -> HandlesFuture;

    /// Whether it can use a transaction.
    fn wants_tx(&self) -> bool;
}

/// The work of one subscription.
pub(super) struct Delivering {
    pub(super) queue: Queue,
    pub(super) subscription: String,
    pub(super) timeout: Duration,
    pub(super) handles: Arc<dyn Handles>,
    pub(super) metrics: Metrics,
}

/// Why a transaction with handlers in it was not committed.
enum Broken {
    /// A handler failed.
    Handler(Fault),
    /// The database did.
    Database(DbError),
    /// Somebody else has the lease.
    Lost,
}

impl From<DbError> for Broken {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}

impl Work for Delivering {
    fn run(&self, items: Vec<Item>) -> WorkFuture<'_> {
        Box::pin(async move {
            let started = self.queue.clock().now();
            let verdicts = self.work(&items).await;
            for (item, verdict) in items.iter().zip(&verdicts) {
                self.count(item, verdict, started.as_millisecond());
            }
            verdicts
        })
    }
}

impl Delivering {
    /// All of a fresh lease in one transaction; when one of them fails, each in its own.
    async fn work(&self, items: &[Item]) -> Vec<Verdict> {
        let is_fresh = items.iter().all(|item| item.attempts <= 1);
        if items.len() > 1 && is_fresh && self.handles.wants_tx() {
            match self.together(items).await {
                Ok(()) => return vec![Verdict::Ended; items.len()],
                Err(Broken::Lost) => return vec![Verdict::Ended; items.len()],
                Err(Broken::Database(error)) => {
                    tracing::debug!(error = %error, "a batch of events was rolled back; each is tried by itself")
                }
                Err(Broken::Handler(_)) => {}
            }
        }
        let mut verdicts = Vec::with_capacity(items.len());
        let mut blocked: HashSet<&str> = HashSet::new();
        for item in items {
            // An earlier one of this key is to be tried again: this one waits for it.
            if item.key.as_deref().is_some_and(|key| blocked.contains(key)) {
                verdicts.push(Verdict::NotTried);
                continue;
            }
            let verdict = self.alone(item).await;
            let comes_again = matches!(&verdict, Verdict::Failed(_)) && item.attempts < item.max_attempts;
            if comes_again && let Some(key) = &item.key {
                blocked.insert(key);
            }
            verdicts.push(verdict);
        }
        verdicts
    }

    async fn alone(&self, item: &Item) -> Verdict {
        let done = if self.handles.wants_tx() {
            self.together(std::slice::from_ref(item)).await
        } else {
            self.without_tx(item).await
        };
        match done {
            Ok(()) | Err(Broken::Lost) => Verdict::Ended,
            Err(Broken::Database(error)) => Verdict::Failed(vec![format!("the database: {error}")]),
            Err(Broken::Handler(fault)) => verdict_of(&fault),
        }
    }

    /// Handlers, inbox and the end of the deliveries in one transaction.
    async fn together(&self, items: &[Item]) -> Result<(), Broken> {
        let tx = self.queue.begin().await?;
        let result = self.in_tx(&tx, items).await;
        match result {
            Ok(()) => {
                tx.commit().await?;
                hit("events.inbox.committed").await?;
                Ok(())
            }
            Err(broken) => {
                tx.rollback().await;
                Err(broken)
            }
        }
    }

    async fn in_tx(&self, tx: &Open, items: &[Item]) -> Result<(), Broken> {
        let new = self.enter_inbox(tx, items).await?;
        for item in items {
            if new.contains(&inbox_key(item)) {
                hit("events.handle.before").await?;
                self.handle(item, Some(tx.id())).await.map_err(Broken::Handler)?;
                hit("events.handle.effects").await?;
            }
        }
        let all: Vec<&Item> = items.iter().collect();
        if !self.queue.end(tx.on(), &all, false).await? {
            tracing::warn!(
                module.id = self.queue.module(),
                subscription = self.subscription,
                "a lease was lost while its events were handled; what they did is rolled back"
            );
            return Err(Broken::Lost);
        }
        Ok(())
    }

    /// A module without a database: its handler may see an event again, the host's record of it is kept all the same.
    async fn without_tx(&self, item: &Item) -> Result<(), Broken> {
        if !self.is_in_inbox(item).await? {
            hit("events.handle.before").await?;
            self.handle(item, None).await.map_err(Broken::Handler)?;
            hit("events.handle.effects").await?;
        }
        let tx = self.queue.begin().await?;
        self.enter_inbox(&tx, std::slice::from_ref(item)).await?;
        if !self.queue.end(tx.on(), &[item], false).await? {
            tx.rollback().await;
            return Err(Broken::Lost);
        }
        tx.commit().await?;
        hit("events.inbox.committed").await?;
        Ok(())
    }

    async fn handle(&self, item: &Item, tx: Option<TxId>) -> Result<(), Fault> {
        let attempt = Try {
            subscription: self.subscription.clone(),
            envelope: envelope_of(item),
            attempt: item.attempts,
            max_attempts: item.max_attempts,
            timeout: self.timeout,
            tx,
        };
        match tokio::time::timeout(self.timeout, self.handles.handle(attempt)).await {
            Ok(result) => result,
            Err(_) => Err(Fault::new(
                FaultCode::DEADLINE,
                format!("the handler did not end within {} ms", self.timeout.as_millis()),
            )),
        }
    }

    /// Records events as handled. Gives those that were not before.
    async fn enter_inbox(&self, tx: &Open, items: &[Item]) -> Result<HashSet<(String, String)>, DbError> {
        let now = self.queue.now_ms();
        let mut args = Vec::with_capacity(items.len() * 4);
        for item in items {
            let (event, replay) = inbox_key(item);
            args.extend([
                Value::text(&self.subscription),
                Value::text(event),
                Value::text(replay),
                Value::int(now),
            ]);
        }
        let sql = format!(
            "INSERT INTO wharf_inbox (subscription, event_id, replay_id, done_ms) VALUES {} ON CONFLICT DO NOTHING RETURNING event_id, replay_id",
            placeholders(items.len(), 4)
        );
        let mut statement = self.queue.statement(&sql, args);
        statement.kinds = vec![SqlKind::TEXT, SqlKind::TEXT];
        let rows = self.queue.space().query(tx.on(), &statement).await?;
        let read = |row: &[Value]| {
            let [event, replay] = row else { return None };
            Some((event.as_text()?.to_owned(), replay.as_text()?.to_owned()))
        };
        Ok(rows.iter().filter_map(read).collect())
    }

    async fn is_in_inbox(&self, item: &Item) -> Result<bool, DbError> {
        let (event, replay) = inbox_key(item);
        let sql = "SELECT 1 FROM wharf_inbox WHERE subscription = $1 AND event_id = $2 AND replay_id = $3";
        let args = vec![Value::text(&self.subscription), Value::text(event), Value::text(replay)];
        let rows = self
            .queue
            .space()
            .query(crate::ports::database::On::Pool, &self.queue.statement(sql, args))
            .await?;
        Ok(!rows.is_empty())
    }

    fn count(&self, item: &Item, verdict: &Verdict, started_ms: i64) {
        let outcome = match verdict {
            Verdict::Done | Verdict::Ended => "ok",
            Verdict::Failed(_) if item.attempts < item.max_attempts => "failed",
            Verdict::Failed(_) | Verdict::Hopeless(_) => "dead",
            Verdict::NotTried => return,
        };
        let module = self.queue.module();
        let labels = [
            ("module", module),
            ("subscription", self.subscription.as_str()),
            ("outcome", outcome),
        ];
        self.metrics.own_counter("wharf_events_handled_total", &labels).increment(1);
        let published = item.headers.get("published_ms").and_then(|ms| ms.parse::<i64>().ok());
        if let (Some(published), true) = (published, item.attempts == 1) {
            let lag = Duration::from_millis(u64::try_from(started_ms.saturating_sub(published)).unwrap_or_default());
            let labels = [("module", module), ("subscription", self.subscription.as_str())];
            self.metrics
                .own_histogram("wharf_events_lag_seconds", &labels)
                .record(lag.as_secs_f64());
        }
        if let Verdict::Failed(error) | Verdict::Hopeless(error) = verdict {
            tracing::warn!(
                module.id = module,
                subscription = self.subscription,
                event.id = item.headers.get("event").map(String::as_str),
                attempt = item.attempts,
                attempts.max = item.max_attempts,
                outcome,
                error = error.first().map(String::as_str),
                "an event was not handled"
            );
        }
    }
}

/// The envelope as it was published; one that is replayed says so.
fn envelope_of(item: &Item) -> Vec<u8> {
    match item.headers.get("replay").filter(|replay| !replay.is_empty()) {
        Some(replay) => envelope::marked(&item.payload, replay),
        None => item.payload.clone(),
    }
}

fn inbox_key(item: &Item) -> (String, String) {
    let header = |name: &str| item.headers.get(name).cloned().unwrap_or_default();
    (header("event"), header("replay"))
}

/// A fault as the chain that is kept. What does not fit its type will not fit in the next try either; what could not be tried
/// at all costs no try.
pub(crate) fn verdict_of(fault: &Fault) -> Verdict {
    let mut chain = vec![format!("{}: {}", fault.code.name(), fault.message)];
    chain.extend(fault.detail.lines().map(ToOwned::to_owned));
    match fault.code {
        FaultCode::INVALID => Verdict::Hopeless(chain),
        FaultCode::STOPPED | FaultCode::BUSY => Verdict::NotTried,
        _ => Verdict::Failed(chain),
    }
}

//! Who wants which events. Kept with the publisher, so that its relay knows also of those who do not run now.

use std::collections::BTreeSet;
use std::sync::Arc;

use wharf_plugin_api::sql::Value;

use super::RELAY;
use super::envelope::{is_shared, publisher};
use crate::ports::database::{DbError, On};
use crate::queue::{Queue, Queues};

/// A subscription, as its module declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Unique in the module.
    pub name: String,
    /// Subject.
    pub event_type: String,
    /// Whether it first sees everything that is kept, when it is new.
    pub from_start: bool,
    /// Whether events of one key wait for each other.
    pub is_ordered: bool,
    /// Deliveries at a time.
    pub concurrency: u32,
    /// Tries before the dead letters.
    pub max_attempts: u32,
    /// Longest time for one try.
    pub timeout: std::time::Duration,
    /// JSON schema of the data; may be empty.
    pub schema: String,
}

/// A subscription, as its publisher knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subscriber {
    pub(super) module: String,
    pub(super) subscription: String,
    pub(super) event_type: String,
    pub(super) is_ordered: bool,
    pub(super) max_attempts: u32,
    /// Up to where it has been given everything.
    pub(super) after_seq: i64,
    /// Whether it is caught up from the outbox instead of given what comes.
    pub(super) is_behind: bool,
    /// Since when no build of the module has it.
    pub(super) gone_ms: i64,
}

/// Makes what a module declares known to the publishers, and what it declares no longer. What is gone keeps its place: a
/// build that has it again misses nothing that is still kept.
pub(super) async fn declare(queues: &Arc<Queues>, module: &str, wanted: &[Wanted]) -> Result<(), DbError> {
    let own = queues.of(module).await?;
    let before = declared(&own).await?;
    for subscription in wanted {
        let queue = queues.of(publisher(&subscription.event_type)).await?;
        join(&queue, module, subscription).await?;
        if let Some((_, old)) = before
            .iter()
            .find(|(name, event_type)| *name == subscription.name && *event_type != subscription.event_type)
        {
            leave(&queues.of(publisher(old)).await?, module, &subscription.name, old).await?;
        }
    }
    let names: BTreeSet<&str> = wanted.iter().map(|subscription| subscription.name.as_str()).collect();
    for (name, event_type) in before.iter().filter(|(name, _)| !names.contains(name.as_str())) {
        leave(&queues.of(publisher(event_type)).await?, module, name, event_type).await?;
    }
    remember(&own, wanted).await
}

async fn declared(queue: &Queue) -> Result<Vec<(String, String)>, DbError> {
    let statement = queue.statement("SELECT name, type FROM wharf_subscription", Vec::new());
    let rows = queue.space().query(On::Pool, &statement).await?;
    let read = |row: &[Value]| {
        let [name, event_type] = row else { return None };
        Some((name.as_text()?.to_owned(), event_type.as_text()?.to_owned()))
    };
    Ok(rows.iter().filter_map(read).collect())
}

async fn remember(queue: &Queue, wanted: &[Wanted]) -> Result<(), DbError> {
    for subscription in wanted {
        let sql = "INSERT INTO wharf_subscription (name, type, schema_json, created_ms) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (name) DO UPDATE SET type = excluded.type, schema_json = excluded.schema_json";
        let args = vec![
            Value::text(&subscription.name),
            Value::text(&subscription.event_type),
            Value::text(&subscription.schema),
            Value::int(queue.now_ms()),
        ];
        queue.space().execute(On::Pool, &queue.statement(sql, args)).await?;
    }
    Ok(())
}

/// A new one sees what comes, or is behind from the start; one that was gone is behind since it went.
async fn join(queue: &Queue, module: &str, wanted: &Wanted) -> Result<(), DbError> {
    let sql = "INSERT INTO wharf_subscriber (module, subscription, type, is_ordered, max_attempts, after_seq, is_behind, gone_ms) \
               VALUES ($1, $2, $3, $4, $5, 0, $6, 0) ON CONFLICT (module, subscription) DO UPDATE SET \
               is_ordered = excluded.is_ordered, max_attempts = excluded.max_attempts, gone_ms = 0, \
               is_behind = CASE WHEN wharf_subscriber.type <> excluded.type THEN excluded.is_behind ELSE wharf_subscriber.is_behind END, \
               after_seq = CASE WHEN wharf_subscriber.type <> excluded.type THEN 0 ELSE wharf_subscriber.after_seq END, \
               type = excluded.type";
    let args = vec![
        Value::text(module),
        Value::text(&wanted.name),
        Value::text(&wanted.event_type),
        Value::int(i64::from(wanted.is_ordered)),
        Value::int(i64::from(wanted.max_attempts)),
        Value::int(i64::from(wanted.from_start)),
    ];
    queue.space().execute(On::Pool, &queue.statement(sql, args)).await?;
    queue.bell(RELAY, "").notify_one();
    Ok(())
}

/// Takes over the subscriptions of subjects that many modules publish, which are kept with one of them. `true` when one is new
/// here: it is behind then, and sees everything that is still kept.
pub(super) async fn adopt(queues: &Arc<Queues>, queue: &Queue, on: On) -> Result<bool, DbError> {
    let home = publisher(super::RECORDED);
    if queue.module() == home {
        return Ok(false);
    }
    let known = all(queue, on).await?;
    let mut is_new = false;
    for theirs in all(&queues.of(home).await?, On::Pool).await? {
        let is_known = |own: &Subscriber| {
            own.module == theirs.module
                && own.subscription == theirs.subscription
                && own.event_type == theirs.event_type
                && (own.gone_ms == 0) == (theirs.gone_ms == 0)
        };
        if !is_shared(&theirs.event_type) || known.iter().any(is_known) {
            continue;
        }
        is_new |= theirs.gone_ms == 0;
        take_over(queue, on, &theirs).await?;
    }
    Ok(is_new)
}

async fn take_over(queue: &Queue, on: On, theirs: &Subscriber) -> Result<(), DbError> {
    let sql = "INSERT INTO wharf_subscriber (module, subscription, type, is_ordered, max_attempts, after_seq, is_behind, gone_ms) \
               VALUES ($1, $2, $3, $4, $5, 0, 1, $6) ON CONFLICT (module, subscription) DO UPDATE SET is_ordered = excluded.is_ordered, \
               max_attempts = excluded.max_attempts, gone_ms = excluded.gone_ms, is_behind = 1, \
               after_seq = CASE WHEN wharf_subscriber.type <> excluded.type THEN 0 \
               WHEN wharf_subscriber.is_behind = 1 THEN wharf_subscriber.after_seq \
               ELSE (SELECT COALESCE(MAX(seq), 0) FROM wharf_outbox WHERE relayed_ms IS NOT NULL) END, \
               type = excluded.type";
    let args = vec![
        Value::text(&theirs.module),
        Value::text(&theirs.subscription),
        Value::text(&theirs.event_type),
        Value::int(i64::from(theirs.is_ordered)),
        Value::int(i64::from(theirs.max_attempts)),
        Value::int(theirs.gone_ms),
    ];
    queue.space().execute(on, &queue.statement(sql, args)).await?;
    queue.bell(RELAY, "").notify_one();
    Ok(())
}

async fn leave(queue: &Queue, module: &str, subscription: &str, event_type: &str) -> Result<(), DbError> {
    let sql = "UPDATE wharf_subscriber SET gone_ms = $1, is_behind = 1, after_seq = CASE WHEN is_behind = 1 THEN after_seq ELSE \
               (SELECT COALESCE(MAX(seq), 0) FROM wharf_outbox WHERE relayed_ms IS NOT NULL) END \
               WHERE module = $2 AND subscription = $3 AND type = $4 AND gone_ms = 0";
    let args = vec![
        Value::int(queue.now_ms()),
        Value::text(module),
        Value::text(subscription),
        Value::text(event_type),
    ];
    queue.space().execute(On::Pool, &queue.statement(sql, args)).await?;
    Ok(())
}

/// Everybody who wants events of this publisher.
pub(super) async fn all(queue: &Queue, on: On) -> Result<Vec<Subscriber>, DbError> {
    let sql = "SELECT module, subscription, type, is_ordered, max_attempts, after_seq, is_behind, gone_ms FROM wharf_subscriber ORDER BY module, subscription";
    let rows = queue.space().query(on, &queue.statement(sql, Vec::new())).await?;
    let read = |row: &[Value]| {
        let [module, subscription, event_type, is_ordered, attempts, after, is_behind, gone] = row else {
            return None;
        };
        Some(Subscriber {
            module: module.as_text()?.to_owned(),
            subscription: subscription.as_text()?.to_owned(),
            event_type: event_type.as_text()?.to_owned(),
            is_ordered: is_ordered.as_int()? != 0,
            max_attempts: u32::try_from(attempts.as_int()?).unwrap_or(1),
            after_seq: after.as_int()?,
            is_behind: is_behind.as_int()? != 0,
            gone_ms: gone.as_int()?,
        })
    };
    Ok(rows.iter().filter_map(read).collect())
}

/// Says up to where a subscriber has been given everything, and whether it is behind.
pub(super) async fn place(queue: &Queue, on: On, of: &Subscriber, after_seq: i64, is_behind: bool) -> Result<(), DbError> {
    let sql = "UPDATE wharf_subscriber SET after_seq = $1, is_behind = $2 WHERE module = $3 AND subscription = $4";
    let args = vec![
        Value::int(after_seq),
        Value::int(i64::from(is_behind)),
        Value::text(&of.module),
        Value::text(&of.subscription),
    ];
    queue.space().execute(on, &queue.statement(sql, args)).await?;
    Ok(())
}

/// Forgets those that have been gone for long.
pub(super) async fn forget(queue: &Queue, gone_before_ms: i64) -> Result<(), DbError> {
    let sql = "DELETE FROM wharf_subscriber WHERE gone_ms > 0 AND gone_ms < $1";
    let statement = queue.statement(sql, vec![Value::int(gone_before_ms)]);
    queue.space().execute(On::Pool, &statement).await?;
    Ok(())
}

//! From the outbox of one publisher to the queues of its subscribers. One node at a time relays for a publisher.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::envelope::{Sealed, is_shared};
use super::outbox::{self, OutboxRow};
use super::subscribers::{self, Subscriber};
use crate::failpoint;
use crate::ports::database::{DbError, DbErrorKind, Dialect, On};
use crate::ports::transport::{Address, Parcel, Transport};
use crate::queue::{Kind, NewItem, Open, Queue, Queues, try_lock};

/// Rows of one round.
const ROUND: usize = 200;
/// Deliveries that may be written before a backlog is counted again.
const UNCOUNTED: u64 = 1000;

/// The relay of one publisher.
pub(super) struct Relay {
    pub(super) queues: Arc<Queues>,
    pub(super) queue: Queue,
    pub(super) transport: Option<Arc<dyn Transport>>,
    /// Deliveries that may wait for one subscription; what comes beyond waits in the outbox.
    pub(super) backlog: u64,
    pub(super) known: Mutex<HashMap<(String, String), Backlog>>,
}

/// What is known of the backlog of a subscription.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backlog {
    waiting: u64,
    since: u64,
    is_counted: bool,
}

impl Relay {
    /// Relays what there is. `false` when there may be more.
    pub(super) async fn round(&self) -> Result<bool, DbError> {
        let space = self.queue.space();
        if space.dialect() == Dialect::Sqlite {
            // One process, and one relay in it: the writer is not held while other spaces are written.
            return self.relay(On::Pool).await;
        }
        let tx = Open::begin(space).await?;
        if !try_lock(space, tx.on(), "relay").await? {
            tx.rollback().await;
            return Ok(true);
        }
        let is_done = self.relay(tx.on()).await?;
        tx.commit().await?;
        Ok(is_done)
    }

    async fn relay(&self, on: On) -> Result<bool, DbError> {
        let mut subscribers = subscribers::all(&self.queue, on).await?;
        let mut is_done = true;
        for subscriber in subscribers
            .iter_mut()
            .filter(|subscriber| subscriber.is_behind && subscriber.gone_ms == 0)
        {
            is_done &= self.catch_up(on, subscriber).await?;
        }
        let rows = outbox::unrelayed(&self.queue, on, ROUND).await?;
        if rows.is_empty() {
            return Ok(is_done);
        }
        if rows.iter().any(|row| is_shared(&row.event.event_type)) && subscribers::adopt(&self.queues, &self.queue, on).await? {
            // Whoever is new is given what was relayed before, first.
            return Ok(false);
        }
        hit("events.outbox.committed").await?;
        let sent = self.hand_out(on, &rows, &mut subscribers).await?;
        hit("events.relay.written").await?;
        let marked: Vec<i64> = rows.iter().take(sent).map(|row| row.seq).collect();
        outbox::mark(&self.queue, on, &marked).await?;
        hit("events.relay.marked").await?;
        if sent < rows.len() {
            return Err(DbError::new(
                DbErrorKind::Unavailable,
                "the broker did not take all events; they are sent again",
            ));
        }
        Ok(is_done && rows.len() < ROUND)
    }

    /// Gives a subscriber what it has missed, page by page. `true` when it has caught up, or has enough for now.
    async fn catch_up(&self, on: On, subscriber: &mut Subscriber) -> Result<bool, DbError> {
        if self.room(subscriber).await? < self.backlog / 2 {
            return Ok(true);
        }
        let page = outbox::relayed_after(&self.queue, on, &subscriber.event_type, subscriber.after_seq, ROUND).await?;
        let is_last = page.len() < ROUND;
        let items = page.iter().map(|row| item(&row.event, subscriber, "")).collect();
        self.deliver(&subscriber.module, items).await?;
        let after = page.last().map_or(subscriber.after_seq, |row| row.seq);
        subscribers::place(&self.queue, on, subscriber, after, !is_last).await?;
        subscriber.after_seq = after;
        subscriber.is_behind = !is_last;
        Ok(is_last)
    }

    /// Gives rows to everybody who is not behind. Gives how many rows, from the first on, are through.
    async fn hand_out(&self, on: On, rows: &[OutboxRow], subscribers: &mut [Subscriber]) -> Result<usize, DbError> {
        let first = rows.first().map_or(0, |row| row.seq);
        for subscriber in subscribers.iter_mut().filter(|subscriber| !subscriber.is_behind) {
            let is_wanted = rows.iter().any(|row| row.event.event_type == subscriber.event_type);
            if is_wanted && self.transport.is_none() && self.room(subscriber).await? == 0 {
                tracing::warn!(
                    module.id = subscriber.module,
                    subscription = subscriber.subscription,
                    backlog = self.backlog,
                    "a subscription has a full backlog: its events wait in the outbox of their publisher"
                );
                subscriber.after_seq = first - 1;
                subscriber.is_behind = true;
                subscribers::place(&self.queue, on, subscriber, subscriber.after_seq, true).await?;
            }
        }
        let wants = |subscriber: &Subscriber, row: &OutboxRow| {
            // What is relayed late, at a place that a subscriber has passed already, it would not find again.
            let is_given = !subscriber.is_behind || (row.seq <= subscriber.after_seq && subscriber.after_seq > 0);
            is_given && subscriber.event_type == row.event.event_type && subscriber.gone_ms == 0
        };
        if let Some(transport) = &self.transport {
            return send(transport, rows, |row| subscribers.iter().any(|subscriber| wants(subscriber, row))).await;
        }
        let mut by_module: BTreeMap<&str, Vec<NewItem>> = BTreeMap::new();
        for row in rows {
            for subscriber in subscribers.iter().filter(|subscriber| wants(subscriber, row)) {
                by_module
                    .entry(&subscriber.module)
                    .or_default()
                    .push(item(&row.event, subscriber, ""));
            }
        }
        for (module, items) in by_module {
            self.deliver(module, items).await?;
        }
        Ok(rows.len())
    }

    async fn deliver(&self, module: &str, items: Vec<NewItem>) -> Result<(), DbError> {
        if items.is_empty() {
            return Ok(());
        }
        let put = self.queues.of(module).await?.put(On::Pool, Kind::EVENT, &items).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for item in &items {
            if let Some(backlog) = known.get_mut(&(module.to_owned(), item.name.clone())) {
                backlog.since += 1;
            }
        }
        drop(known);
        tracing::trace!(module.id = module, deliveries = put, "events were relayed");
        Ok(())
    }

    /// How many more deliveries may wait for a subscription; counted now and then.
    async fn room(&self, subscriber: &Subscriber) -> Result<u64, DbError> {
        let key = (subscriber.module.clone(), subscriber.subscription.clone());
        let known = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(&key).copied().unwrap_or_default()
        };
        let is_fresh = known.is_counted && known.since < UNCOUNTED.min(self.backlog / 2) && known.waiting + known.since < self.backlog / 2;
        if is_fresh {
            return Ok(self.backlog.saturating_sub(known.waiting + known.since));
        }
        let waiting = waiting(&self.queues.of(&subscriber.module).await?, &subscriber.subscription).await?;
        let counted = Backlog {
            waiting,
            since: 0,
            is_counted: true,
        };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(key, counted);
        Ok(self.backlog.saturating_sub(waiting))
    }
}

async fn waiting(queue: &Queue, subscription: &str) -> Result<u64, DbError> {
    use wharf_plugin_api::sql::Value;
    let sql = "SELECT COUNT(*) FROM wharf_queue WHERE kind = $1 AND name = $2 AND state = 'waiting'";
    let statement = queue.statement(sql, vec![Value::text(Kind::EVENT.0), Value::text(subscription)]);
    let rows = queue.space().query(On::Pool, &statement).await?;
    Ok(rows
        .values
        .first()
        .and_then(Value::as_int)
        .and_then(|n| u64::try_from(n).ok())
        .unwrap_or_default())
}

async fn send(transport: &Arc<dyn Transport>, rows: &[OutboxRow], is_wanted: impl Fn(&OutboxRow) -> bool) -> Result<usize, DbError> {
    let wanted: Vec<usize> = rows
        .iter()
        .enumerate()
        .filter(|(_, row)| is_wanted(row))
        .map(|(index, _)| index)
        .collect();
    let parcels: Vec<Parcel> = wanted
        .iter()
        .filter_map(|index| rows.get(*index))
        .map(|row| Parcel {
            id: row.event.id.clone(),
            event_type: row.event.event_type.clone(),
            envelope: row.event.envelope.clone(),
        })
        .collect();
    if parcels.is_empty() {
        return Ok(rows.len());
    }
    let sent = transport
        .send(&parcels)
        .await
        .map_err(|error| DbError::new(DbErrorKind::Unavailable, format!("{error}: {}", error.source)))?;
    Ok(wanted.get(sent).copied().unwrap_or(rows.len()))
}

/// A delivery of an event for a subscription.
pub(super) fn item(event: &Sealed, to: &Subscriber, replay: &str) -> NewItem {
    delivery(event, &to.subscription, to.is_ordered, to.max_attempts, replay)
}

pub(super) fn delivery(event: &Sealed, subscription: &str, is_ordered: bool, max_attempts: u32, replay: &str) -> NewItem {
    let mut item = NewItem::new(subscription, event.envelope.clone());
    item.key = event.key.clone().filter(|_| is_ordered);
    item.dedup = Some(format!("{}/{replay}", event.id));
    item.max_attempts = max_attempts.max(1);
    item.headers = BTreeMap::from([
        ("event".to_owned(), event.id.clone()),
        ("type".to_owned(), event.event_type.clone()),
        ("replay".to_owned(), replay.to_owned()),
        ("published_ms".to_owned(), event.time_ms.to_string()),
    ]);
    item
}

/// The address of a subscriber at a broker.
pub(super) fn address(module: &str, subscription: &str, event_type: &str) -> Address {
    Address {
        module: module.to_owned(),
        subscription: subscription.to_owned(),
        event_type: event_type.to_owned(),
    }
}

pub(super) async fn hit(place: &'static str) -> Result<(), DbError> {
    failpoint::hit(place)
        .await
        .map_err(|injected| DbError::new(DbErrorKind::Other, injected.to_string()))
}

/// Relays until the task is dropped: when it is rung for, and now and then in case nobody rang.
pub(super) async fn run(relay: Relay) {
    let bell = relay.queue.bell(super::RELAY, "");
    let every = match relay.queue.space().dialect() {
        Dialect::Postgres => Duration::from_millis(500),
        Dialect::Sqlite => Duration::from_secs(2),
    };
    let mut is_failing = false;
    loop {
        match relay.round().await {
            Ok(true) => {
                if std::mem::take(&mut is_failing) {
                    tracing::info!(module.id = relay.queue.module(), "events are relayed again");
                }
                // An early look is harmless; a late one would be seen.
                let _ = tokio::time::timeout(every, bell.notified()).await;
            }
            Ok(false) => {}
            Err(error) => {
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::warn!(module.id = relay.queue.module(), error = %error, "events cannot be relayed; it is tried again every half second");
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    }
}

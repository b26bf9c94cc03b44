//! What operators see of events and do with them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use uuid::Uuid;
use wharf_plugin_api::sql::Value;

use super::envelope::{is_shared, publisher};
use super::hub::{EventHub, lock};
use super::outbox::{self, OutboxRow, Which};
use super::relay;
use super::subscribers::{self, Subscriber};
use crate::ports::database::{DbError, On};
use crate::queue::{Attempt, Filter, Item, Kind, State};

/// Rows of one page of a replay.
const PAGE: usize = 200;

/// A delivery, as operators see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeliveryRow {
    /// Module that takes it.
    pub module: String,
    /// Its subscription.
    pub subscription: String,
    /// Id of the delivery: what `show`, `retry` and `purge` take.
    pub id: String,
    /// Id of the event.
    pub event: String,
    /// Subject.
    pub event_type: String,
    /// Ordering key.
    pub key: Option<String>,
    /// Where it is in its life.
    pub state: State,
    /// Tries so far.
    pub attempts: u32,
    /// Tries there are.
    pub max_attempts: u32,
    /// When it is due.
    #[schemars(with = "String")]
    pub due: Timestamp,
    /// When it was relayed.
    #[schemars(with = "String")]
    pub created: Timestamp,
    /// The tries that failed.
    pub errors: Vec<Attempt>,
    /// The event itself; only when one is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<Json>,
}

/// A published event, as operators see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventRow {
    /// Module that published it.
    pub module: String,
    /// Its id.
    pub id: String,
    /// Subject.
    pub event_type: String,
    /// Ordering key.
    pub key: Option<String>,
    /// When.
    #[schemars(with = "String")]
    pub published: Timestamp,
    /// Whether it has been relayed.
    pub relayed: bool,
    /// The envelope.
    pub envelope: Json,
}

/// A subscription, as operators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubscriptionRow {
    /// Module that takes the events.
    pub module: String,
    /// Its name.
    pub subscription: String,
    /// Subject.
    pub event_type: String,
    /// Deliveries by state.
    pub deliveries: BTreeMap<String, u64>,
    /// Whether it is given what is kept in the outbox, by one publisher at least, instead of what comes: it is new, was away, or has a
    /// full backlog.
    pub behind: bool,
    /// Whether no build of the module that ran last has it.
    pub gone: bool,
}

/// A type of event and its schema.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SchemaRow {
    /// Subject.
    pub event_type: String,
    /// Module that says so.
    pub module: String,
    /// `publishes`, or the subscription that expects it.
    pub role: String,
    /// JSON schema of the data.
    pub schema: Json,
}

/// How far a replay is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReplayProgress {
    /// Names it; events it sends again are handled again, once for each replay.
    pub replay: String,
    /// Deliveries written so far, over all calls.
    pub delivered: u64,
    /// Publisher that is read; empty before the first. A subject that many modules publish is kept with each of them.
    #[serde(default)]
    pub publisher: String,
    /// Where the next call goes on with it; none when all is done.
    pub next: Option<i64>,
}

impl EventHub {
    /// Deliveries of one module or of all, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn deliveries(&self, module: Option<&str>, filter: &Filter) -> Result<Vec<DeliveryRow>, DbError> {
        let mut rows = Vec::new();
        for queue in self.0.queues.all() {
            if module.is_none_or(|module| module == queue.module()) {
                let items = queue.list(Kind::EVENT, filter).await?;
                rows.extend(
                    items
                        .into_iter()
                        .map(|item| delivery_row(queue.module(), item, filter.id.is_some())),
                );
            }
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.created));
        rows.truncate(if filter.limit == 0 { 100 } else { filter.limit });
        Ok(rows)
    }

    /// Published events of one module or of all, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn published(
        &self,
        module: Option<&str>,
        event_type: Option<&str>,
        id: Option<&str>,
        limit: usize,
    ) -> Result<Vec<EventRow>, DbError> {
        let which = Which {
            event_type: event_type.map(ToOwned::to_owned),
            id: id.map(ToOwned::to_owned),
            newest_first: true,
            limit: if limit == 0 { 100 } else { limit },
            ..Which::default()
        };
        let mut rows = Vec::new();
        for queue in self.0.queues.all() {
            if module.is_none_or(|module| module == queue.module()) {
                let found = outbox::find(&queue, &which).await?;
                rows.extend(found.into_iter().map(|row| event_row(queue.module(), row)));
            }
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.published));
        rows.truncate(which.limit);
        Ok(rows)
    }

    /// Lets dead letters be tried again. Gives how many.
    ///
    /// # Errors
    /// What the database says.
    pub async fn retry(&self, module: Option<&str>, filter: &Filter) -> Result<u64, DbError> {
        let mut count = 0;
        for queue in self.0.queues.all() {
            if module.is_none_or(|module| module == queue.module()) {
                count += queue.retry(Kind::EVENT, filter).await?;
            }
        }
        Ok(count)
    }

    /// Deletes deliveries nobody works on. Gives how many.
    ///
    /// # Errors
    /// What the database says.
    pub async fn purge(&self, module: Option<&str>, filter: &Filter) -> Result<u64, DbError> {
        let mut count = 0;
        for queue in self.0.queues.all() {
            if module.is_none_or(|module| module == queue.module()) {
                count += queue.purge(Kind::EVENT, filter).await?;
            }
        }
        Ok(count)
    }

    /// All subscriptions, each once.
    ///
    /// # Errors
    /// What the database says.
    pub async fn subscriptions(&self) -> Result<Vec<SubscriptionRow>, DbError> {
        // A subject that many modules publish has its subscribers with each of them: they are one subscription all the same.
        let mut rows: BTreeMap<(String, String, String), SubscriptionRow> = BTreeMap::new();
        for queue in self.0.queues.all() {
            for known in subscribers::all(&queue, On::Pool).await? {
                let id = (known.module.clone(), known.subscription.clone(), known.event_type.clone());
                if let Some(row) = rows.get_mut(&id) {
                    row.behind |= known.is_behind;
                    row.gone &= known.gone_ms > 0;
                    continue;
                }
                let counts = self.0.queues.of(&known.module).await?.counts().await?;
                let own = counts
                    .into_iter()
                    .filter(|count| count.kind == Kind::EVENT.0 && count.name == known.subscription);
                let row = SubscriptionRow {
                    deliveries: own.map(|count| (count.state.name().to_owned(), count.count)).collect(),
                    module: known.module,
                    subscription: known.subscription,
                    event_type: known.event_type,
                    behind: known.is_behind,
                    gone: known.gone_ms > 0,
                };
                rows.insert(id, row);
            }
        }
        Ok(rows.into_values().collect())
    }

    /// Schemas that running modules publish, and that subscriptions expect.
    ///
    /// # Errors
    /// What the database says.
    pub async fn schemas(&self, event_type: Option<&str>) -> Result<Vec<SchemaRow>, DbError> {
        let parse = |schema: &str| serde_json::from_str(schema).unwrap_or(Json::Null);
        let is_asked = |found: &str| event_type.is_none_or(|asked| asked == found);
        let mut rows: Vec<SchemaRow> = lock(&self.0.schemas)
            .iter()
            .filter(|((_, event_type), _)| is_asked(event_type))
            .map(|((module, event_type), schema)| SchemaRow {
                event_type: event_type.clone(),
                module: module.clone(),
                role: "publishes".to_owned(),
                schema: parse(schema),
            })
            .collect();
        for queue in self.0.queues.all() {
            let statement = queue.statement("SELECT name, type, schema_json FROM wharf_subscription ORDER BY name", Vec::new());
            let found = queue.space().query(On::Pool, &statement).await?;
            for row in found.iter() {
                let [name, found_type, schema] = row else { continue };
                let text = |value: &Value| value.as_text().unwrap_or_default().to_owned();
                if is_asked(&text(found_type)) {
                    rows.push(SchemaRow {
                        event_type: text(found_type),
                        module: queue.module().to_owned(),
                        role: text(name),
                        schema: parse(&text(schema)),
                    });
                }
            }
        }
        Ok(rows)
    }

    /// Delivers kept events of a subject again to one subscription, a page at a time: call it again with `from` until `next` is
    /// none. Each replay is handled once, also when a page is sent twice.
    ///
    /// # Errors
    /// What the database says.
    pub async fn replay(
        &self,
        to: &SubscriptionRow,
        since_ms: Option<i64>,
        id: Option<&str>,
        from: Option<ReplayProgress>,
    ) -> Result<ReplayProgress, DbError> {
        let mut progress = from.unwrap_or_else(|| ReplayProgress {
            replay: Uuid::now_v7().to_string(),
            delivered: 0,
            publisher: String::new(),
            next: Some(0),
        });
        let Some(after) = progress.next else { return Ok(progress) };
        let home = self.0.queues.of(publisher(&to.event_type)).await?;
        let sources = if is_shared(&to.event_type) {
            self.0.queues.all()
        } else {
            vec![home]
        };
        for source in sources.iter().skip_while(|source| source.module() < progress.publisher.as_str()) {
            let is_of = |known: &Subscriber| {
                known.module == to.module && known.subscription == to.subscription && known.event_type == to.event_type
            };
            let all = subscribers::all(source, On::Pool).await?;
            let Some(subscriber) = all.iter().find(|known| is_of(known)) else {
                continue;
            };
            let which = Which {
                event_type: Some(to.event_type.clone()),
                id: id.map(ToOwned::to_owned),
                since_ms,
                after_seq: Some(if source.module() == progress.publisher { after } else { 0 }),
                limit: PAGE,
                ..Which::default()
            };
            let page = outbox::find(source, &which).await?;
            let item = |row: &OutboxRow| relay::item(&row.event, subscriber, &progress.replay);
            let items: Vec<_> = page.iter().map(item).collect();
            progress.delivered += self.0.queues.of(&to.module).await?.put(On::Pool, Kind::EVENT, &items).await?;
            if let Some(last) = page.last().filter(|_| page.len() == PAGE) {
                source.module().clone_into(&mut progress.publisher);
                progress.next = Some(last.seq);
                return Ok(progress);
            }
        }
        progress.next = None;
        Ok(progress)
    }
}

fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or_default()
}

fn delivery_row(module: &str, item: Item, with_envelope: bool) -> DeliveryRow {
    let header = |name: &str| item.headers.get(name).cloned().unwrap_or_default();
    DeliveryRow {
        module: module.to_owned(),
        event: header("event"),
        event_type: header("type"),
        envelope: with_envelope.then(|| serde_json::from_slice(&item.payload).unwrap_or(Json::Null)),
        subscription: item.name,
        id: item.id,
        key: item.key,
        state: item.state,
        attempts: item.attempts,
        max_attempts: item.max_attempts,
        due: time(item.due_ms),
        created: time(item.created_ms),
        errors: item.errors,
    }
}

fn event_row(module: &str, row: OutboxRow) -> EventRow {
    EventRow {
        module: module.to_owned(),
        id: row.event.id,
        event_type: row.event.event_type,
        key: row.event.key,
        published: time(row.event.time_ms),
        relayed: row.relayed_ms.is_some(),
        envelope: serde_json::from_slice(&row.event.envelope).unwrap_or(Json::Null),
    }
}

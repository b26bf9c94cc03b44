//! The queue of one module: putting, leasing and ending items. Every ending is fenced by the lease.
//!
//! Long because the states of an item and the SQL that moves it between them are read together.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use wharf_plugin_api::sql::{Kind as SqlKind, Rows, Statement, Value};

use super::item::{Attempt, Item, Kind, NewItem, State};
use super::schema;
use super::sql::{Open, placeholders, statement};
use crate::ports::clock::Clock;
use crate::ports::database::{DbError, DbErrorKind, Dialect, On, Space};

/// Columns of an [`Item`], in the order in which [`read`] wants them.
pub(super) const COLUMNS: &str =
    "seq, id, kind, name, key, payload, headers, state, due_ms, attempts, max_attempts, lease_owner, created_ms, errors";
/// Rows in one statement: far below what either database takes as arguments.
const ROWS: usize = 200;
const ERRORS_KEPT: usize = 20;
/// Longest text of one cause that is kept, in characters.
const CAUSE: usize = 2000;

/// The queue of one module. Clones are the same queue.
#[derive(Clone)]
pub struct Queue(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) module: String,
    pub(super) space: Arc<dyn Space>,
    pub(super) clock: Arc<dyn Clock>,
    /// `node/boot`: what every lease of this process begins with.
    pub(super) owner: String,
    pub(super) node: String,
    pub(super) leases: AtomicU64,
    pub(super) bells: Mutex<HashMap<(&'static str, String), Arc<Notify>>>,
    pub(super) on_commit: Arc<super::watched::Watch>,
    /// Who tells other nodes, where there may be some.
    pub(super) others: Option<Arc<dyn crate::ports::signals::Signals>>,
}

impl Queue {
    /// The module whose space this is in.
    #[must_use]
    pub fn module(&self) -> &str {
        &self.0.module
    }

    /// The space it is in.
    #[must_use]
    pub fn space(&self) -> &Arc<dyn Space> {
        &self.0.space
    }

    /// Now, by the host's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Now, in milliseconds since the epoch.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.now().as_millisecond()
    }

    /// The host's clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// Name of this node.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.0.node
    }

    pub(crate) fn statement(&self, sql: &str, args: Vec<Value>) -> Statement {
        statement(self.0.space.dialect(), sql, args)
    }

    /// Puts items. With [`On::Tx`] they are there when that transaction commits, and whoever waits is woken then; else they
    /// are durable when this returns. Gives how many were put: those whose `id` or `dedup` is there already are not.
    ///
    /// # Errors
    /// What the database says.
    pub async fn put(&self, on: On, kind: Kind, items: &[NewItem]) -> Result<u64, DbError> {
        let mut put = 0;
        for chunk in items.chunks(ROWS) {
            put += self.put_some(on, kind, chunk).await?;
        }
        if put > 0 {
            self.tell(on, kind, items.iter().map(|item| item.name.as_str()));
        }
        Ok(put)
    }

    async fn put_some(&self, on: On, kind: Kind, items: &[NewItem]) -> Result<u64, DbError> {
        let now = self.now_ms();
        let mut args = Vec::with_capacity(items.len() * 14);
        for item in items {
            let headers = serde_json::to_string(&item.headers).unwrap_or_else(|_| "{}".to_owned());
            args.extend([
                Value::text(&item.id),
                Value::text(kind.0),
                Value::text(&item.name),
                Value::optional_text(item.key.as_deref()),
                Value::optional_text(item.dedup.as_deref()),
                Value::Bytes(item.payload.clone()),
                Value::text(headers),
                Value::text(State::Waiting.name()),
                Value::int(item.due.map_or(now, |due| due.as_millisecond())),
                Value::int(0),
                Value::int(i64::from(item.max_attempts.max(1))),
                Value::int(now),
            ]);
        }
        let sql = format!(
            "INSERT INTO wharf_queue (id, kind, name, key, dedup, payload, headers, state, due_ms, attempts, max_attempts, created_ms, \
             lease_owner, lease_until_ms, errors, ended_ms) VALUES {} ON CONFLICT DO NOTHING",
            placeholders(items.len(), 12).replace(')', ",'',0,'[]',0)")
        );
        Ok(self.0.space.execute(on, &self.statement(&sql, args)).await?.affected)
    }

    /// Wakes whoever waits for work of these names: now, or when the transaction commits.
    pub(crate) fn tell<'a>(&self, on: On, kind: Kind, names: impl Iterator<Item = &'a str>) {
        match on {
            On::Tx(tx) => self.0.on_commit.note(tx),
            On::Pool | On::Replica => {
                for name in names {
                    self.bell(kind, name).notify_one();
                }
                self.wake_others();
            }
        }
    }

    /// Wakes everybody who waits for work of this module on this node.
    pub fn wake(&self) {
        let bells: Vec<_> = self
            .0
            .bells
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect();
        bells.iter().for_each(|bell| bell.notify_one());
    }

    /// What rings when there is work of this name.
    pub(crate) fn bell(&self, kind: Kind, name: &str) -> Arc<Notify> {
        let mut bells = self.0.bells.lock().unwrap_or_else(PoisonError::into_inner);
        bells.entry((kind.0, name.to_owned())).or_default().clone()
    }

    /// Leases what is due, at most `most`, in the order in which it was put. Items of one lease have the same [`Item::lease`].
    ///
    /// # Errors
    /// What the database says.
    pub async fn lease(&self, kind: Kind, name: &str, is_ordered: bool, most: usize, time: Duration) -> Result<Vec<Item>, DbError> {
        let space = &self.0.space;
        let number = self.0.leases.fetch_add(1, Ordering::Relaxed);
        let statement = self.leasing(kind, name, is_ordered, most, time, number);
        let rows = if is_ordered && space.dialect() == Dialect::Postgres {
            // An item is blocked by an earlier one that somebody else is leasing at this moment, which only a lock shows.
            let tx = Open::begin(space).await?;
            schema::lock(space, tx.on(), &format!("lease/{}/{name}", kind.0)).await?;
            let rows = space.query(tx.on(), &statement).await?;
            tx.commit().await?;
            rows
        } else {
            space.query(On::Pool, &statement).await?
        };
        let mut items = read(&rows)?;
        items.sort_by_key(|item| item.seq);
        Ok(items)
    }

    fn leasing(&self, kind: Kind, name: &str, is_ordered: bool, most: usize, time: Duration, number: u64) -> Statement {
        let now = self.now_ms();
        let unblocked = if is_ordered {
            " AND (q.key IS NULL OR NOT EXISTS (SELECT 1 FROM wharf_queue e WHERE e.kind = q.kind AND e.name = q.name AND e.key = q.key \
             AND e.state IN ('waiting', 'leased') AND e.seq < q.seq AND (e.state = 'leased' OR e.due_ms > $5)))"
        } else {
            ""
        };
        let lease = "SET state = 'leased', lease_owner = $1, lease_until_ms = $2, attempts = attempts + 1";
        let due = format!(
            "FROM wharf_queue q WHERE q.kind = $3 AND q.name = $4 AND q.state = 'waiting' AND q.due_ms <= $5{unblocked} ORDER BY q.seq LIMIT $6"
        );
        let sql = match self.0.space.dialect() {
            Dialect::Sqlite => format!("UPDATE wharf_queue {lease} WHERE seq IN (SELECT q.seq {due}) RETURNING {COLUMNS}"),
            // Picked once: a plan that asked the inner query again would lease more than it should.
            Dialect::Postgres => format!(
                "WITH picked AS MATERIALIZED (SELECT q.seq AS picked_seq {due} FOR UPDATE SKIP LOCKED) \
                 UPDATE wharf_queue {lease} FROM picked WHERE seq = picked_seq RETURNING {COLUMNS}"
            ),
        };
        let mut statement = self.statement(
            &sql,
            vec![
                Value::text(format!("{}/{number}", self.0.owner)),
                Value::int(now.saturating_add(millis(time))),
                Value::text(kind.0),
                Value::text(name),
                Value::int(now),
                Value::int(i64::try_from(most).unwrap_or(i64::MAX)),
            ],
        );
        statement.kinds = kinds();
        statement
    }

    /// Moves the end of a lease. `false` when it is lost: somebody else has the items, or they are gone.
    ///
    /// # Errors
    /// What the database says.
    pub async fn renew(&self, lease: &str, time: Duration) -> Result<bool, DbError> {
        let sql = "UPDATE wharf_queue SET lease_until_ms = $1 WHERE lease_owner = $2 AND state = 'leased'";
        let until = Value::int(self.now_ms().saturating_add(millis(time)));
        let done = self
            .0
            .space
            .execute(On::Pool, &self.statement(sql, vec![until, Value::text(lease)]))
            .await?;
        Ok(done.affected > 0)
    }

    /// Deletes items that are done, or keeps them as done. `false` when their lease is lost: then whatever was done in the
    /// same transaction must not be committed.
    ///
    /// # Errors
    /// What the database says.
    pub async fn end(&self, on: On, items: &[&Item], keep: bool) -> Result<bool, DbError> {
        let mut ended = 0;
        for chunk in items.chunks(ROWS) {
            let Some(first) = chunk.first() else { continue };
            let mut args = vec![Value::text(&first.lease)];
            args.extend(chunk.iter().map(|item| Value::int(item.seq)));
            let list: Vec<String> = (2..=args.len()).map(|n| format!("${n}")).collect();
            let list = list.join(",");
            let sql = if keep {
                let now = self.now_ms();
                format!(
                    "UPDATE wharf_queue SET state = 'done', lease_owner = '', ended_ms = {now} WHERE lease_owner = $1 AND state = 'leased' AND seq IN ({list})"
                )
            } else {
                format!("DELETE FROM wharf_queue WHERE lease_owner = $1 AND state = 'leased' AND seq IN ({list})")
            };
            ended += self.0.space.execute(on, &self.statement(&sql, args)).await?.affected;
        }
        Ok(ended == items.len() as u64)
    }

    /// Records a try that failed: again after `delay`, or buried when there are no tries left or no delay is given.
    ///
    /// # Errors
    /// What the database says.
    pub async fn fail(&self, item: &Item, error: &[String], delay: Option<Duration>) -> Result<State, DbError> {
        let now = self.now();
        let mut errors = item.errors.clone();
        errors.push(Attempt {
            attempt: item.attempts,
            at: now,
            node: self.0.node.clone(),
            error: error.iter().map(|cause| cause.chars().take(CAUSE).collect()).collect(),
        });
        let skip = errors.len().saturating_sub(ERRORS_KEPT);
        let kept = serde_json::to_string(errors.get(skip..).unwrap_or_default()).unwrap_or_else(|_| "[]".to_owned());
        let delay = delay.filter(|_| item.attempts < item.max_attempts);
        let state = if delay.is_some() { State::Waiting } else { State::Dead };
        let now = now.as_millisecond();
        let sql = "UPDATE wharf_queue SET state = $1, due_ms = $2, errors = $3, ended_ms = $4, lease_owner = '' WHERE seq = $5 AND lease_owner = $6";
        let args = vec![
            Value::text(state.name()),
            Value::int(delay.map_or(item.due_ms, |delay| now.saturating_add(millis(delay)))),
            Value::text(kept),
            Value::int(if state == State::Dead { now } else { 0 }),
            Value::int(item.seq),
            Value::text(&item.lease),
        ];
        self.0.space.execute(On::Pool, &self.statement(sql, args)).await?;
        Ok(state)
    }

    /// Gives items back that were not tried.
    ///
    /// # Errors
    /// What the database says.
    pub async fn give_back(&self, lease: &str, items: &[&Item]) -> Result<(), DbError> {
        for item in items {
            let sql = "UPDATE wharf_queue SET state = 'waiting', lease_owner = '', attempts = attempts - 1 WHERE seq = $1 AND lease_owner = $2 AND state = 'leased'";
            let args = vec![Value::int(item.seq), Value::text(lease)];
            self.0.space.execute(On::Pool, &self.statement(sql, args)).await?;
        }
        Ok(())
    }

    /// Gives everything of a lease back that has not ended: its work was cut.
    ///
    /// # Errors
    /// What the database says.
    pub async fn hand_over(&self, lease: &str) -> Result<u64, DbError> {
        let sql = "UPDATE wharf_queue SET state = 'waiting', lease_owner = '', attempts = attempts - 1 WHERE lease_owner = $1 AND state = 'leased'";
        let statement = self.statement(sql, vec![Value::text(lease)]);
        Ok(self.0.space.execute(On::Pool, &statement).await?.affected)
    }

    /// Takes back what is leased beyond the end of its lease. A try that ended with its process counts.
    ///
    /// # Errors
    /// What the database says.
    pub async fn reclaim(&self) -> Result<u64, DbError> {
        let sql = format!("SELECT {COLUMNS} FROM wharf_queue WHERE state = 'leased' AND lease_until_ms < $1 LIMIT 500");
        self.take_back(&sql, vec![Value::int(self.now_ms())]).await
    }

    /// Takes back what earlier processes of this node had leased: they are dead, since this one holds the node's lock.
    pub(super) async fn reclaim_own(&self) -> Result<u64, DbError> {
        let sql = format!("SELECT {COLUMNS} FROM wharf_queue WHERE state = 'leased' AND lease_owner LIKE $1 AND lease_owner NOT LIKE $2");
        let args = vec![
            Value::text(format!("{}/%", self.0.node)),
            Value::text(format!("{}/%", self.0.owner)),
        ];
        self.take_back(&sql, args).await
    }

    async fn take_back(&self, sql: &str, args: Vec<Value>) -> Result<u64, DbError> {
        let mut statement = self.statement(sql, args);
        statement.kinds = kinds();
        let items = read(&self.0.space.query(On::Pool, &statement).await?)?;
        let mut taken = 0;
        for item in items {
            let why = "the process that worked on it ended, or did not renew its lease".to_owned();
            self.fail(&item, &[why], Some(Duration::ZERO)).await?;
            self.bell_of(&item);
            taken += 1;
        }
        Ok(taken)
    }

    fn bell_of(&self, item: &Item) {
        let bells = self.0.bells.lock().unwrap_or_else(PoisonError::into_inner);
        let bell = bells.iter().find(|((kind, name), _)| *kind == item.kind && *name == item.name);
        if let Some((_, bell)) = bell {
            bell.notify_one();
        }
    }

    /// When the next item of a name is due; none when none waits.
    ///
    /// # Errors
    /// What the database says.
    pub async fn next_due(&self, kind: Kind, name: &str) -> Result<Option<Timestamp>, DbError> {
        // One that is due and was not leased waits for an earlier one of its key, whose end wakes.
        let sql = "SELECT MIN(due_ms) FROM wharf_queue WHERE kind = $1 AND name = $2 AND state = 'waiting' AND due_ms > $3";
        let args = vec![Value::text(kind.0), Value::text(name), Value::int(self.now_ms())];
        let rows = self.0.space.query(On::Pool, &self.statement(sql, args)).await?;
        let due = rows.values.first().and_then(Value::as_int);
        Ok(due.and_then(|due| Timestamp::from_millisecond(due).ok()))
    }

    /// A transaction in the module's space that rolls back when it is dropped.
    pub(crate) async fn begin(&self) -> Result<Open, DbError> {
        Open::begin(&self.0.space).await
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Queue").field(&self.0.module).finish()
    }
}

pub(super) fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Kinds of [`COLUMNS`].
pub(super) fn kinds() -> Vec<SqlKind> {
    let (int, text) = (SqlKind::I64, SqlKind::TEXT);
    vec![
        int,
        text,
        text,
        text,
        text,
        SqlKind::BYTES,
        text,
        text,
        int,
        int,
        int,
        text,
        int,
        text,
    ]
}

/// Reads rows of [`COLUMNS`].
pub(super) fn read(rows: &Rows) -> Result<Vec<Item>, DbError> {
    rows.iter().map(read_row).collect()
}

fn read_row(row: &[Value]) -> Result<Item, DbError> {
    let [
        seq,
        id,
        kind,
        name,
        key,
        payload,
        headers,
        state,
        due,
        attempts,
        max,
        lease,
        created,
        errors,
    ] = row
    else {
        let text = format!("found {} columns of wharf_queue, expected 14", row.len());
        return Err(DbError::new(DbErrorKind::Other, text));
    };
    let text = |value: &Value| value.as_text().unwrap_or_default().to_owned();
    let int = |value: &Value| value.as_int().unwrap_or_default();
    let count = |value: &Value| u32::try_from(int(value)).unwrap_or_default();
    Ok(Item {
        seq: int(seq),
        id: text(id),
        kind: text(kind),
        name: text(name),
        key: key.as_text().map(ToOwned::to_owned),
        payload: payload.as_bytes().unwrap_or_default().to_vec(),
        headers: serde_json::from_str(&text(headers)).unwrap_or_default(),
        state: State::read(&text(state)),
        due_ms: int(due),
        attempts: count(attempts),
        max_attempts: count(max),
        lease: text(lease),
        created_ms: int(created),
        errors: serde_json::from_str(&text(errors)).unwrap_or_default(),
    })
}

//! The host's own tables in a module's space, and how they come there.

use std::sync::Arc;

use wharf_plugin_api::sql::Value;

use super::sql::{Open, statement};
use crate::ports::database::{DbError, DbErrorKind, Dialect, On, Space};

/// One step; steps are only added, never edited.
struct Step {
    version: i64,
    sql: &'static str,
}

/// `BLOB`, `SERIAL` stand for the types of the database at hand.
const STEPS: &[Step] = &[Step {
    version: 1,
    sql: "
CREATE TABLE wharf_queue (
    seq SERIAL,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    key TEXT,
    dedup TEXT,
    payload BLOB NOT NULL,
    headers TEXT NOT NULL,
    state TEXT NOT NULL,
    due_ms BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    max_attempts BIGINT NOT NULL,
    lease_owner TEXT NOT NULL,
    lease_until_ms BIGINT NOT NULL,
    errors TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    ended_ms BIGINT NOT NULL
);
CREATE INDEX wharf_queue_open ON wharf_queue (kind, name, seq) WHERE state = 'waiting';
CREATE INDEX wharf_queue_leased ON wharf_queue (lease_until_ms) WHERE state = 'leased';
CREATE INDEX wharf_queue_key ON wharf_queue (kind, name, key, seq) WHERE key IS NOT NULL AND state IN ('waiting', 'leased');
CREATE UNIQUE INDEX wharf_queue_dedup ON wharf_queue (kind, name, dedup) WHERE dedup IS NOT NULL;
CREATE TABLE wharf_outbox (
    seq SERIAL,
    id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    key TEXT,
    envelope BLOB NOT NULL,
    created_ms BIGINT NOT NULL,
    relayed_ms BIGINT
);
CREATE INDEX wharf_outbox_open ON wharf_outbox (seq) WHERE relayed_ms IS NULL;
CREATE INDEX wharf_outbox_type ON wharf_outbox (type, seq);
CREATE TABLE wharf_subscriber (
    module TEXT NOT NULL,
    subscription TEXT NOT NULL,
    type TEXT NOT NULL,
    is_ordered BIGINT NOT NULL,
    max_attempts BIGINT NOT NULL,
    after_seq BIGINT NOT NULL,
    is_behind BIGINT NOT NULL,
    gone_ms BIGINT NOT NULL,
    PRIMARY KEY (module, subscription)
);
CREATE TABLE wharf_subscription (
    name TEXT NOT NULL PRIMARY KEY,
    type TEXT NOT NULL,
    schema_json TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);
CREATE TABLE wharf_inbox (
    subscription TEXT NOT NULL,
    event_id TEXT NOT NULL,
    replay_id TEXT NOT NULL,
    done_ms BIGINT NOT NULL,
    PRIMARY KEY (subscription, event_id, replay_id)
);
CREATE INDEX wharf_inbox_done ON wharf_inbox (done_ms);
CREATE TABLE wharf_schedule (
    job TEXT NOT NULL PRIMARY KEY,
    schedule TEXT NOT NULL,
    timezone TEXT NOT NULL,
    last_fire_ms BIGINT NOT NULL,
    is_paused BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL
);
CREATE TABLE wharf_runs (
    id TEXT NOT NULL PRIMARY KEY,
    job TEXT NOT NULL,
    item TEXT NOT NULL,
    fire_ms BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    node TEXT NOT NULL,
    started_ms BIGINT NOT NULL,
    ended_ms BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    error TEXT NOT NULL
);
CREATE INDEX wharf_runs_job ON wharf_runs (job, started_ms)",
}];

/// Newest version this build knows.
const NEWEST: i64 = 1;

/// Makes or brings up to date the host's tables of a space. Nodes that come at the same time wait for each other.
pub(super) async fn migrate(space: &Arc<dyn Space>) -> Result<(), DbError> {
    let dialect = space.dialect();
    let tx = Open::begin(space).await?;
    lock(space, tx.on(), "schema").await?;
    space
        .execute_raw(
            tx.on(),
            "CREATE TABLE IF NOT EXISTS wharf_system (name TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL)",
        )
        .await?;
    let read = statement(dialect, "SELECT value FROM wharf_system WHERE name = 'queue'", Vec::new());
    let found = space
        .query(tx.on(), &read)
        .await?
        .values
        .first()
        .and_then(Value::as_int)
        .unwrap_or(0);
    if found > NEWEST {
        let text = format!(
            "found the host's tables of this space at version {found}, expected at most {NEWEST}: a newer host made them; start that one"
        );
        return Err(DbError::new(DbErrorKind::Refused, text));
    }
    if found == NEWEST {
        tx.rollback().await;
        return Ok(());
    }
    for step in STEPS.iter().filter(|step| step.version > found) {
        for sql in step.sql.split(';').filter(|sql| !sql.trim().is_empty()) {
            space.execute_raw(tx.on(), &typed(dialect, sql)).await?;
        }
    }
    let write = "INSERT INTO wharf_system (name, value) VALUES ('queue', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    space.execute(tx.on(), &statement(dialect, write, vec![Value::int(NEWEST)])).await?;
    tx.commit().await
}

/// Holds a lock with this name in this space until the transaction ends. SQLite has one writer, which is lock enough.
pub(crate) async fn lock(space: &Arc<dyn Space>, on: On, name: &str) -> Result<(), DbError> {
    if space.dialect() == Dialect::Postgres {
        let sql = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || $1, 0))";
        space
            .execute(on, &statement(Dialect::Postgres, sql, vec![Value::text(name)]))
            .await?;
    }
    Ok(())
}

/// As [`lock`], without waiting: whether it is held now.
pub(crate) async fn try_lock(space: &Arc<dyn Space>, on: On, name: &str) -> Result<bool, DbError> {
    if space.dialect() == Dialect::Sqlite {
        return Ok(true);
    }
    let sql = "SELECT pg_try_advisory_xact_lock(hashtextextended(current_schema() || $1, 0))";
    let rows = space.query(on, &statement(Dialect::Postgres, sql, vec![Value::text(name)])).await?;
    Ok(rows.values.first().and_then(Value::as_int) == Some(1))
}

fn typed(dialect: Dialect, sql: &str) -> String {
    match dialect {
        Dialect::Sqlite => sql.replace(" SERIAL", " INTEGER PRIMARY KEY AUTOINCREMENT"),
        Dialect::Postgres => sql
            .replace(" SERIAL", " BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY")
            .replace(" BLOB", " BYTEA"),
    }
}

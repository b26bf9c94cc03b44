//! The outbox of a publisher: what is to be relayed, and what was, for those who come later.

use wharf_plugin_api::sql::{Kind, Rows, Value};

use super::RELAY;
use super::envelope::Sealed;
use crate::ports::database::{DbError, On};
use crate::queue::Queue;

/// A row of it.
#[derive(Clone, Debug)]
pub(super) struct OutboxRow {
    pub(super) seq: i64,
    pub(super) event: Sealed,
    pub(super) relayed_ms: Option<i64>,
}

const COLUMNS: &str = "seq, id, type, key, envelope, created_ms, relayed_ms";

/// Writes an event, in a transaction or by itself, and wakes the relay when it is there.
pub(super) async fn write(queue: &Queue, on: On, event: &Sealed) -> Result<(), DbError> {
    let sql = "INSERT INTO wharf_outbox (id, type, key, envelope, created_ms) VALUES ($1, $2, $3, $4, $5)";
    let args = vec![
        Value::text(&event.id),
        Value::text(&event.event_type),
        Value::optional_text(event.key.as_deref()),
        Value::Bytes(event.envelope.clone()),
        Value::int(event.time_ms),
    ];
    queue.space().execute(on, &queue.statement(sql, args)).await?;
    queue.tell(on, RELAY, std::iter::once(""));
    Ok(())
}

/// What was not relayed yet, oldest first.
pub(super) async fn unrelayed(queue: &Queue, on: On, limit: usize) -> Result<Vec<OutboxRow>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM wharf_outbox WHERE relayed_ms IS NULL ORDER BY seq LIMIT {limit}");
    select(queue, on, &sql, Vec::new()).await
}

/// What was relayed, of a subject, after a place, oldest first.
pub(super) async fn relayed_after(queue: &Queue, on: On, event_type: &str, after: i64, limit: usize) -> Result<Vec<OutboxRow>, DbError> {
    let sql =
        format!("SELECT {COLUMNS} FROM wharf_outbox WHERE type = $1 AND seq > $2 AND relayed_ms IS NOT NULL ORDER BY seq LIMIT {limit}");
    select(queue, on, &sql, vec![Value::text(event_type), Value::int(after)]).await
}

/// What an operator looks at or has sent again.
#[derive(Clone, Debug, Default)]
pub(super) struct Which {
    pub(super) event_type: Option<String>,
    pub(super) id: Option<String>,
    pub(super) since_ms: Option<i64>,
    pub(super) until_ms: Option<i64>,
    pub(super) after_seq: Option<i64>,
    pub(super) newest_first: bool,
    pub(super) limit: usize,
}

pub(super) async fn find(queue: &Queue, which: &Which) -> Result<Vec<OutboxRow>, DbError> {
    let mut args = Vec::new();
    let mut sql = format!("SELECT {COLUMNS} FROM wharf_outbox WHERE 1 = 1");
    let conditions = [
        ("type =", which.event_type.as_ref().map(Value::text)),
        ("id =", which.id.as_ref().map(Value::text)),
        ("created_ms >=", which.since_ms.map(Value::int)),
        ("created_ms <", which.until_ms.map(Value::int)),
        ("seq >", which.after_seq.map(Value::int)),
    ];
    for (condition, value) in conditions {
        if let Some(value) = value {
            args.push(value);
            sql.push_str(&format!(" AND {condition} ${}", args.len()));
        }
    }
    let order = if which.newest_first { "DESC" } else { "ASC" };
    sql.push_str(&format!(" ORDER BY seq {order} LIMIT {}", which.limit.max(1)));
    select(queue, On::Pool, &sql, args).await
}

/// Marks rows as relayed.
pub(super) async fn mark(queue: &Queue, on: On, rows: &[i64]) -> Result<(), DbError> {
    for chunk in rows.chunks(500) {
        let args: Vec<Value> = chunk.iter().copied().map(Value::int).collect();
        let list: Vec<String> = (1..=args.len()).map(|n| format!("${n}")).collect();
        let sql = format!(
            "UPDATE wharf_outbox SET relayed_ms = {} WHERE seq IN ({})",
            queue.now_ms(),
            list.join(",")
        );
        queue.space().execute(on, &queue.statement(&sql, args)).await?;
    }
    Ok(())
}

/// How many are to be relayed.
pub(super) async fn count_unrelayed(queue: &Queue) -> Result<u64, DbError> {
    let statement = queue.statement("SELECT COUNT(*) FROM wharf_outbox WHERE relayed_ms IS NULL", Vec::new());
    let rows = queue.space().query(On::Pool, &statement).await?;
    Ok(rows
        .values
        .first()
        .and_then(Value::as_int)
        .and_then(|n| u64::try_from(n).ok())
        .unwrap_or_default())
}

/// Forgets what was relayed before a time, but for what somebody who is behind still has to see, unless that is very old.
pub(super) async fn forget(queue: &Queue, before_ms: i64, very_old_ms: i64) -> Result<u64, DbError> {
    let sql = "DELETE FROM wharf_outbox WHERE relayed_ms IS NOT NULL AND ((created_ms < $1 AND NOT EXISTS (SELECT 1 FROM wharf_subscriber s \
               WHERE s.type = wharf_outbox.type AND s.is_behind = 1 AND s.after_seq < wharf_outbox.seq)) OR created_ms < $2)";
    let args = vec![Value::int(before_ms), Value::int(very_old_ms)];
    Ok(queue.space().execute(On::Pool, &queue.statement(sql, args)).await?.affected)
}

async fn select(queue: &Queue, on: On, sql: &str, args: Vec<Value>) -> Result<Vec<OutboxRow>, DbError> {
    let mut statement = queue.statement(sql, args);
    statement.kinds = vec![Kind::I64, Kind::TEXT, Kind::TEXT, Kind::TEXT, Kind::BYTES, Kind::I64, Kind::I64];
    Ok(read(&queue.space().query(on, &statement).await?))
}

fn read(rows: &Rows) -> Vec<OutboxRow> {
    let read_row = |row: &[Value]| {
        let [seq, id, event_type, key, envelope, created, relayed] = row else {
            return None;
        };
        Some(OutboxRow {
            seq: seq.as_int()?,
            event: Sealed {
                id: id.as_text()?.to_owned(),
                event_type: event_type.as_text()?.to_owned(),
                key: key.as_text().map(ToOwned::to_owned),
                time_ms: created.as_int()?,
                envelope: envelope.as_bytes()?.to_vec(),
            },
            relayed_ms: relayed.as_int(),
        })
    };
    rows.iter().filter_map(read_row).collect()
}

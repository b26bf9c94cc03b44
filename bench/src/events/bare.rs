//! The rows that an event costs, written by one loop and nothing else: outbox, delivery, mark, lease, inbox, effect, end.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use jiff::Timestamp;
use wharf_host::ports::database::{Begin, On, Space};
use wharf_plugin_api::sql::{Statement, Value};

/// Rows that the relay takes at a time.
const RELAYED: usize = 200;

/// So many events, from the first row to the last; the table begins and ends empty.
pub(super) async fn round(space: &Arc<dyn Space>, events: usize, published: usize, handled: usize) -> Result<Duration> {
    let table = "CREATE TABLE IF NOT EXISTS handled (id BIGSERIAL PRIMARY KEY, \"by\" TEXT NOT NULL, customer TEXT NOT NULL, number BIGINT NOT NULL)";
    space.execute_raw(On::Pool, table).await?;
    let began = Instant::now();
    publish(space, events, published).await?;
    relay(space).await?;
    let done = handle(space, handled).await?;
    ensure!(done == events, "found {done} events handled, expected {events}");
    Ok(began.elapsed())
}

async fn publish(space: &Arc<dyn Space>, events: usize, published: usize) -> Result<()> {
    let insert = "INSERT INTO wharf_outbox (id, type, key, envelope, created_ms) VALUES ($1, $2, $3, $4, $5)";
    let round = Timestamp::now().as_nanosecond();
    for from in (0..events).step_by(published) {
        let tx = space.begin(Begin::default()).await?;
        for number in from..from + published {
            let id = format!("{round}-{number:012}");
            let envelope = format!(
                "{{\"specversion\":\"1.0\",\"id\":\"{id}\",\"source\":\"/module/orders\",\"type\":\"{}\",\"time\":\"2026-01-01T00:00:00.000000Z\",\
                 \"datacontenttype\":\"application/json\",\"partitionkey\":\"c{number}\",\"data\":{{\"kind\":\"plain\",\"customer\":\"c{number}\",\"number\":{number}}}}}",
                super::SUBJECT
            );
            let args = vec![
                Value::text(id),
                Value::text(super::SUBJECT),
                Value::text(format!("c{number}")),
                Value::Bytes(envelope.into_bytes()),
                Value::int(0),
            ];
            space.execute(On::Tx(tx), &Statement::new(insert, args)).await?;
        }
        space.commit(tx).await?;
    }
    Ok(())
}

/// Deliveries by themselves, then the mark, as the relay does.
async fn relay(space: &Arc<dyn Space>) -> Result<()> {
    let look = format!("SELECT seq, id, key, envelope FROM wharf_outbox WHERE relayed_ms IS NULL ORDER BY seq LIMIT {RELAYED}");
    loop {
        let tx = space.begin(Begin::default()).await?;
        let rows = space.query(On::Tx(tx), &Statement::new(look.clone(), Vec::new())).await?;
        if rows.is_empty() {
            space.rollback(tx).await?;
            return Ok(());
        }
        let (mut args, mut places, mut list) = (Vec::new(), Vec::new(), String::new());
        for row in rows.iter() {
            let [seq, id, key, envelope] = row else { continue };
            let at = args.len();
            places.push(format!(
                "(${}, 'event', 'book', ${}, ${}, ${}, '{{}}', 'waiting', 0, 0, 4, 0, '', 0, '[]', 0)",
                at + 1,
                at + 2,
                at + 3,
                at + 4
            ));
            args.extend([
                id.clone(),
                key.clone(),
                Value::text(format!("{}/", id.as_text().unwrap_or_default())),
                envelope.clone(),
            ]);
            let _ = write!(
                list,
                "{}{}",
                if list.is_empty() { "" } else { "," },
                seq.as_int().unwrap_or_default()
            );
        }
        let put = format!(
            "INSERT INTO wharf_queue (id, kind, name, key, dedup, payload, headers, state, due_ms, attempts, max_attempts, created_ms, lease_owner, \
             lease_until_ms, errors, ended_ms) VALUES {} ON CONFLICT DO NOTHING",
            places.join(",")
        );
        space.execute(On::Pool, &Statement::new(put, args)).await?;
        let mark = format!("UPDATE wharf_outbox SET relayed_ms = 1 WHERE seq IN ({list})");
        space.execute(On::Tx(tx), &Statement::new(mark, Vec::new())).await?;
        space.commit(tx).await?;
    }
}

async fn handle(space: &Arc<dyn Space>, handled: usize) -> Result<usize> {
    let lease = format!(
        "WITH picked AS MATERIALIZED (SELECT q.seq AS picked_seq FROM wharf_queue q WHERE q.kind = 'event' AND q.name = 'book' AND q.state = 'waiting' \
         AND q.due_ms <= 1 ORDER BY q.seq LIMIT {handled} FOR UPDATE SKIP LOCKED) UPDATE wharf_queue SET state = 'leased', lease_owner = 'bare', \
         lease_until_ms = 1, attempts = attempts + 1 FROM picked WHERE seq = picked_seq RETURNING seq, id, payload"
    );
    let mut done = 0;
    loop {
        let rows = space.query(On::Pool, &Statement::new(lease.clone(), Vec::new())).await?;
        if rows.is_empty() {
            return Ok(done);
        }
        let tx = space.begin(Begin::default()).await?;
        let (mut ids, mut places, mut list) = (Vec::new(), Vec::new(), String::new());
        for row in rows.iter() {
            let [seq, id, _] = row else { continue };
            ids.push(id.clone());
            places.push(format!("('book', ${}, '', 1)", ids.len()));
            let _ = write!(
                list,
                "{}{}",
                if list.is_empty() { "" } else { "," },
                seq.as_int().unwrap_or_default()
            );
        }
        let inbox = format!(
            "INSERT INTO wharf_inbox (subscription, event_id, replay_id, done_ms) VALUES {} ON CONFLICT DO NOTHING RETURNING event_id",
            places.join(",")
        );
        space.query(On::Tx(tx), &Statement::new(inbox, ids)).await?;
        for _ in 0..rows.len() {
            let insert = "INSERT INTO handled (\"by\", customer, number) VALUES ($1, $2, $3) RETURNING id";
            let args = vec![Value::text("book"), Value::text("c1"), Value::int(1)];
            space.query(On::Tx(tx), &Statement::new(insert, args)).await?;
        }
        let end = format!("DELETE FROM wharf_queue WHERE lease_owner = 'bare' AND state = 'leased' AND seq IN ({list})");
        space.execute(On::Tx(tx), &Statement::new(end, Vec::new())).await?;
        space.commit(tx).await?;
        done += rows.len();
    }
}

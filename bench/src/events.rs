//! Events: how many are published, relayed and handled once, beside a bare loop that writes the same rows; and how soon one is
//! handled after its commit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use wharf_host::infra::database::{Limits, PgSettings, PgSpaces, Roles};
use wharf_host::ports::database::{Begin, Databases, Dialect, On, Space};
use wharf_plugin_api::sql::{Statement, Value};
use wharf_testing::TestHost;

use crate::report::{Report, Spread};
use crate::side::library;

/// Events of one round, and rounds of each side in turn.
const EVENTS: usize = 5_000;
const ROUNDS: usize = 5;
/// Events that are published in one transaction; the relay and the handlers have their own sizes.
const PUBLISHED: usize = 100;
const RELAYED: usize = 200;
/// Events whose way is timed one by one.
const ALONE: usize = 500;
/// At least so much of what the bare loop does in the same time, in per cent.
const BAR: f64 = 100.0 / 0.6;
const PATIENCE: Duration = Duration::from_secs(300);
/// Where a server is, as `with-servers` says it.
pub(crate) const POSTGRES: &str = "WHARF_TEST_POSTGRES_URL";

/// On the embedded database, and on PostgreSQL where there is one.
pub(crate) fn run(report: &mut Report) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        report.section("events: 5,000 in transactions of 100, embedded database", "wharf-bench events");
        on(report, None).await?;
        report.section(
            "events: the same on PostgreSQL",
            "with-servers --only postgres -- wharf-bench events",
        );
        match std::env::var(POSTGRES) {
            Ok(url) => on(report, Some(postgres(&url)?)).await,
            Err(_) => {
                report.hole(&format!("{POSTGRES} is not set; run this with `with-servers --only postgres`"));
                Ok(())
            }
        }
    })
}

/// Schemas of their own on a server.
pub(crate) fn postgres(url: &str) -> Result<Arc<dyn Databases>> {
    postgres_with(url, Limits::default())
}

/// The same with limits of its own.
pub(crate) fn postgres_with(url: &str, limits: Limits) -> Result<Arc<dyn Databases>> {
    let settings = PgSettings {
        url: url.to_owned(),
        replica: None,
        prefix: format!("b{}_", Timestamp::now().as_millisecond() % 10_000_000_000),
        roles: Roles::Auto,
        limits,
    };
    Ok(Arc::new(PgSpaces::new(settings)?))
}

async fn on(report: &mut Report, databases: Option<Arc<dyn Databases>>) -> Result<()> {
    let mut builder = TestHost::builder().library(library("bench_database")?).log("warn");
    if let Some(databases) = databases {
        builder = builder.databases(databases);
    }
    let host = builder.start().await;
    let bare = host.host().work().events.queues().of("bare").await?.space().clone();
    let (mut ours, mut theirs, mut shares) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let plain = per_event(bare_loop(&bare, round).await?);
        let wharf = per_event(published_and_handled(&host, round).await?);
        shares.push(wharf / plain * 100.0);
        theirs.push(plain);
        ours.push(wharf);
    }
    for (name, times) in [
        ("bare loop, the same rows", theirs),
        ("published in a module, relayed, handled once", ours),
    ] {
        let spread = Spread::of(times);
        let note = format!("an event; {:.0} a second", 1e6 / spread.middle);
        report.figure(name, spread.middle, "us", None, &note);
    }
    let share = Spread::of(shares);
    let note = format!(
        "{:.0} to {:.0}; {:.2} of the bare loop's events a second",
        share.least,
        share.most,
        100.0 / share.middle
    );
    report.figure("time beside the bare loop", share.middle, "%", Some(BAR), &note);
    alone(report, &host).await
}

fn per_event(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6 / EVENTS as f64
}

/// Commit to handler, one event after the other.
async fn alone(report: &mut Report, host: &TestHost) -> Result<()> {
    let text = host.get(&format!("/bench-database/idle/{ALONE}")).await.text();
    let times: Vec<f64> = text
        .split_whitespace()
        .map(|word| word.parse().with_context(|| format!("found {text:?}")))
        .collect::<Result<_>>()?;
    ensure!(times.len() == ALONE, "found {} times, expected {ALONE}", times.len());
    let at = |part: f64| {
        let place = (times.len() as f64 * part) as usize;
        times.get(place).copied().unwrap_or(f64::NAN) / 1e6
    };
    report.figure("commit to handler when idle, p50", at(0.5), "ms", None, "");
    report.figure("commit to handler when idle, p99", at(0.99), "ms", Some(50.0), "");
    Ok(())
}

async fn published_and_handled(host: &TestHost, round: usize) -> Result<Duration> {
    let expected = ((round + 1) * EVENTS).to_string();
    let began = Instant::now();
    let answer = host.get(&format!("/bench-database/publish/{EVENTS}/{PUBLISHED}")).await;
    ensure!(answer.text() == "published", "found {}", answer.text());
    let until = began + PATIENCE;
    while host.get("/bench-database/handled").await.text() != expected {
        ensure!(Instant::now() < until, "not all events were handled within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(began.elapsed())
}

/// The rows of the way, straight on the engine that executes for the host: outbox, queue, inbox and the handler's own, in
/// transactions of the same sizes, with nothing read and nobody woken.
async fn bare_loop(space: &Arc<dyn Space>, round: usize) -> Result<Duration> {
    let notes = "CREATE TABLE IF NOT EXISTS bench_note (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)";
    space.execute(On::Pool, &Statement::new(notes, Vec::new())).await?;
    let ids: Vec<String> = (0..EVENTS).map(|n| format!("{round}-{n:030}")).collect();
    let handled = host_batch();
    let began = Instant::now();
    for batch in ids.chunks(PUBLISHED) {
        let tx = space.begin(Begin::default()).await?;
        for id in batch {
            let sql = "INSERT INTO wharf_outbox (id, type, key, envelope, created_ms, relayed_ms) VALUES ($1, $2, $3, $4, $5, 0)";
            let args = vec![
                Value::text(id),
                Value::text("bare.noted.v1"),
                Value::optional_text(None::<String>),
                Value::Bytes(envelope(id)),
                Value::int(1),
            ];
            run_one(space, On::Tx(tx), sql, args).await?;
        }
        space.commit(tx).await?;
    }
    for batch in ids.chunks(RELAYED) {
        let tx = space.begin(Begin::default()).await?;
        queue(space, On::Tx(tx), batch).await?;
        mark(space, On::Tx(tx), "UPDATE wharf_outbox SET relayed_ms = 1 WHERE id IN", batch).await?;
        space.commit(tx).await?;
    }
    for (place, batch) in ids.chunks(handled).enumerate() {
        mark(space, On::Pool, "UPDATE wharf_queue SET state = 'leased' WHERE id IN", batch).await?;
        let tx = space.begin(Begin::default()).await?;
        inbox(space, On::Tx(tx), batch).await?;
        for (at, _) in batch.iter().enumerate() {
            let n = i64::try_from(round * EVENTS + place * handled + at)?;
            let sql = "INSERT INTO bench_note (id, n) VALUES ($1, $2)";
            run_one(space, On::Tx(tx), sql, vec![Value::int(n), Value::int(n)]).await?;
        }
        mark(space, On::Tx(tx), "DELETE FROM wharf_queue WHERE id IN", batch).await?;
        space.commit(tx).await?;
    }
    Ok(began.elapsed())
}

/// Deliveries that the host hands over in one transaction.
fn host_batch() -> usize {
    wharf_host::events::EventSettings::default().batch
}

/// As long as the one the host writes.
fn envelope(id: &str) -> Vec<u8> {
    format!(
        "{{\"specversion\":\"1.0\",\"id\":\"{id}\",\"source\":\"/modules/bare\",\"type\":\"bare.noted.v1\",\"time\":\"2026-01-01T00:00:00.000Z\",\
         \"datacontenttype\":\"application/json\",\"correlationid\":\"{id}\",\"data\":{{\"n\":12345}}}}"
    )
    .into_bytes()
}

async fn run_one(space: &Arc<dyn Space>, on: On, sql: &str, args: Vec<Value>) -> Result<()> {
    let sql = match space.dialect() {
        Dialect::Sqlite => sql.replace('$', "?"),
        Dialect::Postgres => sql.to_owned(),
    };
    space.execute(on, &Statement::new(sql, args)).await?;
    Ok(())
}

/// `($1,$2),($3,$4)`, with what is the same for all behind.
fn rows(rows: usize, columns: usize, rest: &str) -> String {
    let row = |row: usize| {
        let cells: Vec<String> = (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({}{rest})", cells.join(","))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(",")
}

async fn queue(space: &Arc<dyn Space>, on: On, batch: &[String]) -> Result<()> {
    let sql = format!(
        "INSERT INTO wharf_queue (id, dedup, payload, kind, name, key, headers, state, due_ms, attempts, max_attempts, created_ms, lease_owner, \
         lease_until_ms, errors, ended_ms) VALUES {}",
        rows(batch.len(), 3, ",'event','note',NULL,'{}','waiting',0,0,10,1,'',0,'[]',0")
    );
    let args = batch
        .iter()
        .flat_map(|id| [Value::text(id), Value::text(id), Value::Bytes(envelope(id))])
        .collect();
    run_one(space, on, &sql, args).await
}

async fn inbox(space: &Arc<dyn Space>, on: On, batch: &[String]) -> Result<()> {
    let sql = format!(
        "INSERT INTO wharf_inbox (event_id, subscription, replay_id, done_ms) VALUES {}",
        rows(batch.len(), 1, ",'note','',1")
    );
    run_one(space, on, &sql, batch.iter().map(Value::text).collect()).await
}

async fn mark(space: &Arc<dyn Space>, on: On, what: &str, batch: &[String]) -> Result<()> {
    let sql = format!("{what} {}", rows(1, batch.len(), ""));
    run_one(space, on, &sql, batch.iter().map(Value::text).collect()).await
}

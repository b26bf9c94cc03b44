//! Events on real servers: published in transactions and handled with inbox, beside a bare loop that writes the same rows in
//! transactions of the same sizes; how soon a committed event is handled when nothing else is to do; publishing over RabbitMQ beside
//! the client used directly; and whether a module that has used up its connections slows another one.
//!
//! `WHARF_BENCH_POSTGRES_URL` and `WHARF_BENCH_AMQP_URL` say where the servers are.

mod bare;
mod broker;
mod stage;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use serde_json::json;
use wharf_host::events::Published;
use wharf_host::ports::database::{Begin, On, Space};
use wharf_plugin_api::sql::{Statement, Value};

use crate::report::{Report, Spread};
use stage::Stage;

/// Events of one round, and rounds.
const EVENTS: usize = 10_000;
const ROUNDS: usize = 5;
/// Events that are published in one transaction.
const PUBLISHED: usize = 100;
/// Deliveries that are handled in one transaction, as the host has it.
const HANDLED: usize = 50;
/// Events whose way is timed one by one.
const SINGLE: usize = 300;
/// Statements of the module that is not starving.
const ASKED: usize = 2_000;
/// Tasks of the one that is.
const STARVING: usize = 256;
const PATIENCE: Duration = Duration::from_secs(300);
const SUBJECT: &str = "orders.order.placed.v1";

/// Everything for which there is a server.
pub(crate) fn run(report: &mut Report) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    runtime.block_on(async {
        report.section(
            "events on PostgreSQL: 10,000 events with a key each, from publishing to the row of the handler",
            "WHARF_BENCH_POSTGRES_URL=... wharf-bench events",
        );
        match variable("WHARF_BENCH_POSTGRES_URL") {
            Some(url) => on_postgres(report, &url).await?,
            None => report.hole("WHARF_BENCH_POSTGRES_URL is not set: the address of an empty PostgreSQL database"),
        }
        report.section(
            "RabbitMQ: 512 bytes, persistent, with confirms, windows of 500",
            "WHARF_BENCH_AMQP_URL=... wharf-bench events",
        );
        match variable("WHARF_BENCH_AMQP_URL") {
            Some(url) => broker::run(report, &url).await,
            None => {
                report.hole("WHARF_BENCH_AMQP_URL is not set: the address of a RabbitMQ");
                Ok(())
            }
        }
    })
}

async fn on_postgres(report: &mut Report, url: &str) -> Result<()> {
    let stage = Stage::start(url).await?;
    let (mut bare, mut whole, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let least = per_second(bare::round(&stage.space("bare").await?, EVENTS, PUBLISHED, HANDLED).await?);
        let ours = per_second(events(&stage).await?);
        ratios.push(least / ours * 100.0);
        bare.push(least);
        whole.push(ours);
    }
    let sizes = format!("{PUBLISHED} published and {HANDLED} handled in one transaction");
    report.figure("bare loop, events a second", Spread::of(bare).middle, "/s", None, &sizes);
    report.figure(
        "outbox, relay, queue, inbox and the handler",
        Spread::of(whole).middle,
        "/s",
        None,
        &sizes,
    );
    let ratio = Spread::of(ratios);
    let note = format!("{:.0} to {:.0}; 0.6 of the bare loop is 167", ratio.least, ratio.most);
    report.figure("bare loop / wharf times 100", ratio.middle, "%", Some(100.0 / 0.6), &note);
    let mut waits = one_by_one(&stage).await?;
    waits.sort_by(f64::total_cmp);
    let at = |part: usize| {
        waits
            .get((waits.len() * part / 100).min(waits.len() - 1))
            .copied()
            .unwrap_or(f64::NAN)
    };
    report.figure(
        "idle: commit to the commit of the handler, p99",
        at(99),
        "ms",
        Some(50.0),
        &format!("p50 {:.1}", at(50)),
    );
    starve(report, &stage).await
}

fn per_second(time: Duration) -> f64 {
    EVENTS as f64 / time.as_secs_f64()
}

fn event(number: i64) -> Published {
    Published {
        module: "orders".to_owned(),
        event_type: SUBJECT.to_owned(),
        content_type: "application/json".to_owned(),
        data: json!({ "kind": "plain", "customer": format!("c{number}"), "number": number })
            .to_string()
            .into_bytes(),
        key: format!("c{number}"),
        ..Published::default()
    }
}

/// A number that no event had before.
fn next() -> i64 {
    Timestamp::now().as_microsecond() * 100
}

async fn events(stage: &Stage) -> Result<Duration> {
    let hub = &stage.host.work().events;
    let space = stage.space("orders").await?;
    let (before, first) = (handled(&*space).await?, next());
    let began = Instant::now();
    for from in (0..EVENTS).step_by(PUBLISHED) {
        let tx = space.begin(Begin::default()).await?;
        for number in from..from + PUBLISHED {
            hub.publish(event(first + i64::try_from(number)?), Some(tx)).await?;
        }
        space.commit(tx).await?;
    }
    let expected = before + i64::try_from(EVENTS)?;
    while handled(&*space).await? < expected {
        ensure!(began.elapsed() < PATIENCE, "not all events were handled within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(began.elapsed())
}

/// Rows that the handler has written.
async fn handled(space: &dyn Space) -> Result<i64> {
    let rows = space
        .query(On::Pool, &Statement::new("SELECT COUNT(*) FROM handled", Vec::new()))
        .await?;
    rows.values
        .first()
        .and_then(Value::as_int)
        .context("the module orders has no table `handled`")
}

/// Milliseconds from the commit of one event to the moment at which what its handler did is seen.
async fn one_by_one(stage: &Stage) -> Result<Vec<f64>> {
    let (hub, space) = (&stage.host.work().events, stage.space("orders").await?);
    let mut waits = Vec::with_capacity(SINGLE);
    for _ in 0..SINGLE {
        let number = next();
        let tx = space.begin(Begin::default()).await?;
        hub.publish(event(number), Some(tx)).await?;
        space.commit(tx).await?;
        let began = Instant::now();
        let look = Statement::new("SELECT 1 FROM handled WHERE number = $1", vec![Value::int(number)]);
        while space.query(On::Pool, &look).await?.is_empty() {
            ensure!(began.elapsed() < PATIENCE, "an event was not handled within {PATIENCE:?}");
            tokio::task::yield_now().await;
        }
        waits.push(began.elapsed().as_secs_f64() * 1e3);
        // Idle again.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(waits)
}

/// One module has every connection in a transaction that does nothing, and hundreds of tasks that want one; another one asks.
async fn starve(report: &mut Report, stage: &Stage) -> Result<()> {
    report.section(
        "databases: p50 of a point select while another module has used up its connections",
        "wharf-bench events",
    );
    let (starving, other) = (stage.space("starving").await?, stage.space("other").await?);
    let mut alone = Vec::new();
    let mut beside = Vec::new();
    for _ in 0..ROUNDS {
        alone.push(median_of_selects(&*other).await?);
        let mut held = Vec::new();
        for _ in 0..starving.usage().limit.max(1) {
            match tokio::time::timeout(Duration::from_millis(500), starving.begin(Begin::default())).await {
                Ok(tx) => held.push(tx?),
                Err(_) => break,
            }
        }
        let waiting: Vec<_> = (0..STARVING)
            .map(|_| {
                let space = starving.clone();
                tokio::spawn(async move { space.begin(Begin::default()).await })
            })
            .collect();
        while starving.usage().waiting == 0 {
            tokio::task::yield_now().await;
        }
        beside.push(median_of_selects(&*other).await?);
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
        for tx in held {
            starving.rollback(tx).await?;
        }
    }
    let (alone, beside) = (Spread::of(alone), Spread::of(beside));
    report.figure(
        "alone",
        alone.middle,
        "us",
        None,
        &format!("{:.0} to {:.0}", alone.least, alone.most),
    );
    let bar = alone.most * 1.1;
    report.figure(
        "beside the starving one",
        beside.middle,
        "us",
        Some(bar),
        &format!("{:.0} to {:.0}", beside.least, beside.most),
    );
    Ok(())
}

async fn median_of_selects(space: &dyn Space) -> Result<f64> {
    let select = Statement::new("SELECT 1", Vec::new());
    let mut times = Vec::with_capacity(ASKED);
    for _ in 0..ASKED {
        let began = Instant::now();
        space.query(On::Pool, &select).await?;
        times.push(began.elapsed().as_secs_f64() * 1e6);
    }
    Ok(Spread::of(times).middle)
}

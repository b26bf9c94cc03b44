//! How many events a module keeps up with: published, relayed, delivered and counted, beside a bare loop of the same statements.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use wharf_host::events::Published;
use wharf_host::ports::database::{Begin, On};
use wharf_plugin_api::sql::{Statement, Value};
use wharf_testing::TestHost;

use crate::report::{Report, Spread};
use crate::side::library;

/// Events of one round, and rounds.
const EVENTS: usize = 10_000;
const ROUNDS: usize = 3;
/// Events that are published in one transaction, and sent in one request.
const PUBLISHED: usize = 500;
/// Events that the host hands over in one transaction on SQLite: the bare loop has the same.
const TOGETHER: usize = 20;
/// Posts that are looked at.
const POSTS: usize = 50;
/// At least so many events a second are wanted: at most so many microseconds for one.
const BAR: f64 = 200.0;
const PATIENCE: Duration = Duration::from_secs(300);

/// All on the embedded database, with tokio on all cores.
pub(crate) fn run(report: &mut Report) -> Result<()> {
    report.section(
        "analytics: 10,000 events with one dimension, from publishing to the last bucket, embedded database",
        "wharf-bench analytics",
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let host = TestHost::builder()
            .library(library("analytics")?)
            .log("warn")
            .allow("user:bench", "analytics.*")
            .start()
            .await;
        let (mut bare, mut whole, mut again, mut sent) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let since = Timestamp::now().as_millisecond();
            bare.push(per_event(bare_loop(&host, round).await?));
            whole.push(per_event(events(&host, round).await?));
            again.push(per_event(replay(&host, since).await?));
            sent.push(per_event(requests(&host).await?));
        }
        say(
            report,
            "bare loop: one id and six buckets an event, 20 in one transaction",
            bare,
            None,
        );
        say(report, "events: outbox, relay, queue, inbox and the handler", whole, Some(BAR));
        say(report, "the same events replayed: known already, so no buckets", again, None);
        say(report, "requests: batches of 500 with ids", sent, Some(BAR));
        Ok(())
    })
}

fn per_event(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6 / EVENTS as f64
}

fn say(report: &mut Report, name: &str, rounds: Vec<f64>, bar: Option<f64>) {
    let spread = Spread::of(rounds);
    let note = format!(
        "an event; {:.0} a second, {:.1} to {:.1}",
        1e6 / spread.middle,
        spread.least,
        spread.most
    );
    report.figure(name, spread.middle, "us", bar, &note);
}

/// What the module does for an event, straight on the engine that executes for it.
async fn bare_loop(host: &TestHost, round: usize) -> Result<Duration> {
    let queue = host.host().work().events.queues().of("bare").await?;
    let space = queue.space();
    for table in [
        "CREATE TABLE IF NOT EXISTS seen (tenant TEXT NOT NULL, day BIGINT NOT NULL, event TEXT NOT NULL, PRIMARY KEY (tenant, day, event)) WITHOUT ROWID",
        "CREATE TABLE IF NOT EXISTS bucket (tenant TEXT NOT NULL, metric TEXT NOT NULL, grain SMALLINT NOT NULL, dimension TEXT NOT NULL, \
         begins BIGINT NOT NULL, value TEXT NOT NULL, hits BIGINT NOT NULL, total BIGINT NOT NULL, \
         PRIMARY KEY (tenant, metric, grain, dimension, begins, value)) WITHOUT ROWID",
    ] {
        space.execute(On::Pool, &Statement::new(table, Vec::new())).await?;
    }
    let now = Timestamp::now().as_second();
    let row = "(?, 'blog.post.viewed', ?, ?, ?, ?, 1, 1)";
    let upsert = format!(
        "INSERT INTO bucket (tenant, metric, grain, dimension, begins, value, hits, total) VALUES {} \
         ON CONFLICT (tenant, metric, grain, dimension, begins, value) DO UPDATE SET hits = bucket.hits + excluded.hits, total = bucket.total + excluded.total",
        [row; 6].join(", ")
    );
    let began = Instant::now();
    for from in (0..EVENTS).step_by(TOGETHER) {
        let tx = space.begin(Begin::default()).await?;
        for n in from..from + TOGETHER {
            let id = vec![
                Value::text("default"),
                Value::int(now / 86_400),
                Value::text(format!("{round}-{n:030}")),
            ];
            let enter = Statement::new("INSERT INTO seen (tenant, day, event) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", id);
            space.execute(On::Tx(tx), &enter).await?;
            space.execute(On::Tx(tx), &Statement::new(upsert.clone(), buckets(n, now))).await?;
        }
        space.commit(tx).await?;
    }
    Ok(began.elapsed())
}

/// The total and one post, by minute, hour and day.
fn buckets(n: usize, now: i64) -> Vec<Value> {
    let mut args = Vec::with_capacity(30);
    for (grain, width) in [(0, 60), (1, 3_600), (2, 86_400)] {
        for (dimension, value) in [("", String::new()), ("post", post(n))] {
            args.push(Value::text("default"));
            args.push(Value::int(grain));
            args.push(Value::text(dimension));
            args.push(Value::int(now / width * width));
            args.push(Value::text(value));
        }
    }
    args
}

fn post(n: usize) -> String {
    format!("0197a3f0-0000-7000-8000-{:012}", n % POSTS)
}

/// As the blog publishes them, until the last one is counted.
async fn events(host: &TestHost, round: usize) -> Result<Duration> {
    let hub = &host.host().work().events;
    let queue = hub.queues().of("blog").await?;
    let space = queue.space();
    let began = Instant::now();
    for from in (0..EVENTS).step_by(PUBLISHED) {
        let tx = space.begin(Begin::default()).await?;
        for n in from..from + PUBLISHED {
            let event = Published {
                module: "blog".to_owned(),
                event_type: "blog.post.viewed.v1".to_owned(),
                content_type: "application/json".to_owned(),
                data: json!({ "post": post(n), "slug": "a-post", "at": Timestamp::now().to_string() })
                    .to_string()
                    .into_bytes(),
                ..Published::default()
            };
            hub.publish(event, Some(tx)).await?;
        }
        space.commit(tx).await?;
    }
    let expected = i64::try_from((round + 1) * EVENTS)?;
    let until = began + PATIENCE;
    while counted(host, "blog.post.viewed").await? != expected {
        ensure!(Instant::now() < until, "not all events were counted within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(began.elapsed())
}

/// The events of a round once more: the way is the same, and the handler finds that it knows them.
async fn replay(host: &TestHost, since: i64) -> Result<Duration> {
    let hub = &host.host().work().events;
    let all = hub.subscriptions().await?;
    let row = all
        .iter()
        .find(|row| row.subscription == "count-views")
        .context("the module counts no views")?;
    let began = Instant::now();
    let mut progress = hub.replay(row, Some(since), None, None).await?;
    while progress.next.is_some() {
        progress = hub.replay(row, Some(since), None, Some(progress)).await?;
    }
    ensure!(
        progress.delivered == EVENTS as u64,
        "found {} events to replay, expected {EVENTS}",
        progress.delivered
    );
    let until = began + PATIENCE;
    while hub.busy().await? > 0 {
        ensure!(Instant::now() < until, "not all events were handled within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(began.elapsed())
}

/// 0 as long as nothing is known of the metric.
async fn counted(host: &TestHost, metric: &str) -> Result<i64> {
    let answer = host.as_user("bench").get(&format!("/analytics/totals?metric={metric}")).await;
    if answer.status == 404 {
        return Ok(0);
    }
    ensure!(answer.status == 200, "found {}: {}", answer.status, answer.text());
    answer
        .json::<Json>()
        .get("count")
        .and_then(Json::as_i64)
        .context("an answer without a count")
}

/// As a program sends them.
async fn requests(host: &TestHost) -> Result<Duration> {
    let round = Timestamp::now().as_nanosecond();
    let began = Instant::now();
    for from in (0..EVENTS).step_by(PUBLISHED) {
        let at = Timestamp::now().to_string();
        let event =
            |n: usize| json!({ "metric": "custom.bench", "at": at, "id": format!("{round}-{n}"), "dimensions": { "post": post(n) } });
        let batch: Vec<Json> = (from..from + PUBLISHED).map(event).collect();
        let answer = host
            .as_user("bench")
            .post("/analytics/events/batch", &json!({ "events": batch }))
            .await;
        ensure!(answer.status == 200, "found {}: {}", answer.status, answer.text());
    }
    Ok(began.elapsed())
}

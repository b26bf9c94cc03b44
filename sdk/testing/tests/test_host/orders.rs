//! Events and jobs of a module that counts what became of them.

use std::time::Duration;

use serde_json::Value;
use wharf_host::queue::{Filter, State};
use wharf_testing::TestHost;

const PLACED: &str = "orders.order.placed.v1";
const DAY: Duration = Duration::from_secs(24 * 3600);

async fn orders() -> TestHost {
    TestHost::builder().module(orders_module::root()).start().await
}

async fn place(host: &TestHost, kind: &str, customer: &str, number: i64) {
    let answer = host.post(&format!("/orders/orders/{kind}/{customer}/{number}"), &Value::Null).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Numbers of what was done by a subscription or job, in order.
async fn done(host: &TestHost, by: &str) -> Vec<i64> {
    let totals: Value = host.get("/orders/totals").await.json();
    let rows = totals["handled"].as_array().unwrap().iter().filter(|row| row["by"] == by);
    rows.map(|row| row["number"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn an_event_published_in_a_transaction_is_handled_once() {
    let host = orders().await;
    for number in 0..30 {
        place(&host, "plain", "ada", number).await;
    }
    host.settle_events().await;
    assert_eq!(done(&host, "book").await, (0..30).collect::<Vec<_>>(), "in the order of their key");
    let data: Vec<orders_module::Placed> = host.events().data(PLACED).await;
    assert_eq!(data.len(), 30);
    assert!(host.events().dead_letters().await.is_empty());
    assert_eq!(host.stop().await, [""; 0]);
}

#[tokio::test]
async fn what_is_rolled_back_was_never_published() {
    let host = orders().await;
    place(&host, "plain", "ada", 1).await;
    // The same number again: the row is refused, and with it the event.
    let answer = host.post("/orders/orders/plain/ada/1", &Value::Null).await;
    assert_eq!(answer.status, 500);
    host.settle_events().await;
    assert_eq!(host.events().published(PLACED).await.len(), 1);
    assert_eq!(done(&host, "book").await, [1]);
}

#[tokio::test]
async fn a_failed_try_takes_back_what_it_did_and_holds_up_its_key_alone() {
    let host = orders().await;
    for number in [1, 2, 3] {
        place(&host, if number == 2 { "once" } else { "plain" }, "ada", number).await;
    }
    place(&host, "plain", "bob", 4).await;
    // Order 3 is due, and waits for order 2 of the same customer, whose time comes soon.
    host.advance(Duration::from_secs(1));
    host.settle_events().await;
    let done = done(&host, "book").await;
    let ada: Vec<_> = done.iter().filter(|number| **number != 4).collect();
    assert_eq!((ada, done.len()), (vec![&1, &2, &3], 4), "once each, and in order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn poison_panics_and_hanging_handlers_end_as_dead_letters_with_their_errors() {
    let host = TestHost::builder()
        .module(orders_module::root())
        .configure(|config| config.plugins.quarantine.panics = 1000)
        .start()
        .await;
    for (number, kind) in [(1, "poison"), (2, "panic"), (3, "hang"), (4, "plain")] {
        place(&host, kind, kind, number).await;
    }
    for _ in 0..4 {
        host.settle_events().await;
        host.advance(DAY);
    }
    host.settle_events().await;
    assert_eq!(done(&host, "book").await, [4]);
    let mut dead = host.events().dead_letters().await;
    dead.sort_by_key(|letter| letter.key.clone());
    let found: Vec<_> = dead
        .iter()
        .map(|letter| (letter.key.as_deref().unwrap(), letter.errors.len()))
        .collect();
    assert_eq!(found, [("hang", 4), ("panic", 4), ("poison", 4)]);
    for (letter, text) in dead.iter().zip(["did not end within", "this order panics", "cannot be booked"]) {
        let said = &letter.errors[0].error;
        assert!(said.iter().any(|line| line.contains(text)), "{said:?}");
    }
    let filter = Filter {
        id: Some(dead[2].id.clone()),
        ..Filter::default()
    };
    let hub = &host.host().work().events;
    assert_eq!(hub.retry(Some("orders"), &filter).await.unwrap(), 1);
    assert_eq!(
        hub.deliveries(None, &filter).await.unwrap()[0].errors.len(),
        4,
        "errors of earlier tries stay"
    );
}

#[tokio::test]
async fn two_versions_of_an_event_are_handled_side_by_side() {
    let host = orders().await;
    place(&host, "plain", "ada", 1).await;
    assert_eq!(host.post("/orders/v2/2", &Value::Null).await.status, 200);
    host.settle_events().await;
    assert_eq!((done(&host, "book").await, done(&host, "book-v2").await), (vec![1], vec![2]));
    let bad = host.post("/orders/v2/two", &Value::Null).await;
    assert_eq!(bad.status, 200);
}

#[tokio::test]
async fn a_subject_that_is_not_declared_is_refused_with_the_missing_line() {
    let host = orders().await;
    let said = host.post("/orders/undeclared", &Value::Null).await.text();
    assert!(
        said.contains("add \"orders.order.vanished.v1\" to `publishes` under [events] in wharf.toml"),
        "{said}"
    );
}

#[tokio::test]
async fn an_event_that_may_be_lost_reaches_who_is_there_and_is_not_kept() {
    let host = orders().await;
    assert_eq!(host.post("/orders/seen/7", &Value::Null).await.status, 200);
    let until = std::time::Instant::now() + Duration::from_secs(10);
    while done(&host, "see").await != [7] {
        assert!(std::time::Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(host.events().published("orders.order.seen.v1").await.is_empty());
}

#[tokio::test]
async fn a_replay_is_handled_once_more_however_often_its_pages_are_sent() {
    let host = orders().await;
    for number in 1..=3 {
        place(&host, "plain", "ada", number).await;
    }
    host.settle_events().await;
    let hub = &host.host().work().events;
    let subscription = hub
        .subscriptions()
        .await
        .unwrap()
        .into_iter()
        .find(|row| row.subscription == "book")
        .unwrap();
    let first = hub.replay(&subscription, None, None, None).await.unwrap();
    assert_eq!((first.delivered, first.next), (3, None));
    let again = wharf_host::events::ReplayProgress { next: Some(0), ..first };
    host.settle_events().await;
    hub.replay(&subscription, None, None, Some(again)).await.unwrap();
    host.settle_events().await;
    assert_eq!(done(&host, "book").await, [1, 2, 3]);
    assert_eq!(
        done(&host, "book-again").await,
        [1, 2, 3],
        "the handler is told that it is a replay"
    );
}

#[tokio::test]
async fn one_off_jobs_run_when_they_are_due_and_once_for_each_name() {
    let host = orders().await;
    assert!(!host.post("/orders/later/1/3600", &Value::Null).await.text().is_empty());
    assert!(!host.post("/orders/bills/2", &Value::Null).await.text().is_empty());
    host.settle_events().await;
    assert_eq!(done(&host, "bill").await, [2]);
    host.advance(Duration::from_secs(3601));
    host.settle_events().await;
    assert_eq!(done(&host, "bill").await, [2, 1]);
    let runs = host.events().runs("orders", "bill").await;
    assert!(runs.iter().all(|run| run.outcome == "ok" && run.attempt == 1), "{runs:?}");
}

#[tokio::test]
async fn an_older_payload_is_upgraded() {
    let host = orders().await;
    let jobs = &host.host().work().jobs;
    jobs.run_now("orders", "bill", b"{\"no\":9}".to_vec()).await.unwrap();
    host.settle_events().await;
    assert_eq!(done(&host, "bill").await, [9]);
}

#[tokio::test]
async fn a_schedule_fires_in_its_zone_and_missed_times_are_run_once() {
    let host = orders().await;
    assert!(done(&host, "sweep").await.is_empty());
    host.advance(DAY);
    host.settle_events().await;
    assert_eq!(done(&host, "sweep").await.len(), 1);
    host.advance(5 * DAY);
    host.settle_events().await;
    assert_eq!(
        done(&host, "sweep").await.len(),
        2,
        "five times were missed, and the last one is run"
    );
    let jobs = &host.host().work().jobs;
    jobs.pause("orders", "sweep", true).await.unwrap();
    host.advance(3 * DAY);
    host.settle_events().await;
    assert_eq!(done(&host, "sweep").await.len(), 2);
    jobs.pause("orders", "sweep", false).await.unwrap();
    host.settle_events().await;
    assert_eq!(
        done(&host, "sweep").await.len(),
        2,
        "what was missed while it was paused is left out"
    );
    host.run_job("orders", "sweep").await;
    assert_eq!(done(&host, "sweep").await.len(), 3);
}

#[tokio::test]
async fn a_job_under_way_is_told_to_end_and_handed_over_to_the_next_instance() {
    use wharf_host::modules::control::Control as _;
    let host = orders().await;
    assert_eq!(host.post("/orders/waits", &Value::Null).await.status, 200);
    let until = std::time::Instant::now() + Duration::from_secs(10);
    while done(&host, "wait").await != [1] {
        assert!(std::time::Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    host.host().disable("orders", false).await.unwrap();
    let filter = Filter {
        state: Some(State::Waiting),
        ..Filter::default()
    };
    let queue = host.host().work().queues.of("orders").await.unwrap();
    let left = queue.list(wharf_host::queue::Kind::JOB, &filter).await.unwrap();
    assert_eq!(
        (left.len(), left[0].attempts),
        (1, 0),
        "it is there for whoever comes next, as if it had not been tried"
    );
    host.host().enable("orders").await.unwrap();
    while done(&host, "wait").await != [1, 1] {
        assert!(std::time::Instant::now() < until + Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

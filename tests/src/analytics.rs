//! Analytics, driven as its clients and its operator do: the same steps whatever the host keeps its things in.

use std::time::Duration;

use serde_json::{Value, json};

use crate::people::{self, Person};
use crate::process::until;
use crate::server::TestServer;
use crate::shared::{Shared, stays};

/// How long work in the background may take on a busy machine.
const SOON: Duration = Duration::from_secs(120);
const JSON: (&str, &str) = ("content-type", "application/json");

/// All of it, with a kill in between: accounts that are made are events of identity, which are counted once, however often they come.
///
/// # Panics
/// When anything is not as it should be.
pub fn drive(server: &mut TestServer) {
    let mut ada = people::person(server, "default", "ada", &["admin@*"]);
    for n in 0..6 {
        people::person(server, "default", &format!("user{n}"), &[]);
    }
    wait_for_accounts(server, &ada, 7);

    // A moment ago, by the clock of the host.
    let at = &get(server, &ada, "/analytics/metrics")["items"][0]["first_seen"];
    let batch = batch(300, at);
    assert_eq!(send(server, &ada, &batch)["recorded"], 300);
    server.kill_and_start_again();
    ada.sign_in(server);
    assert_eq!(
        send(server, &ada, &batch),
        json!({ "recorded": 0, "duplicates": 300, "late": 0 }),
        "it was answered"
    );
    wait_for_accounts(server, &ada, 7);

    let replayed = server.wharf(&["events", "replay", "analytics", "count-accounts"]);
    assert_eq!(replayed.code, 0, "{replayed:?}");
    // What is published now is handled after what was replayed: then all of it is counted.
    people::person(server, "default", "last", &[]);
    wait_for_accounts(server, &ada, 8);
    let nothing = until(SOON, || (waiting(server) == 0).then_some(()));
    assert!(
        nothing.is_some(),
        "deliveries still wait; wharf printed:\n{}",
        server.process().output()
    );
    assert_eq!(accounts(server, &ada), 8, "a replay counted twice");

    read(server, &ada);
    let ran = server.wharf(&["jobs", "run", "analytics", "retention"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(get(server, &ada, "/analytics/totals?metric=custom.jobs.done")["sum"], 600);
}

/// Accounts are made on two nodes while the broker of events is killed and started again: each is counted once, on whichever node.
///
/// # Panics
/// When one is not counted, or counted twice.
pub fn across_nodes(shared: &mut Shared) {
    let (one, two) = (shared.node("one", &["analytics"], ""), shared.node("two", &["analytics"], ""));
    let ada = people::person(&one, "default", "ada", &["admin@*"]);
    let mut made = 1;
    let mut make = |n: usize| {
        let email = format!("user{made}@example.org");
        let account = json!({ "tenant": "default", "email": email, "name": "User" });
        people::operate(
            if n.is_multiple_of(2) { &one } else { &two },
            "wharf.identity.v1.Users/Create",
            &account,
        );
        made += 1;
    };
    (0..6).for_each(&mut make);
    let meanwhile = shared.without_broker(&mut make);
    assert!(meanwhile > 0, "nothing was made while the broker was away");
    (0..6).for_each(&mut make);
    wait_for_accounts(&two, &ada, made);
    assert!(stays(|| accounts(&one, &ada) == made), "an account was counted twice");
    let dead = one.wharf(&["events", "list", "--state", "dead", "--json"]);
    assert_eq!((dead.code, dead.out.trim()), (0, "[]"), "{dead:?}");
}

/// Every way to read.
fn read(server: &TestServer, ada: &Person) {
    let series = get(
        server,
        ada,
        "/analytics/series?metric=custom.jobs.done&grain=day&zone=Europe/Berlin",
    );
    let points = series["points"].as_array().expect("a series has points");
    let count: i64 = points.iter().filter_map(|point| point["count"].as_i64()).sum();
    assert_eq!((count, points.len() >= 30), (300, true), "{series}");
    let top = get(server, ada, "/analytics/top?metric=custom.jobs.done&n=2&by=sum");
    assert_eq!(top["items"][0], json!({ "value": "q0", "count": 100, "sum": 200 }), "{top}");
    let metrics = get(server, ada, "/analytics/metrics");
    let names: Vec<_> = metrics["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| &item["name"])
        .collect();
    assert_eq!(names, ["custom.jobs.done", "identity.account.changed"], "{metrics}");
    let csv = ada.get(server, "/analytics/export.csv?metric=custom.jobs.done&grain=day");
    assert_eq!(csv.status, 200, "{}", csv.body);
    assert_eq!(
        (csv.body.lines().count() - 1) % 4,
        0,
        "the total and three queues of each day: {}",
        csv.body
    );
    // gRPC, as JSON.
    let asked = json!({ "metric": "custom.jobs.done", "grain": "GRAIN_DAY" });
    let answer = ada.call(server, "wharf.analytics.v1.Analytics/Query", &asked);
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// Events with ids, at a moment.
fn batch(events: usize, at: &Value) -> Value {
    let event = |n: usize| json!({ "metric": "custom.jobs.done", "at": at, "value": 2, "id": n.to_string(), "dimensions": { "queue": format!("q{}", n % 3) } });
    json!({ "events": (0..events).map(event).collect::<Vec<_>>() })
}

fn send(server: &TestServer, ada: &Person, batch: &Value) -> Value {
    let answer = ada.send(server, "POST", "/analytics/events/batch", &[JSON], batch.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}\nwharf printed:\n{}", answer.body, server.process().output());
    answer.json()
}

fn get(server: &TestServer, ada: &Person, path: &str) -> Value {
    let answer = ada.get(server, path);
    assert_eq!(
        answer.status,
        200,
        "{path}: {}\nwharf printed:\n{}",
        answer.body,
        server.process().output()
    );
    answer.json()
}

/// Accounts that were counted as made; changes of them are counted too, but not here.
fn accounts(server: &TestServer, ada: &Person) -> i64 {
    let path = "/analytics/totals?metric=identity.account.changed&dimension=kind&value=user";
    let answer = ada.get(server, path);
    match answer.status {
        200 => answer.json()["count"].as_i64().expect("a count"),
        _ => 0,
    }
}

fn wait_for_accounts(server: &TestServer, ada: &Person, expected: i64) {
    let mut last = 0;
    let seen = until(SOON, || {
        last = accounts(server, ada);
        (last == expected).then_some(())
    });
    assert!(
        seen.is_some(),
        "expected {expected} accounts, found {last}; wharf printed:\n{}",
        server.process().output()
    );
}

/// Deliveries of analytics that are not handled yet.
fn waiting(server: &TestServer) -> usize {
    let listed = server.wharf(&["events", "list", "--json"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    let rows: Value = serde_json::from_str(&listed.out).expect("JSON");
    let rows = rows.as_array().expect("a list");
    rows.iter().filter(|row| row["module"] == "analytics").count()
}

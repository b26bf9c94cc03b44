//! Events through reloads, and what operators see of subscriptions.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use wharf_tests::{ServerOptions, TestServer, people, until};

const CUSTOMERS: [&str; 3] = ["ada", "bob", "eve"];
const ORDERS: i64 = 90;

fn totals(server: &TestServer) -> Value {
    server.get("/orders/totals").json()
}

/// Numbers of handled orders in the order in which they were handled, by customer.
fn booked(totals: &Value) -> BTreeMap<String, Vec<i64>> {
    let mut booked: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for row in totals["handled"].as_array().unwrap().iter().filter(|row| row["by"] == "book") {
        let customer = row["customer"].as_str().unwrap().to_owned();
        booked.entry(customer).or_default().push(row["number"].as_i64().unwrap());
    }
    booked
}

fn count(totals: &Value) -> usize {
    booked(totals).values().map(Vec::len).sum()
}

#[test]
fn events_of_one_key_stay_in_order_and_happen_once_while_their_module_is_reloaded() {
    let server = TestServer::start(ServerOptions {
        modules: &["orders_module"],
        ..ServerOptions::default()
    });
    let reloads = thread::scope(|scope| {
        let placing = scope.spawn(|| {
            for number in 0..ORDERS {
                let customer = CUSTOMERS[usize::try_from(number).unwrap() % CUSTOMERS.len()];
                // Every seventh fails at its first try, and holds its key up.
                let kind = if number % 7 == 0 { "once" } else { "slow" };
                let path = format!("/orders/orders/{kind}/{customer}/{number}");
                let answer = server.send("POST", &path, &[], &[]);
                assert_eq!(answer.status, 200, "{path}: {}", answer.body);
            }
        });
        let mut reloads = 0;
        while !placing.is_finished() || (count(&totals(&server)) as i64) < ORDERS / 2 {
            let ran = server.wharf(&["modules", "reload", "orders"]);
            assert_eq!(ran.code, 0, "{ran:?}");
            reloads += 1;
        }
        reloads
    });
    let mut last = Value::Null;
    let all = until(Duration::from_secs(120), || {
        last = totals(&server);
        (count(&last) as i64 >= ORDERS).then_some(())
    });
    assert!(all.is_some(), "after {reloads} reloads: {last}");
    assert!(reloads >= 2, "{reloads} reloads are no test of them");
    for (place, customer) in CUSTOMERS.iter().enumerate() {
        let expected: Vec<i64> = (0..ORDERS).skip(place).step_by(CUSTOMERS.len()).collect();
        assert_eq!(booked(&last)[*customer], expected, "{customer}, after {reloads} reloads");
    }
    assert!(
        server.module("orders")["generation"].as_u64().unwrap() > reloads,
        "{}",
        server.module("orders")
    );
}

#[test]
fn a_subscription_to_what_many_modules_publish_is_shown_once() {
    let server = people::host(&["desk_module"], "", &[]);
    let ran = server.wharf(&["events", "subscriptions", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let rows: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    let records: Vec<&Value> = rows.iter().filter(|row| row["module"] == "audit").collect();
    assert_eq!(records.len(), 1, "{rows:#?}");
    assert_eq!(records[0]["event_type"], "wharf.audit.recorded.v1");
}

#[test]
fn a_replay_of_what_many_modules_publish_has_the_events_of_each_of_them() {
    let server = people::host(&["desk_module"], "", &[]);
    people::person(&server, "default", "ada", &["admin@*"]);
    // All of these record what was done, and each keeps it with itself.
    let recorded = until(Duration::from_secs(60), || {
        let records = records(&server);
        let by: BTreeSet<&str> = records.iter().filter_map(|record| record["entry"]["recorder"].as_str()).collect();
        ["identity", "authz", "auth"]
            .iter()
            .all(|module| by.contains(module))
            .then_some(records)
    });
    let recorded = recorded.unwrap_or_else(|| panic!("{:#?}", records(&server)));
    let ran = server.wharf(&["events", "replay", "audit", "record", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let progress: Value = serde_json::from_str(&ran.out).unwrap();
    // What the host itself does it tells the record without an event.
    let by_modules = recorded.iter().filter(|record| record["entry"]["recorder"] != "host").count();
    assert!(
        progress["delivered"].as_u64().unwrap() >= by_modules as u64,
        "{progress}, {recorded:#?}"
    );
    let handled = until(Duration::from_secs(60), || {
        (server.wharf(&["events", "list", "--json"]).out.trim() == "[]").then_some(())
    });
    assert!(handled.is_some(), "{:?}", server.wharf(&["events", "list"]));
    // The record takes each once, however often it comes.
    let after = records(&server);
    let ids: BTreeSet<&str> = after.iter().filter_map(|record| record["entry"]["id"].as_str()).collect();
    assert!(ids.len() == after.len() && after.len() >= recorded.len(), "{after:#?}");
}

fn records(server: &TestServer) -> Vec<Value> {
    let ran = server.wharf(&["audit", "list", "--limit", "500", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let listed: Value = serde_json::from_str(&ran.out).unwrap();
    listed["entries"]
        .as_array()
        .or_else(|| listed.as_array())
        .unwrap_or_else(|| panic!("{listed}"))
        .clone()
}

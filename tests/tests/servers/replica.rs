//! A PostgreSQL with a hot standby that streams: what asks for a replica reads there, and nothing else needs it.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use wharf_tests::backends::{Backend, Postgres, Standby};
use wharf_tests::people::{self, Person};
use wharf_tests::shared::{master_key, stays};
use wharf_tests::{TestServer, scratch, until};

const SOON: Duration = Duration::from_secs(60);
const TOTALS: &str = "/analytics/totals?metric=custom.jobs.done";

#[test]
fn reports_are_read_from_a_streaming_standby_and_nothing_else_needs_it() {
    let primary = Backend::start(Postgres);
    let mut standby = Backend::start(Standby::of(&primary));
    let (of_primary, of_standby) = (
        primary.variable("WHARF_TEST_POSTGRES_URL"),
        standby.variable("WHARF_TEST_POSTGRES_REPLICA_URL"),
    );
    assert_eq!(psql(&of_standby, "SELECT pg_is_in_recovery()"), "t");
    // It has not heard of the role and the tables of a module that starts for the first time.
    hold(&of_standby);
    let folder = scratch("key");
    let key = master_key(&folder);
    let environment = [
        ("WHARF_MASTER_KEY_FILE", key.to_str().unwrap()),
        ("WHARF_DATABASE__URL", of_primary.as_str()),
        ("WHARF_DATABASE__MODULES__REPLICA_URL", of_standby.as_str()),
    ];
    let server = people::host(&["analytics"], "", &environment);
    let ada = people::person(&server, "default", "ada", &["admin@*"]);
    record(&server, &ada, 10);
    let early = ada.get(&server, TOTALS);
    assert_eq!(early.status, 503, "{}", early.body);
    go_on(&of_standby);
    wait_for(&server, &ada, 10);
    let sessions = "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'wharf:analytics'";
    assert_eq!(psql(&of_standby, sessions), "t", "the module reads somewhere else");

    // What it has not replayed is not in a report, and what is written meanwhile is not lost.
    hold(&of_standby);
    record(&server, &ada, 5);
    assert!(stays(|| total(&server, &ada) == Ok(10)), "a report came from the primary");
    go_on(&of_standby);
    wait_for(&server, &ada, 15);
    let export = ada.get(&server, "/analytics/export.csv?metric=custom.jobs.done&grain=day");
    assert_eq!((export.status, export.body.lines().count()), (200, 2), "{}", export.body);

    standby.kill();
    let away = until(SOON, || total(&server, &ada).err());
    assert_eq!(away, Some(503));
    record(&server, &ada, 5);
    for command in [
        &["db", "status"][..],
        &["events", "list"],
        &["events", "subscriptions"],
        &["jobs", "list"],
        &["jobs", "history"],
    ] {
        let ran = server.wharf(command);
        assert_eq!(ran.code, 0, "wharf {command:?}: {ran:?}");
    }
    let ready = wharf_tests::send(server.management(), "GET", "/readyz", &[], &[]).unwrap();
    assert_eq!(ready.status, 200, "{}", ready.body);
    // The operator is told which server it is.
    server.process().wait_for_output("the read replica", SOON);

    standby.restart();
    wait_for(&server, &ada, 20);
}

/// Lets the standby receive what the primary does and show none of it.
fn hold(standby: &str) {
    psql(standby, "SELECT pg_wal_replay_pause()");
    let held = until(SOON, || {
        (psql(standby, "SELECT pg_get_wal_replay_pause_state()") == "paused").then_some(())
    });
    assert!(held.is_some(), "the standby does not pause");
}

fn go_on(standby: &str) {
    psql(standby, "SELECT pg_wal_replay_resume()");
}

fn psql(url: &str, statement: &str) -> String {
    let ran = Command::new("psql").args([url, "-At", "-c", statement]).output().unwrap();
    let (said, failed) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{statement}: {failed}");
    said.trim().to_owned()
}

fn record(server: &TestServer, ada: &Person, expected: usize) {
    let event = json!({ "metric": "custom.jobs.done" });
    let batch = json!({ "events": vec![event; expected] });
    let json = [("content-type", "application/json")];
    let answer = ada.send(server, "POST", "/analytics/events/batch", &json, batch.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}\nwharf printed:\n{}", answer.body, server.process().output());
    assert_eq!(answer.json()["recorded"], expected, "{}", answer.body);
}

/// What a report says, or the status of the answer.
fn total(server: &TestServer, ada: &Person) -> Result<i64, u16> {
    let answer = ada.get(server, TOTALS);
    let count = |answer: Value| answer["count"].as_i64().expect("a count");
    if answer.status == 200 {
        Ok(count(answer.json()))
    } else {
        Err(answer.status)
    }
}

fn wait_for(server: &TestServer, ada: &Person, expected: i64) {
    let mut last = Err(0);
    let seen = until(SOON, || {
        last = total(server, ada);
        (last == Ok(expected)).then_some(())
    });
    assert!(
        seen.is_some(),
        "expected {expected}, found {last:?}; wharf printed:\n{}",
        server.process().output()
    );
}

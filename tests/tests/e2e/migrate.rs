//! `wharf migrate` without a running host: on the files that it left, and what a new build would do to them.

use std::time::Duration;

use serde_json::Value;
use wharf_tests::{Ran, ServerOptions, TestServer, library};

use super::stage::LIMIT;

/// As the server is told in its environment, for commands beside it.
const CONFIG: &str = "[plugins]\nauto_enable = true\n[plugins.trust]\nmode = \"any\"\n[security]\ncore_modules = []\n";

fn rows(ran: &Ran) -> Vec<Value> {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

fn states(rows: &[Value]) -> Vec<(&str, &str)> {
    rows.iter()
        .map(|row| (row["name"].as_str().unwrap(), row["state"].as_str().unwrap()))
        .collect()
}

fn stopped_with_version_1() -> TestServer {
    let mut server = TestServer::start(ServerOptions {
        modules: &["ledger_module"],
        config: CONFIG,
        ..ServerOptions::default()
    });
    assert_eq!(server.send("POST", "/ledger/entries/x", &[], &[]).status, 200);
    let running = server.wharf(&["migrate", "status", "--json"]);
    server.terminate(LIMIT);
    let stopped = server.wharf(&["migrate", "status", "--json"]);
    assert_eq!((running.code, stopped.code), (0, 0), "{running:?} {stopped:?}");
    assert_eq!(rows(&running), rows(&stopped), "what ran is the same, whoever is asked");
    server
}

#[test]
fn what_ran_and_what_would_run_are_told_without_a_host() {
    let server = stopped_with_version_1();
    let due = server.wharf(&["migrate", "plan", "--json"]);
    assert_eq!((due.code, rows(&due).len()), (0, 0), "{due:?}");

    server.install_as(&library("ledger_next_module"), "libledger_module.so");
    let due = server.wharf(&["migrate", "plan", "--json"]);
    assert_eq!(due.code, 0, "{due:?}");
    let due = rows(&due);
    assert_eq!(states(&due), [("0002_color", "pending"), ("0003_one_table", "pending")]);
    assert!(due[0]["statements"][0].as_str().unwrap().contains("ADD COLUMN color"), "{due:?}");
    let told = server.wharf(&["migrate", "plan"]);
    assert!(
        told.out.contains("ALTER TABLE entry") && told.err.contains("not started"),
        "{told:?}"
    );

    let after = server.wharf(&["migrate", "status", "--json"]);
    assert_eq!(states(&rows(&after)), [("0001_entries", "applied")], "a plan changes nothing");
    let other = server.wharf(&["migrate", "status", "nobody", "--json"]);
    assert_eq!((other.code, rows(&other).len()), (0, 0), "{other:?}");
}

#[test]
fn a_build_that_cannot_be_asked_is_a_finding_and_up_wants_a_host() {
    let server = stopped_with_version_1();
    server.configure(&format!("{CONFIG}[modules.ledger]\nnonsense = true\n"));
    let due = server.wharf(&["migrate", "plan"]);
    assert_eq!(due.code, 3, "{due:?}");
    assert!(
        due.err.contains("nonsense") && due.err.contains("not all builds could be asked"),
        "{due:?}"
    );
    assert_eq!(server.wharf(&["migrate", "up"]).code, 4);
}

#[test]
fn a_place_where_no_host_ever_was_has_no_migrations() {
    let mut server = TestServer::start(ServerOptions::default());
    server.terminate(Duration::from_secs(30));
    let status = server.wharf(&["migrate", "status"]);
    assert_eq!((status.code, status.out.trim()), (0, "no migrations"), "{status:?}");
}

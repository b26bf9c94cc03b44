//! `wharf migrate` without a running host, on schemas in PostgreSQL.

use std::time::Duration;

use serde_json::Value;
use wharf_tests::backends::{Backend, Postgres};
use wharf_tests::{ServerOptions, TestServer, library};

fn names(server: &TestServer, command: &str) -> Vec<(String, String)> {
    let ran = server.wharf(&["migrate", command, "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let rows: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rows.iter().map(|row| (text(&row["name"]), text(&row["state"]))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|(name, state)| ((*name).to_owned(), (*state).to_owned()))
        .collect()
}

#[test]
fn what_ran_and_what_would_run_on_postgres_are_told_without_a_host() {
    let postgres = Backend::start(Postgres);
    let url = postgres.variable("WHARF_TEST_POSTGRES_URL");
    let config = format!(
        "[database]\nurl = \"{url}\"\n[plugins]\nauto_enable = true\n[plugins.trust]\nmode = \"any\"\n[security]\ncore_modules = []\n"
    );
    let mut server = TestServer::start(ServerOptions {
        modules: &["ledger_module"],
        config: &config,
        ..ServerOptions::default()
    });
    server.terminate(Duration::from_secs(30));
    assert_eq!(names(&server, "status"), pairs(&[("0001_entries", "applied")]));
    assert!(names(&server, "plan").is_empty());
    server.install_as(&library("ledger_next_module"), "libledger_module.so");
    assert_eq!(
        names(&server, "plan"),
        pairs(&[("0002_color", "pending"), ("0003_one_table", "pending")])
    );
    assert_eq!(
        names(&server, "status"),
        pairs(&[("0001_entries", "applied")]),
        "a plan changes nothing"
    );
}

//! One version after the other, on the same tables.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use http::Request;
use serde_json::json;
use wharf_host::domain::migration::MigrationRow;
use wharf_host::modules::control::Control as _;
use wharf_testing::{Body, TestHost};

fn library(name: &str) -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let file = format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let path = program.parent().unwrap().join(file);
    assert!(path.is_file(), "{} is not there: cargo builds it with this test", path.display());
    path
}

async fn version_1(ill: bool) -> TestHost {
    let host = TestHost::builder()
        .library(library("ledger_module"))
        .config("ledger", json!({ "ill": ill }))
        .start()
        .await;
    assert_eq!(add(&host).await, "added by version 1");
    host
}

/// Puts the file of a build in the place of the one that runs.
fn replace(host: &TestHost, name: &str) {
    let folder = host.host().config().plugins_dir();
    let there = fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path());
    let target = there
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == std::env::consts::DLL_EXTENSION))
        .unwrap();
    let partial = folder.join(".partial");
    fs::copy(library(name), &partial).unwrap();
    fs::set_permissions(&partial, fs::Permissions::from_mode(0o700)).unwrap();
    fs::rename(partial, target).unwrap();
}

async fn add(host: &TestHost) -> String {
    let request = Request::builder().method("POST").uri("/ledger/entries/x").body(Body::empty());
    host.request(request.unwrap()).await.text()
}

async fn states(host: &TestHost) -> Vec<(String, String)> {
    let rows: Vec<MigrationRow> = host.host().migrations().await.unwrap();
    rows.into_iter().map(|row| (row.name, row.state)).collect()
}

fn of(states: &[(&str, &str)]) -> Vec<(String, String)> {
    states
        .iter()
        .map(|(name, state)| ((*name).to_owned(), (*state).to_owned()))
        .collect()
}

async fn until(host: &TestHost, wanted: &[(&str, &str)]) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while states(host).await != of(wanted) {
        assert!(Instant::now() < deadline, "found {:?}, expected {wanted:?}", states(host).await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_new_version_adds_first_and_takes_away_when_the_old_one_has_ended() {
    let host = version_1(false).await;
    assert_eq!(states(&host).await, of(&[("0001_entries", "applied")]));
    replace(&host, "ledger_next_module");
    host.host().reload("ledger").await.unwrap();
    assert_eq!(add(&host).await, "added by version 2");
    until(
        &host,
        &[
            ("0001_entries", "applied"),
            ("0002_color", "applied"),
            ("0003_one_table", "applied"),
        ],
    )
    .await;
    assert_eq!(host.stop().await, [""; 0]);
}

#[tokio::test]
async fn a_version_whose_health_fails_after_its_migration_leaves_the_old_one_serving_writes_included() {
    let host = version_1(true).await;
    replace(&host, "ledger_next_module");
    let refused = host.host().reload("ledger").await.unwrap_err();
    assert!(
        refused.findings.iter().any(|finding| finding.code == "run.unhealthy"),
        "{refused:?}"
    );
    assert_eq!(host.status("ledger").version, "1.0.0");
    // It ran, and what would have taken something away did not.
    assert_eq!(states(&host).await, of(&[("0001_entries", "applied"), ("0002_color", "unknown")]));
    for _ in 0..10 {
        assert_eq!(add(&host).await, "added by version 1");
    }
}

#[tokio::test]
async fn an_old_version_does_not_come_back_to_tables_it_does_not_know() {
    let host = version_1(false).await;
    replace(&host, "ledger_next_module");
    host.host().reload("ledger").await.unwrap();
    replace(&host, "ledger_module");
    let refused = host.host().reload("ledger").await.unwrap_err();
    let finding = refused
        .findings
        .iter()
        .find(|finding| finding.code == "run.migration-refused")
        .unwrap();
    assert!(
        finding.what.contains("0002_color") && finding.what.contains("2.0.0"),
        "{}",
        finding.what
    );
    assert_eq!(add(&host).await, "added by version 2");
}

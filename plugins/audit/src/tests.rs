//! The module in a host: what is recorded is sealed, seen by whom it is for, and tampering shows.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use sea_orm::ConnectionTrait;
use tonic::Code;
use wharf_proto::audit::v1 as pb;
use wharf_proto::audit::v1::audit_client::AuditClient;
use wharf_proto::audit::v1::records_client::RecordsClient;
use wharf_sdk::axum::extract::State;
use wharf_sdk::{Problem, Routes, post};
use wharf_testing::{Body, Channel, TestHost};

use crate::Audit;

/// Holds everything in every tenant.
pub(crate) const ROOT: &str = "user:root";
const LIMIT: Duration = Duration::from_secs(20);

/// What an attacker with the database could do.
pub(crate) fn routes(routes: Routes<Audit>) -> Routes<Audit> {
    routes.route("/sql", post(sql)).public().route("/forget", post(forget)).public()
}

async fn sql(State(audit): State<Arc<Audit>>, statement: String) -> Result<(), Problem> {
    audit.db.execute_unprepared(&statement).await?;
    Ok(())
}

/// What the job `retention` does, so many days from now.
async fn forget(State(audit): State<Arc<Audit>>, days: String) -> Result<String, Problem> {
    let days: i64 = days.parse().unwrap();
    let now = jiff::Timestamp::now().as_microsecond() + days * 86_400 * 1_000_000;
    let removed = audit.forget_old(now).await.map_err(|error| Problem::not_found(error.to_string()))?;
    Ok(removed.to_string())
}

fn builder() -> wharf_testing::Builder {
    TestHost::builder()
        .module(crate::root())
        .config(
            "audit",
            serde_json::json!({ "seal_every_ms": 20, "checkpoint_entries": 5, "checkpoint_seconds": 3600 }),
        )
        .secret("audit", "module-key", [7; 32])
        .allow("user:*", "audit.*")
}

fn records(host: &TestHost) -> RecordsClient<Channel> {
    RecordsClient::new(host.as_user("root").grpc())
}

fn entry(tenant: &str, object: &str) -> pb::Entry {
    pb::Entry {
        id: uuid::Uuid::now_v7().to_string(),
        tenant: tenant.to_owned(),
        actor: "user:ada".to_owned(),
        action: "blog.post.publish".to_owned(),
        object: object.to_owned(),
        outcome: pb::Outcome::Success.into(),
        ..pb::Entry::default()
    }
}

async fn append(host: &TestHost, entries: Vec<pb::Entry>) {
    let mut audit = AuditClient::new(host.as_user("root").grpc());
    audit.append(pb::AppendRequest { entries }).await.unwrap();
}

async fn list(host: &TestHost) -> Vec<pb::SealedEntry> {
    let all = pb::ListEntriesRequest {
        tenant: "*".to_owned(),
        page_size: 500,
        ..pb::ListEntriesRequest::default()
    };
    records(host).list(all).await.unwrap().into_inner().entries
}

/// Waits until so many are sealed; newest first.
async fn sealed(host: &TestHost, count: usize) -> Vec<pb::SealedEntry> {
    let until = Instant::now() + LIMIT;
    loop {
        let entries = list(host).await;
        if entries.len() >= count {
            return entries;
        }
        assert!(
            Instant::now() < until,
            "{} of {count} entries are sealed after {LIMIT:?}",
            entries.len()
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn with_entries(count: usize) -> TestHost {
    let host = builder().start().await;
    append(&host, (0..count).map(|n| entry("default", &format!("post:{n}"))).collect()).await;
    sealed(&host, count).await;
    host
}

async fn verify(host: &TestHost, checkpoints: Vec<pb::Checkpoint>) -> Vec<pb::ChainReport> {
    let asked = pb::VerifyRequest {
        checkpoints,
        ..pb::VerifyRequest::default()
    };
    records(host).verify(asked).await.unwrap().into_inner().chains
}

async fn finding(host: &TestHost, checkpoints: Vec<pb::Checkpoint>) -> Option<(String, u64)> {
    let chains = verify(host, checkpoints).await;
    chains
        .into_iter()
        .find_map(|chain| chain.finding)
        .map(|found| (found.kind, found.seq))
}

async fn run(host: &TestHost, statement: &str) {
    let request = wharf_sdk::http::Request::post("/audit/sql")
        .body(Body::full(statement.to_owned()))
        .unwrap();
    let answer = host.request(request).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

async fn checkpoints(host: &TestHost) -> Vec<pb::Checkpoint> {
    let until = Instant::now() + LIMIT;
    loop {
        let found = records(host).list_checkpoints(pb::ListCheckpointsRequest::default()).await.unwrap();
        let found = found.into_inner().checkpoints;
        if !found.is_empty() {
            return found;
        }
        assert!(Instant::now() < until, "no checkpoint after {LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_appended_is_sealed_in_its_order_and_once() {
    let host = builder().start().await;
    let first = entry("default", "post:1");
    append(&host, vec![first.clone(), entry("default", "post:2")]).await;
    append(&host, vec![first, entry("default", "post:3")]).await;
    let mut entries = sealed(&host, 3).await;
    entries.sort_by_key(|entry| entry.seq);
    let objects: Vec<_> = entries
        .iter()
        .map(|sealed| sealed.entry.as_ref().unwrap().object.as_str())
        .collect();
    assert_eq!(objects, ["post:1", "post:2", "post:3"]);
    let chains = verify(&host, Vec::new()).await;
    assert_eq!((chains.len(), chains[0].good, chains[0].finding.clone()), (1, 3, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn records_of_modules_arrive_as_events() {
    let host = with_entries(1).await;
    let export = pb::ExportRequest {
        tenant: "*".to_owned(),
        ..pb::ExportRequest::default()
    };
    let mut lines = records(&host).export(export).await.unwrap().into_inner();
    let header: serde_json::Value = serde_json::from_str(&lines.message().await.unwrap().unwrap().json).unwrap();
    assert_eq!(
        (header["format"].as_str(), header["whole"].as_bool()),
        (Some("wharf-audit-1"), Some(true))
    );
    let entries = sealed(&host, 2).await;
    let said = entries[0].entry.as_ref().unwrap();
    assert_eq!(
        (said.action.as_str(), said.actor.as_str(), said.recorder.as_str()),
        ("audit.entry.export", ROOT, "audit")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_way_to_tamper_is_found_and_located() {
    let body = "'{\"id\":\"x\"}'";
    for (statement, kind, seq) in [
        (format!("UPDATE entry SET body = {body} WHERE seq = 4"), "changed", 4),
        ("UPDATE entry SET actor = 'user:eve' WHERE seq = 3".to_owned(), "changed", 3),
        ("DELETE FROM entry WHERE seq = 2".to_owned(), "deleted", 2),
        ("DELETE FROM entry WHERE seq > 5".to_owned(), "cut", 6),
        (
            "INSERT INTO entry SELECT chain, 8, prev, hash, body, 'other', at, tenant, actor, action, object, outcome FROM entry WHERE seq = 7".to_owned(),
            "inserted",
            8,
        ),
    ] {
        let host = with_entries(7).await;
        assert_eq!(finding(&host, Vec::new()).await, None);
        run(&host, &statement).await;
        assert_eq!(finding(&host, Vec::new()).await, Some((kind.to_owned(), seq)), "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_tail_cut_with_its_traces_shows_against_a_checkpoint_that_was_kept() {
    let host = with_entries(7).await;
    let kept = checkpoints(&host).await;
    let covered = kept[0].seq;
    run(&host, "DELETE FROM entry WHERE seq > 3").await;
    run(&host, "DELETE FROM checkpoint").await;
    run(
        &host,
        "UPDATE chain SET seq = 3, checkpoint_seq = 3, hash = (SELECT hash FROM entry WHERE seq = 3)",
    )
    .await;
    assert_eq!(finding(&host, Vec::new()).await, None, "the database alone cannot tell");
    assert_eq!(finding(&host, kept).await, Some(("cut".to_owned(), 4)), "covered {covered}");
}

async fn forget_in(host: &TestHost, days: u32) -> u64 {
    let request = wharf_sdk::http::Request::post("/audit/forget")
        .body(Body::full(days.to_string()))
        .unwrap();
    let answer = host.request(request).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn entries_go_when_their_time_is_over_and_what_is_left_is_whole_and_proven() {
    let config = serde_json::json!({ "seal_every_ms": 20, "checkpoint_entries": 5, "checkpoint_seconds": 3600, "retention_days": 30 });
    let host = builder().config("audit", config).start().await;
    append(&host, (0..7).map(|n| entry("default", &format!("post:{n}"))).collect()).await;
    sealed(&host, 7).await;
    let kept = checkpoints(&host).await;
    let proven = kept[0].seq;
    host.run_job("audit", "retention").await;
    assert_eq!((forget_in(&host, 29).await, list(&host).await.len()), (0, 7), "they are young");

    assert_eq!(forget_in(&host, 31).await, proven, "all that a signed checkpoint covers");
    let left = list(&host).await;
    assert_eq!(left.len() as u64, 7 - proven);
    assert!(left.iter().all(|entry| entry.seq > proven), "{left:?}");
    append(&host, vec![entry("default", "post:after")]).await;
    sealed(&host, left.len() + 1).await;
    let chains = verify(&host, kept.clone()).await;
    assert_eq!(
        (chains[0].first_seq, chains[0].last_seq, chains[0].finding.clone()),
        (proven + 1, 8, None),
        "{chains:?}"
    );
    assert_eq!(forget_in(&host, 31).await, 0, "nothing is proven that is still there");
    // Without the checkpoint nothing says that what is gone was there.
    run(&host, "DELETE FROM checkpoint").await;
    assert_eq!(finding(&host, Vec::new()).await, Some(("deleted".to_owned(), 1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_a_retention_nothing_ever_goes() {
    let host = with_entries(7).await;
    checkpoints(&host).await;
    assert_eq!((forget_in(&host, 100_000).await, list(&host).await.len()), (0, 7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_tenant_sees_its_own_entries_and_no_chains() {
    let host = builder().start().await;
    append(
        &host,
        vec![entry("acme", "post:1"), entry("other", "post:2"), entry("other", "post:3")],
    )
    .await;
    sealed(&host, 3).await;
    let mut acme = RecordsClient::new(host.as_user("ada").of_tenant("acme").grpc());
    let entries = acme.list(pb::ListEntriesRequest::default()).await.unwrap().into_inner().entries;
    let objects: Vec<_> = entries
        .iter()
        .map(|sealed| sealed.entry.as_ref().unwrap().object.as_str())
        .collect();
    assert_eq!(objects, ["post:1"]);
    for tenant in ["other", "*"] {
        let asked = pb::ListEntriesRequest {
            tenant: tenant.to_owned(),
            ..pb::ListEntriesRequest::default()
        };
        // There is no authz in this host, so nobody says that they may.
        assert!(acme.list(asked).await.is_err(), "{tenant}");
    }
    assert!(acme.verify(pb::VerifyRequest::default()).await.is_err());
    let page = acme.export_page(pb::ExportPageRequest::default()).await.unwrap().into_inner();
    let text = page.lines.join("\n");
    assert!(
        text.contains("post:1") && !text.contains("post:2") && text.contains("\"whole\":false"),
        "{text}"
    );
    let mut nobody = RecordsClient::new(host.grpc());
    let refused = nobody.list(pb::ListEntriesRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_seal_each_record_once_and_one_goes_on_where_another_was_killed() {
    let first = builder().start().await;
    let second = builder().beside(&first, "second").start().await;
    for round in 0..10 {
        append(&first, vec![entry("default", &format!("a:{round}"))]).await;
        append(&second, vec![entry("default", &format!("b:{round}"))]).await;
    }
    sealed(&first, 20).await;
    append(&first, (0..50).map(|n| entry("default", &format!("c:{n}"))).collect()).await;
    // Without a stop, as when it is killed: what was not sealed yet is sealed by the other one.
    drop(first);
    let entries = sealed(&second, 70).await;
    assert_eq!(entries.len(), 70);
    let chains = verify(&second, Vec::new()).await;
    assert_eq!(chains.iter().map(|chain| chain.good).sum::<u64>(), 70);
    assert!(chains.iter().all(|chain| chain.finding.is_none()), "{chains:?}");
}

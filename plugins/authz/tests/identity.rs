//! What the module makes of what `identity` says: who is in a group, and who is gone.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wharf_testing::TestHost;

async fn host() -> TestHost {
    TestHost::builder()
        .module(wharf_authz::root())
        .module(identity_stub::root())
        .start()
        .await
}

async fn call(host: &TestHost, method: &str, message: Value) -> Value {
    match host.call(&format!("/wharf.authz.v1.{method}"), &message).await {
        Ok(answer) => answer,
        Err(failed) => panic!("{method} {message}: {failed}"),
    }
}

/// Says something as `identity`, and waits until it was heard.
async fn say(host: &TestHost, path: &str, what: Value) {
    let answer = host.post(&format!("/identity/{path}"), &what).await;
    assert_eq!(answer.status, 204, "{}", answer.text());
    host.settle_events().await;
}

async fn member(host: &TestHost, tenant: &str, present: bool) {
    say(
        host,
        "membership",
        json!({ "group": "press", "member": "user:ada", "tenant": tenant, "present": present }),
    )
    .await;
}

async fn may(host: &TestHost, subject: &str, tenant: &str) -> bool {
    let asked = json!({ "subject": subject, "tenant": tenant, "permission": "blog.post.write" });
    call(host, "Decisions/Check", asked).await["allowed"] == true
}

/// Waits until it is so: rules follow their database within a second.
async fn soon(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(1);
    while !is_so().await {
        assert!(Instant::now() < until, "not within a second: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn bindings(host: &TestHost, member: &str) -> Vec<Value> {
    let found = call(host, "Bindings/List", json!({ "member": member })).await;
    found["bindings"].as_array().cloned().unwrap_or_default()
}

async fn press_writes(host: &TestHost) {
    let rule = json!({ "rule": { "subject": "group:press", "tenant": "default", "permission": "blog.post.*" } });
    call(host, "Roles/AddRule", rule).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_in_a_group_holds_what_it_holds_and_no_longer() {
    let host = host().await;
    press_writes(&host).await;
    assert!(!may(&host, "user:ada", "default").await);
    member(&host, "default", true).await;
    soon("she writes", async || may(&host, "user:ada", "default").await).await;
    assert!(!may(&host, "user:bob", "default").await && !may(&host, "user:ada", "other").await);
    // Said twice it is one binding, and gone when it is said once that it is.
    member(&host, "default", true).await;
    assert_eq!(bindings(&host, "user:ada").await.len(), 1);
    member(&host, "default", false).await;
    soon("she writes no more", async || !may(&host, "user:ada", "default").await).await;
    member(&host, "default", false).await;
    assert!(bindings(&host, "user:ada").await.is_empty());
    assert!(host.events().dead_letters().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_is_gone_holds_nothing_and_others_hold_what_they_held() {
    let host = host().await;
    press_writes(&host).await;
    member(&host, "default", true).await;
    soon("she is in the group", async || bindings(&host, "user:ada").await.len() == 1).await;
    let own = json!({ "rule": { "subject": "user:ada", "tenant": "default", "permission": "blog.post.write" } });
    call(&host, "Roles/AddRule", own).await;
    for who in ["user:ada", "user:adam", "service:ada"] {
        let binding = json!({ "binding": { "member": who, "role": "role:member", "tenant": "default" } });
        call(&host, "Bindings/Grant", binding).await;
    }
    let before = call(&host, "Roles/ListRules", json!({ "subject": "user:ada" })).await;
    assert_eq!(before["rules"].as_array().unwrap().len(), 1);
    // What is no end changes nothing.
    say(&host, "status", json!({ "id": "ada", "status": "suspended" })).await;
    assert_eq!(bindings(&host, "user:ada").await.len(), 2);
    say(&host, "delete", json!({ "id": "ada" })).await;
    soon("she holds nothing", async || bindings(&host, "user:ada").await.is_empty()).await;
    let rules = call(&host, "Roles/ListRules", json!({ "subject": "user:ada" })).await;
    assert!(rules["rules"].as_array().is_none_or(Vec::is_empty), "{rules}");
    assert!(!may(&host, "user:ada", "default").await);
    assert_eq!(
        (bindings(&host, "user:adam").await.len(), bindings(&host, "service:ada").await.len()),
        (1, 1)
    );
    let said: Vec<Value> = host.events().data("wharf.audit.recorded.v1").await;
    let forgotten = said.iter().filter(|entry| entry["action"] == "authz.account.forget").count();
    assert_eq!(forgotten, 3, "two bindings and a rule: {said:?}");
    assert!(host.events().dead_letters().await.is_empty());
}

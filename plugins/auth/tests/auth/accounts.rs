//! What becomes of sessions, tokens and keys when an account changes.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use crate::rig::{Rig, part};

const SECOND: Duration = Duration::from_secs(1);

async fn set_status(rig: &Rig, id: &str, status: &str) {
    let new = json!({ "id": id, "status": status });
    assert_eq!(rig.host.post("/identity/status", &new).await.status, StatusCode::NO_CONTENT);
    rig.host.settle_events().await;
}

async fn change_credentials(rig: &Rig, id: &str, session: Option<&str>) {
    let new = json!({ "id": id, "session": session });
    assert_eq!(rig.host.post("/identity/credentials", &new).await.status, StatusCode::NO_CONTENT);
}

/// A token of the service account, which has no session.
async fn token_of_robot(rig: &Rig) -> String {
    let robot = Some(("robot", "canary-secret-of-robot"));
    let answer = rig.form_as("/auth/v1/token", &[("grant_type", "client_credentials")], robot).await;
    answer.json::<Value>()["access_token"].as_str().unwrap().to_owned()
}

/// An API key of an account, and whether it counts.
async fn api_key(rig: &Rig, account: &str) -> String {
    let asked = json!({ "account": account, "key": { "name": "nightly" } });
    let made = rig.host.call("/wharf.auth.v1.ApiKeys/CreateFor", &asked).await.unwrap();
    made["key"].as_str().unwrap().to_owned()
}

async fn counts(rig: &Rig, key: &str) -> bool {
    let answer = rig.host.call("/wharf.auth.v1.Tokens/CheckApiKey", &json!({ "key": key })).await;
    match answer {
        Ok(_) => true,
        Err(failed) => {
            assert_eq!(failed.name, "not_found", "{failed}");
            false
        }
    }
}

#[tokio::test]
async fn a_changed_password_ends_sessions_of_before_on_every_node_but_the_one_it_was_changed_in() {
    let rig = Rig::start().await;
    let other = rig.beside(json!({}), "other").await;
    let (here, there, bob) = (rig.tokens("ada").await, rig.tokens("ada").await, rig.tokens("bob").await);
    let session = part(&here.access, 1)["sid"].as_str().unwrap().to_owned();
    change_credentials(&rig, "ada", Some(&session)).await;
    // Without a pause: whoever logs in with the new password is not taken for one of before.
    let after = rig.tokens("ada").await;
    rig.host.settle_events().await;
    for node in [&rig, &other] {
        node.wait_until_dead(&there.access, SECOND).await;
        node.wait_until_dead(&there.refresh, SECOND).await;
        for token in [&here, &after, &bob] {
            assert!(node.is_active(&token.access).await && node.is_active(&token.refresh).await);
        }
    }
    assert_eq!(rig.refresh(&there.refresh).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(rig.refresh(&here.refresh).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_password_that_was_reset_ends_all_sessions() {
    let rig = Rig::start().await;
    let (one, two) = (rig.tokens("ada").await, rig.tokens("ada").await);
    change_credentials(&rig, "ada", None).await;
    rig.host.settle_events().await;
    for token in [&one.access, &two.access, &one.refresh, &two.refresh] {
        rig.wait_until_dead(token, SECOND).await;
    }
}

#[tokio::test]
async fn a_new_secret_of_a_service_account_ends_its_tokens_and_leaves_its_keys() {
    let rig = Rig::start().await;
    let (token, key) = (token_of_robot(&rig).await, api_key(&rig, "robot").await);
    change_credentials(&rig, "robot", None).await;
    let after = token_of_robot(&rig).await;
    rig.host.settle_events().await;
    rig.wait_until_dead(&token, SECOND).await;
    assert!(rig.is_active(&after).await, "a token of the new secret was ended");
    assert!(counts(&rig, &key).await);
}

#[tokio::test]
async fn whoever_is_active_again_logs_in_at_once_and_has_the_keys_of_before() {
    let rig = Rig::start().await;
    let (ada, key) = (rig.tokens("ada").await, api_key(&rig, "ada").await);
    assert!(counts(&rig, &key).await);
    set_status(&rig, "ada", "suspended").await;
    rig.wait_until_dead(&ada.access, SECOND).await;
    assert!(!counts(&rig, &key).await);
    set_status(&rig, "ada", "active").await;
    // In the second of the revocation, as a rule.
    let again = rig.tokens("ada").await;
    assert!(rig.is_active(&again.access).await);
    assert!(
        !rig.is_active(&ada.access).await && !rig.is_active(&ada.refresh).await,
        "an older token lives"
    );
    assert!(counts(&rig, &key).await);
}

#[tokio::test]
async fn a_service_account_that_is_logged_out_gets_a_token_that_counts_at_once() {
    let rig = Rig::start().await;
    for round in 0..5 {
        let token = token_of_robot(&rig).await;
        let revoke = json!({ "subject": "service:robot" });
        rig.host.call("/wharf.auth.v1.Sessions/Revoke", &revoke).await.unwrap();
        assert!(!rig.is_active(&token).await, "round {round}");
        let next = loop {
            // Strictly later: a token of the very millisecond counts as before.
            let next = token_of_robot(&rig).await;
            if part(&next, 1)["iat_ms"].as_i64() > part(&token, 1)["iat_ms"].as_i64() {
                break next;
            }
        };
        tokio::time::timeout(SECOND, async {
            let mut next = next;
            while !rig.is_active(&next).await {
                next = token_of_robot(&rig).await;
            }
        })
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn keys_and_sessions_come_in_pages() {
    let rig = Rig::start().await;
    for _ in 0..5 {
        api_key(&rig, "robot").await;
        rig.tokens("ada").await;
    }
    for (method, field, asked) in [
        ("ApiKeys/List", "keys", json!({ "subject": "service:robot", "pageSize": 2 })),
        ("Sessions/List", "sessions", json!({ "subject": "user:ada", "pageSize": 2 })),
        ("Clients/List", "clients", json!({ "pageSize": 1 })),
    ] {
        let size = asked["pageSize"].as_u64().unwrap();
        let (mut asked, mut ids) = (asked, Vec::new());
        loop {
            let page = rig.host.call(&format!("/wharf.auth.v1.{method}"), &asked).await.unwrap();
            let rows = page[field].as_array().unwrap();
            assert!(rows.len() as u64 <= size, "{page}");
            ids.extend(rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
            match page["nextPageToken"].as_str() {
                Some(next) if !next.is_empty() => asked["pageToken"] = json!(next),
                _ => break,
            }
        }
        let expected = if field == "clients" { 2 } else { 5 };
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!((ids.len(), distinct.len()), (expected, expected), "{method}: {ids:?}");
    }
    let wrong = rig.host.call("/wharf.auth.v1.Sessions/List", &json!({ "pageToken": "?" })).await;
    assert_eq!(wrong.unwrap_err().name, "invalid_argument");
}

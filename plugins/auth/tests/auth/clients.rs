//! OAuth clients: registered, used, removed.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use crate::authorize::logged_in;
use crate::rig::{Rig, Tokens};

const SECOND: Duration = Duration::from_secs(1);
const HOME: &str = "https://app.example.org/callback";

async fn call(rig: &Rig, method: &str, message: Value) -> Result<Value, &'static str> {
    let answer = rig.host.call(&format!("/wharf.auth.v1.Clients/{method}"), &message).await;
    answer.map_err(|failed| failed.name)
}

async fn ids(rig: &Rig) -> Vec<String> {
    let listed = call(rig, "List", json!({})).await.unwrap();
    let clients = listed["clients"].as_array().unwrap();
    clients.iter().map(|client| client["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_public_client_is_registered_used_and_with_it_go_its_sessions() {
    let rig = Rig::start().await;
    let made = call(&rig, "Register", json!({ "name": "App", "redirectUris": [HOME] }))
        .await
        .unwrap();
    assert!(made.get("clientSecret").is_none_or(|secret| secret == ""), "{made}");
    let id = made["client"]["id"].as_str().unwrap().to_owned();
    assert_eq!(ids(&rig).await, ["wharf", "wharf-cli", id.as_str()]);

    let used = [("client_id", id.as_str()), ("redirect_uri", HOME)];
    let tokens = Tokens::of(&logged_in(&rig, &used, &used).await);
    let own = rig.tokens("ada").await;
    assert!(rig.is_active(&tokens.access).await);
    call(&rig, "Remove", json!({ "id": id })).await.unwrap();
    rig.wait_until_dead(&tokens.access, SECOND).await;
    rig.wait_until_dead(&tokens.refresh, SECOND).await;
    assert!(rig.is_active(&own.access).await, "a session of another client ended");
    assert_eq!(ids(&rig).await, ["wharf", "wharf-cli"]);
    let gone = rig.host.get(&format!("/auth/v1/authorize?client_id={id}&response_type=code")).await;
    assert!(gone.status.is_client_error(), "{}", gone.status);
}

#[tokio::test]
async fn a_confidential_client_shows_its_secret_and_is_shown_it_once() {
    let rig = Rig::start().await;
    let new = json!({ "name": "Backend", "confidential": true, "redirectUris": [HOME], "scopes": ["blog.*"] });
    let made = call(&rig, "Register", new).await.unwrap();
    let (id, secret) = (made["client"]["id"].as_str().unwrap(), made["clientSecret"].as_str().unwrap());
    assert!(secret.len() > 20, "{made}");
    let listed = call(&rig, "List", json!({})).await.unwrap();
    assert!(
        !listed.to_string().contains(secret) && listed.to_string().contains("blog.*"),
        "{listed}"
    );

    let asked = [("client_id", id), ("redirect_uri", HOME), ("scope", "blog.post.read")];
    let with = |secret| [("client_id", id), ("redirect_uri", HOME), ("client_secret", secret)];
    for wrong in ["wrong", ""] {
        let refused = logged_in(&rig, &asked, &with(wrong)).await;
        assert!(refused.status.is_client_error(), "{wrong:?}: {}", refused.text());
    }
    let answer = logged_in(&rig, &asked, &with(secret)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.json::<Value>()["scope"], "blog.post.read");
    let lines = rig.host.logs().lines().join("\n");
    assert!(!lines.contains(secret), "the secret is in the log");
}

#[tokio::test]
async fn clients_that_could_be_misused_are_refused_and_those_of_wharf_stay() {
    let rig = Rig::start().await;
    for (what, new) in [
        ("no address", json!({ "name": "App" })),
        (
            "no TLS",
            json!({ "name": "App", "redirectUris": ["http://app.example.org/callback"] }),
        ),
        (
            "a fragment",
            json!({ "name": "App", "redirectUris": ["https://app.example.org/#x"] }),
        ),
        ("no name", json!({ "name": " ", "redirectUris": [HOME] })),
        ("no glob", json!({ "name": "App", "redirectUris": [HOME], "scopes": ["No Scope"] })),
    ] {
        assert_eq!(call(&rig, "Register", new).await, Err("invalid_argument"), "{what}");
    }
    for built_in in ["wharf", "wharf-cli"] {
        assert_eq!(call(&rig, "Remove", json!({ "id": built_in })).await, Err("permission_denied"));
    }
    assert_eq!(call(&rig, "Remove", json!({ "id": "nothing" })).await, Err("not_found"));
    assert_eq!(ids(&rig).await.len(), 2);
}

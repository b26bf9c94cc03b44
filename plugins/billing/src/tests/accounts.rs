//! What `identity` says of accounts, and what becomes of their subscriptions.

use serde_json::json;

use super::{all_is_well, builder, customer, get, id, made, plan, root, subscribe};
use crate::text;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn subscriptions_of_a_suspended_account_pause_until_it_is_active_again() {
    let host = builder().module(identity_stub::root()).start().await;
    let root = root(&host);
    let pro = plan(&root, "pro").await;
    let today = text::today().to_string();
    let ada = subscribe(&root, &customer(&root, "ada").await, &pro, &today).await;
    let bob = subscribe(&root, &customer(&root, "bob").await, &pro, &today).await;
    let by_hand = subscribe(&root, &customer(&root, "eve").await, &pro, &today).await;
    made(&root, &format!("/subscriptions/{}/pause", id(&by_hand)), json!({})).await;

    let say = |account: &'static str, status: &'static str| {
        let host = &host;
        async move {
            let answer = host.post("/identity/status", &json!({ "id": account, "status": status })).await;
            assert_eq!(answer.status, 204, "{}", answer.text());
            host.settle_events().await;
        }
    };
    let status = |subscription: &serde_json::Value| {
        let path = format!("/subscriptions/{}", id(subscription));
        let root = &root;
        async move { get(root, &path).await["status"].as_str().unwrap().to_owned() }
    };
    say("ada", "suspended").await;
    assert_eq!([status(&ada).await, status(&bob).await], ["paused", "active"]);
    say("ada", "suspended").await;
    say("ada", "active").await;
    assert_eq!(status(&ada).await, "active");
    // What somebody paused by hand does not go on because of the account.
    say("eve", "active").await;
    assert_eq!(status(&by_hand).await, "paused");
    all_is_well(&host).await;
}

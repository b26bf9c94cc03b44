//! What posts said before.

use axum::http::Method;
use serde_json::{Value, json};

use super::{builder, draft, host, published, put, request, titled};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_save_is_kept_and_can_be_brought_back() {
    let host = host().await;
    let ada = host.as_user("ada");
    let first = published(&ada, &json!({ "title": "First", "body": "one", "tags": ["a"] })).await;
    let path = format!("/blog/drafts/{}", first["id"].as_str().unwrap());
    let second: Value = put(&ada, &first, &json!({ "title": "Second", "body": "two" })).await.json();
    assert_eq!(second["version"], 3);
    let list: Value = ada.get(&format!("{path}/revisions")).await.json();
    let numbers: Vec<_> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["number"].clone())
        .collect();
    assert_eq!(numbers, [json!(3), json!(1)], "publishing says nothing new");
    let page: Value = ada.get(&format!("{path}/revisions?page_size=1&page_token=3")).await.json();
    assert_eq!((&page["items"][0]["number"], &page["next_page_token"]), (&json!(1), &json!("")));
    let old: Value = ada.get(&format!("{path}/revisions/1")).await.json();
    assert_eq!(
        (&old["title"], &old["body"], &old["tags"]),
        (&json!("First"), &json!("one"), &json!(["a"]))
    );
    assert_eq!(ada.get(&format!("{path}/revisions/2")).await.status, 404);
    assert_eq!(ada.get(&format!("{path}/revisions?page_token=x")).await.status, 422);

    let restore = request(Method::POST, &format!("{path}/revisions/1/restore"), &[("if-match", "\"3\"")], None);
    let restored: Value = ada.request(restore).await.json();
    assert_eq!(
        (&restored["body"], &restored["slug"], &restored["version"]),
        (&json!("one"), &json!("first"), &json!(4))
    );
    assert_eq!(restored["tags"], json!(["a"]));
    let shown: Value = host.get("/blog/posts/first").await.json();
    assert_eq!(shown["body"], "one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_never_published_stays_with_those_who_write() {
    let host = host().await;
    let ada = host.as_user("ada");
    let post = published(&ada, &titled("Public")).await;
    let path = format!("/blog/drafts/{}/revisions", post["id"].as_str().unwrap());
    let status = async |user: &str| host.as_user(user).get(&path).await.status.as_u16();
    assert_eq!((status("ada").await, status("ed").await, status("bob").await), (200, 200, 404));
    assert_eq!(host.as_user("bob").get(&format!("{path}/1")).await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_oldest_revisions_are_deleted_at_night() {
    let host = builder().config("blog", json!({ "revisions": { "keep": 2 } })).start().await;
    let (ada, bob) = (host.as_user("ada"), host.as_user("bob"));
    let mut post = draft(&ada, &titled("Long story")).await;
    let other = draft(&bob, &titled("Short story")).await;
    for number in 0..4 {
        post = put(&ada, &post, &json!({ "title": "Long story", "body": format!("{number}") }))
            .await
            .json();
    }
    host.run_job("blog", "prune-revisions").await;
    let numbers = async |who: &wharf_testing::Caller<'_>, post: &Value| {
        let path = format!("/blog/drafts/{}/revisions", post["id"].as_str().unwrap());
        let list: Value = who.get(&path).await.json();
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["number"].as_i64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!((numbers(&ada, &post).await, numbers(&bob, &other).await), (vec![5, 4], vec![1]));
}

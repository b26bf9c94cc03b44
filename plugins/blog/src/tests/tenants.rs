//! Another tenant sees nothing: rows, lists, counts, search, images, cache.

use axum::http::{Method, Request};
use serde_json::{Value, json};
use wharf_testing::Body;

use super::{act, builder, draft, each, post_once, published, put, request, titled};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_see_nothing_of_each_other() {
    let host = builder()
        .config("blog", json!({ "comments": { "moderated": false } }))
        .start()
        .await;
    let (ours, theirs) = (host.as_user("ed"), host.as_user("ed").of_tenant("acme"));
    let text = json!({ "title": "Shared name", "body": "canary words", "tags": ["secret"] });
    let post = published(&ours, &text).await;
    let id = post["id"].as_str().unwrap();
    let comment: Value = post_once(&ours, "/blog/posts/shared-name/comments", &json!({ "body": "c" }))
        .await
        .json();
    let image = Request::builder()
        .method(Method::POST)
        .uri("/blog/images")
        .body(Body::full(&b"GIF89a................"[..]))
        .unwrap();
    let image: Value = ours.request(image).await.json();

    for list in [
        "/blog/posts",
        "/blog/drafts",
        "/blog/tags",
        "/blog/search?q=canary",
        "/blog/comments",
        "/blog/posts?tag=secret",
        "/blog/posts?author=user:ed",
    ] {
        let (seen, unseen): (Value, Value) = (ours.get(list).await.json(), theirs.get(list).await.json());
        assert_eq!(
            (seen["items"].as_array().unwrap().len(), unseen["items"].as_array().unwrap().len()),
            (1, 0),
            "{list}"
        );
    }
    // Once more, now that ours are in the cache.
    assert_eq!(ours.get("/blog/posts/shared-name").await.status, 200);
    let image_url = image["url"].as_str().unwrap();
    for one in [
        "/blog/posts/shared-name",
        "/blog/posts/shared-name/comments",
        &format!("/blog/drafts/{id}"),
        &format!("/blog/drafts/{id}/revisions"),
        &format!("/blog/drafts/{id}/revisions/1"),
        image_url,
    ] {
        assert_eq!(
            (ours.get(one).await.status.as_u16(), theirs.get(one).await.status.as_u16()),
            (200, 404),
            "{one}"
        );
    }
    assert!(!theirs.get("/blog/feed").await.text().contains("Shared name"));
    assert_eq!(put(&theirs, &post, &titled("Taken over")).await.status, 404);
    for action in ["publish", "archive", "unpublish", "revisions/1/restore"] {
        assert_eq!(act(&theirs, &post, action, None).await.status, 404, "{action}");
    }
    let delete = request(Method::DELETE, &format!("/blog/drafts/{id}"), &[("if-match", "*")], None);
    assert_eq!(theirs.request(delete).await.status, 404);
    let comment = format!("/blog/comments/{}", comment["id"].as_str().unwrap());
    assert_eq!(theirs.delete(&comment).await.status, 404);
    assert_eq!(
        theirs
            .request(request(Method::POST, &format!("{comment}/reject"), &[], None))
            .await
            .status,
        404
    );

    // They have names of their own.
    assert_eq!(draft(&theirs, &text).await["slug"], "shared-name");
    assert_eq!(
        each(&host.get("/blog/posts").await.json(), "/slug"),
        ["shared-name"],
        "nobody is in the default tenant"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_a_tenant_carry_its_name() {
    let host = builder().start().await;
    published(&host.as_user("ed").of_tenant("acme"), &titled("Theirs")).await;
    for subject in ["blog.post.published.v1", "blog.post.changed.v1"] {
        for event in host.events().published(subject).await {
            assert_eq!(event.envelope["tenant"], "acme", "{subject}");
        }
    }
    host.settle_events().await;
    assert!(host.events().dead_letters().await.is_empty());
}

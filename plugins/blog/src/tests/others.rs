//! What comes of other modules, and what they are told: names of authors, views.

use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::{Value, json};
use wharf_testing::{Builder, TestHost};

use super::{builder, published, request, titled};
use crate::PostViewed;

fn with_identity() -> Builder {
    builder()
        .module(identity_stub::root())
        .allow("module:blog", "identity.account.read")
}

async fn author(host: &TestHost, slug: &str) -> Value {
    let post: Value = host.get(&format!("/blog/posts/{slug}")).await.json();
    post["author"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn authors_have_names_when_identity_says_them() {
    let host = with_identity().start().await;
    published(&host.as_user("ada"), &titled("By ada")).await;
    published(&host.as_user("ed"), &titled("By ed")).await;
    assert_eq!(author(&host, "by-ada").await, json!({ "id": "user:ada", "name": "ada" }));
    assert_eq!(
        author(&host, "by-ed").await,
        json!({ "id": "user:ed" }),
        "identity knows nobody of that id"
    );
    let list: Value = host.get("/blog/posts").await.json();
    assert_eq!(list["items"][1]["author"]["name"], "ada");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_of_another_tenant_has_no_name_here() {
    let host = with_identity().allow("user:zoe", "blog.*").start().await;
    published(&host.as_user("zoe"), &titled("By zoe")).await;
    published(&host.as_user("zoe").of_tenant("other"), &titled("At home")).await;
    assert_eq!(author(&host, "by-zoe").await, json!({ "id": "user:zoe" }));
    let home: Value = host.as_user("zoe").of_tenant("other").get("/blog/posts/at-home").await.json();
    assert_eq!(home["author"]["name"], "zoe");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_are_told_in_batches_and_visitors_are_not_known_by_them() {
    let host = builder().config("blog", json!({ "views": { "flush_ms": 20 } })).start().await;
    let post = published(&host.as_user("ada"), &titled("Seen")).await;
    let visit = |agent: &'static str| host.request(request(Method::GET, "/blog/posts/seen", &[("user-agent", agent)], None));
    for agent in ["canary-one", "canary-one", "canary-two"] {
        assert_eq!(visit(agent).await.status, 200);
    }
    assert_eq!(host.request(request(Method::HEAD, "/blog/posts/seen", &[], None)).await.status, 200);
    assert_eq!(host.get("/blog/posts/unknown").await.status, 404);
    assert_eq!(host.as_user("bob").get("/blog/posts/seen").await.status, 200);
    let deadline = Instant::now() + Duration::from_secs(10);
    let viewed = loop {
        let viewed: Vec<PostViewed> = host.events().data("blog.post.viewed.v1").await;
        if viewed.len() >= 4 {
            break viewed;
        }
        assert!(Instant::now() < deadline, "{viewed:?}");
        tokio::task::yield_now().await;
    };
    assert_eq!(viewed.len(), 4, "{viewed:?}");
    assert!(viewed.iter().all(|view| post["id"] == view.post.as_str() && view.slug == "seen"));
    let [a, b, c, d] = [0, 1, 2, 3].map(|place: usize| viewed[place].visitor.as_str());
    assert!(a == b && a != c && c != d && d.len() == 16, "{viewed:?}");
    let text = format!("{viewed:?}");
    assert!(!text.contains("canary") && !text.contains("bob"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_that_wait_are_written_when_the_module_stops() {
    let one = builder().config("blog", json!({ "views": { "flush_ms": 60_000 } })).start().await;
    published(&one.as_user("ada"), &titled("Seen")).await;
    for _ in 0..300 {
        assert_eq!(one.get("/blog/posts/seen").await.status, 200);
    }
    let two = builder().beside(&one, "two").start().await;
    assert_eq!(one.stop().await, [""; 0]);
    let viewed: Vec<PostViewed> = two.events().data("blog.post.viewed.v1").await;
    assert_eq!(viewed.len(), 300);
}

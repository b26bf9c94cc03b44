//! The module in a host.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod comments;
mod grpc;
mod images;
mod others;
mod posts;
mod revisions;
mod search;
mod states;
mod tenants;

use axum::http::{Method, Request};
use serde_json::{Value, json};
use wharf_testing::{Answer, Body, Builder, Caller, TestHost};

/// A host with this module. `ada` and `bob` write and publish their own posts, `ed` edits everything, everybody comments.
fn builder() -> Builder {
    let mut builder = TestHost::builder().module(crate::root()).allow("user:ed", "blog.*");
    for author in ["user:ada", "user:bob"] {
        for permission in ["blog.post.write", "blog.post.publish"] {
            builder = builder.allow_on(author, permission, "own");
        }
    }
    builder
        .allow("user:ada", "blog.image.write")
        .allow_on("user:*", "blog.comment.write", "own")
}

async fn host() -> TestHost {
    builder().start().await
}

/// A request with a JSON body, if it has one, and header fields.
fn request(method: Method, path: &str, fields: &[(&str, &str)], body: Option<&Value>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    match body {
        Some(body) => request
            .header("content-type", "application/json")
            .body(Body::full(body.to_string()))
            .unwrap(),
        None => request.body(Body::empty()).unwrap(),
    }
}

/// POST with an `Idempotency-Key` that nobody else has.
async fn post_once(who: &Caller<'_>, path: &str, body: &Value) -> Answer {
    let key = crate::clock::id();
    who.request(request(Method::POST, path, &[("idempotency-key", &key)], Some(body)))
        .await
}

/// A draft of somebody's.
async fn draft(who: &Caller<'_>, body: &Value) -> Value {
    let answer = post_once(who, "/blog/posts", body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()
}

/// POST to something of a draft, on the version it has.
async fn act(who: &Caller<'_>, post: &Value, action: &str, body: Option<&Value>) -> Answer {
    let path = format!("/blog/drafts/{}/{action}", post["id"].as_str().unwrap());
    let version = format!("\"{}\"", post["version"]);
    who.request(request(Method::POST, &path, &[("if-match", &version)], body)).await
}

/// A published post of somebody's.
async fn published(who: &Caller<'_>, body: &Value) -> Value {
    let post = draft(who, body).await;
    let answer = act(who, &post, "publish", None).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Writes another text into a post, on the version it has.
async fn put(who: &Caller<'_>, post: &Value, text: &Value) -> Answer {
    let path = format!("/blog/drafts/{}", post["id"].as_str().unwrap());
    let version = format!("\"{}\"", post["version"]);
    who.request(request(Method::PUT, &path, &[("if-match", &version)], Some(text)))
        .await
}

/// The values of a field of each item in a page.
fn each(page: &Value, pointer: &str) -> Vec<String> {
    let items = page["items"].as_array().unwrap_or_else(|| panic!("no page: {page}"));
    let text = |item: &Value| item.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    items.iter().map(text).collect()
}

/// The code of a problem, which must be one.
fn code(answer: &Answer) -> (u16, String) {
    let kind = answer.header("content-type");
    assert_eq!(kind, Some("application/problem+json"), "{} {}", answer.status, answer.text());
    let problem: Value = answer.json();
    assert_eq!(problem["status"], answer.status.as_u16(), "{problem}");
    (answer.status.as_u16(), problem["code"].as_str().unwrap_or_default().to_owned())
}

fn titled(title: &str) -> Value {
    json!({ "title": title, "body": format!("About {title}.") })
}

//! Images.

use axum::http::{Method, Request};
use serde_json::{Value, json};
use wharf_testing::{Answer, Body, TestHost};

use super::{builder, code, host, request};

fn png(length: usize) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    bytes.resize(length, 7);
    bytes
}

async fn upload(host: &TestHost, user: &str, bytes: Vec<u8>) -> Answer {
    let request = Request::builder()
        .method(Method::POST)
        .uri("/blog/images")
        .header("content-type", "image/svg+xml")
        .body(Body::full(bytes))
        .unwrap();
    host.as_user(user).request(request).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_is_taken_once_and_served_for_ever() {
    let host = host().await;
    let answer = upload(&host, "ada", png(1000)).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let image: Value = answer.json();
    assert_eq!((&image["content_type"], &image["bytes"]), (&json!("image/png"), &json!(1000)));
    let url = image["url"].as_str().unwrap();
    let again = upload(&host, "ada", png(1000)).await;
    assert_eq!((again.status.as_u16(), &again.json::<Value>()["key"]), (200, &image["key"]));

    let answer = host.get(url).await;
    assert_eq!((answer.status.as_u16(), answer.body.to_vec()), (200, png(1000)));
    for (name, value) in [
        ("content-type", "image/png"),
        ("content-length", "1000"),
        ("cache-control", "public, max-age=31536000, immutable"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("etag", &format!("\"{}\"", image["key"].as_str().unwrap())),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    let etag = answer.header("etag").unwrap();
    assert_eq!(
        host.request(request(Method::GET, url, &[("if-none-match", etag)], None))
            .await
            .status,
        304
    );
    let unknown = format!("/blog/images/{}", "0".repeat(64));
    for none in [unknown.as_str(), "/blog/images/x", "/blog/images/..%2f..%2fx", "/blog/images/%00"] {
        assert_eq!(code(&host.get(none).await).0, 404, "{none}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_of_an_image_is_a_part() {
    let host = host().await;
    let image: Value = upload(&host, "ada", png(1000)).await.json();
    let url = image["url"].as_str().unwrap();
    let ask = |range: &str| host.request(request(Method::GET, url, &[("range", range)], None));
    let answer = ask("bytes=1-3").await;
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (206, &b"PNG"[..]));
    assert_eq!(
        (answer.header("content-range"), answer.header("content-length")),
        (Some("bytes 1-3/1000"), Some("3"))
    );
    assert_eq!((ask("bytes=-10").await.body.len(), ask("bytes=990-").await.body.len()), (10, 10));
    let nowhere = ask("bytes=1000-").await;
    assert_eq!(
        (code(&nowhere), nowhere.header("content-range")),
        ((416, "no-such-range".to_owned()), Some("bytes */1000"))
    );
    assert_eq!(
        (ask("bytes=0-1,3-4").await.status.as_u16(), ask("nonsense").await.status.as_u16()),
        (200, 200)
    );
    let other = request(Method::GET, url, &[("range", "bytes=1-3"), ("if-range", "\"other\"")], None);
    assert_eq!(host.request(other).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_image_or_too_large_is_refused_and_leaves_nothing() {
    let host = builder().config("blog", json!({ "images": { "max_bytes": 2048 } })).start().await;
    for bytes in [
        b"<svg onload=alert(1)>".to_vec(),
        b"GIF8".to_vec(),
        Vec::new(),
        b"<html></html>".repeat(10),
    ] {
        assert_eq!(code(&upload(&host, "ada", bytes).await), (415, "unsupported-media-type".to_owned()));
    }
    assert_eq!(upload(&host, "ada", png(2048)).await.status, 201);
    assert_eq!(code(&upload(&host, "ada", png(2049)).await), (413, "too-large".to_owned()));
    // A length that is not true, or none, does not help.
    let mut liar = Request::builder()
        .method(Method::POST)
        .uri("/blog/images")
        .body(Body::full(png(5000)))
        .unwrap();
    liar.headers_mut().insert("content-length", "10".parse().unwrap());
    let answer = host.as_user("ada").request(liar).await;
    assert!(matches!(answer.status.as_u16(), 400 | 413), "{}", answer.text());
    assert_eq!(upload(&host, "eve", png(100)).await.status, 403);
    let nobody = Request::builder()
        .method(Method::POST)
        .uri("/blog/images")
        .body(Body::full(png(100)))
        .unwrap();
    assert_eq!(host.request(nobody).await.status, 401);
}

//! Unary gRPC methods called with JSON.

use http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use wharf_host::http::gateway::Limits;
use wharf_host::http::routes::Mounted;

use crate::lab::*;
use crate::rig::*;

async fn post(host: &Host, path: &str, headers: &[(&str, &str)], body: &str) -> (StatusCode, HeaderMap, Value) {
    let mut request = Request::builder().method("POST").uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/json");
    }
    let response = Client::http1(host.address)
        .await
        .send(request.body(full(body.to_owned())).unwrap())
        .await;
    let (status, headers, body) = whole(response).await;
    (status, headers, serde_json::from_str(&body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn json_is_transcoded_both_ways_with_well_known_types() {
    let host = Host::start(vec![lab(&Alive::default())]);
    let sent = json!({
        "text": "hi",
        "big": "9007199254740993",
        "color": "COLOR_RED",
        "at": "2026-01-02T03:04:05Z",
        "data": "AQID",
    });
    let (status, headers, body) = post(
        &host,
        "/lab.v1.Lab/Echo",
        &[("connect-protocol-version", "1"), ("x-color", "blue")],
        &sent.to_string(),
    )
    .await;
    assert_eq!((status.as_u16(), body), (200, sent));
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["x-color-seen"], "blue");
    assert!(headers.contains_key("x-request-id"));
    assert!(!headers.contains_key("grpc-status"));
    let seen = host
        .sees("the call is recorded", |seen| seen.route.as_deref() == Some("/lab.v1.Lab/Echo"))
        .await;
    assert_eq!(seen.grpc, Some(0));
}

#[tokio::test]
async fn numbers_unknown_fields_and_empty_messages_are_taken_as_the_mapping_says() {
    let host = Host::start(vec![lab(&Alive::default())]);
    let lenient = json!({"big": 7, "color": 1, "fromTheFuture": [1, 2], "children": []});
    let (status, _, body) = post(&host, "/lab.v1.Lab/Echo", &[], &lenient.to_string()).await;
    assert_eq!((status.as_u16(), body), (200, json!({"big": "7", "color": "COLOR_RED"})));
    assert_eq!(post(&host, "/lab.v1.Lab/Echo", &[], "{}").await.2, json!({}));
    // The name of an enum value that this module does not know yet is an unknown field too.
    assert_eq!(
        post(&host, "/lab.v1.Lab/Echo", &[], "{\"color\": \"COLOR_PURPLE\"}").await.2,
        json!({})
    );
}

#[tokio::test]
async fn bare_protobuf_is_taken_too() {
    let host = Host::start(vec![lab(&Alive::default())]);
    let body = prost::Message::encode_to_vec(&note("hi"));
    let request = Request::builder()
        .method("POST")
        .uri("/lab.v1.Lab/Echo")
        .header("content-type", "application/proto");
    let response = Client::http2(host.address)
        .await
        .send(request.body(full(body.clone())).unwrap())
        .await;
    assert_eq!(response.headers()["content-type"], "application/proto");
    assert_eq!(whole(response).await.2.as_bytes(), body);
}

#[tokio::test]
async fn wrong_json_is_an_invalid_argument_that_names_the_place() {
    let host = Host::start(vec![lab(&Alive::default())]);
    for (body, place) in [
        ("{\"children\": [{}, {\"big\": \"x\"}]}", "field children[1].big"),
        ("{\"color\": {}}", "field color"),
        ("{\"at\": \"yesterday\"}", "field at"),
        ("{\"text\": ", "line 1 column"),
        ("", "line 1 column"),
        ("{} {}", "trailing characters"),
    ] {
        let (status, _, answer) = post(&host, "/lab.v1.Lab/Echo", &[], body).await;
        assert_eq!((status.as_u16(), &answer["code"]), (400, &json!("invalid_argument")), "{body}");
        let message = answer["message"].as_str().unwrap();
        assert!(message.contains(place) && message.contains("lab.v1.Note"), "{body}: {message}");
    }
}

#[tokio::test]
async fn a_modules_status_becomes_a_connect_error_with_details() {
    let host = Host::start(vec![lab(&Alive::default())]);
    let (status, _, body) = post(&host, "/lab.v1.Lab/Fail", &[], "{\"text\":\"x\"}").await;
    assert_eq!(status, 400);
    let details = json!([{"type": "lab.v1.Note", "value": "CAE"}]);
    assert_eq!(
        body,
        json!({"code": "failed_precondition", "message": "no: x 100%", "details": details})
    );
}

#[tokio::test]
async fn refusals_are_connect_errors_and_other_requests_are_told_what_to_send() {
    let quiet = Mounted {
        prefix: None,
        grpc: vec![grpc_method("q.Q", "M")],
        ..module("quiet", Vec::new(), mirror("quiet"))
    };
    let host = Host::start(vec![lab(&Alive::default()), quiet]);
    for (path, headers, status, code) in [
        ("/lab.v1.Lab/Count", &[][..], 501, "unimplemented"),
        ("/lab.v1.Lab/Secret", &[], 401, "unauthenticated"),
        ("/q.Q/M", &[], 501, "unimplemented"),
        ("/lab.v1.Lab/Echo", &[("connect-protocol-version", "2")], 400, "invalid_argument"),
        ("/lab.v1.Lab/Echo", &[("content-encoding", "gzip")], 501, "unimplemented"),
    ] {
        let (found, _, body) = post(&host, path, headers, "{}").await;
        assert_eq!((found.as_u16(), &body["code"]), (status, &json!(code)), "{path} {headers:?} {body}");
    }
    assert_eq!(post(&host, "/lab.v1.Lab/Echo", &[("content-type", "text/plain")], "x").await.0, 415);
    assert_eq!(post(&host, "/lab.v1.Lab/Nothing", &[], "{}").await.0, 404);
    let (status, headers, _) = Client::http1(host.address).await.get("/lab.v1.Lab/Echo").await;
    assert_eq!((status.as_u16(), &headers["allow"]), (405, &http::HeaderValue::from_static("POST")));
}

#[tokio::test]
async fn deadlines_and_sizes_hold_for_json_too() {
    let host = Host::limited(
        vec![lab(&Alive::default())],
        Limits {
            message_bytes: 1000,
            ..Limits::default()
        },
    );
    let (status, _, body) = post(&host, "/lab.v1.Lab/Echo", &[("connect-timeout-ms", "50")], "{\"text\":\"hang\"}").await;
    assert_eq!((status.as_u16(), &body["code"]), (504, &json!("deadline_exceeded")));
    let large = json!({"text": "x".repeat(2000)}).to_string();
    let (status, _, body) = post(&host, "/lab.v1.Lab/Echo", &[], &large).await;
    assert_eq!((status.as_u16(), &body["code"]), (429, &json!("resource_exhausted")));
}

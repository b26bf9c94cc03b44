//! Routes that show to nobody who may not call them.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request};
use jiff::Timestamp;
use serde_json::{Value, json};
use wharf_host::http::body::Body;
use wharf_host::security::denials::DenialLog;

use crate::rig::{Answer, Rig};
use crate::signer::claims;

async fn send(rig: &Rig, method: &str, path: &str, token: Option<&str>) -> Answer {
    let mut request = Request::builder().method(method.parse::<Method>().unwrap()).uri(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    rig.send(request.body(Body::empty()).unwrap(), "9.9.9.9:1").await
}

/// What a client can compare: all but the id of the request.
fn seen(answer: &Answer) -> (u16, Vec<(String, String)>, Value) {
    let mut body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    if let Some(fields) = body.as_object_mut() {
        fields.retain(|name, _| !name.contains("request"));
    }
    let mut fields: Vec<(String, String)> = answer
        .headers
        .iter()
        .filter(|(name, _)| *name != "x-request-id" && *name != "content-length")
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    fields.sort();
    (answer.status.as_u16(), fields, body)
}

#[tokio::test]
async fn a_hidden_route_looks_like_no_route_to_whoever_may_not_call_it() {
    let rig = Rig::start().await;
    let token = |who: &str| rig.signer.sign(&claims(who, json!({})));
    let (reader, other) = (token("reader"), token("other"));
    for method in ["GET", "HEAD", "POST", "PUT", "OPTIONS"] {
        for who in [None, Some(other.as_str()), Some("not-a-token"), Some("wharf_unknown")] {
            // Whoever is known may post there.
            if method == "POST" && who == Some(other.as_str()) {
                continue;
            }
            let hidden = send(&rig, method, "/notes/secret/17", who).await;
            let nothing = send(&rig, method, "/notes/nothing/17", who).await;
            assert_eq!(seen(&hidden), seen(&nothing), "{method} {who:?}");
            assert_eq!(hidden.status, 404, "{method} {who:?}: {hidden:?}");
        }
    }
    let answer = rig.get("/notes/secret/17", Some(&reader)).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "user:reader token=false"));
    assert_eq!(send(&rig, "POST", "/notes/secret/17", Some(&other)).await.status, 200);
    assert_eq!(send(&rig, "PATCH", "/notes/all", Some(&reader)).await.status, 200);
    assert_eq!(send(&rig, "PATCH", "/notes/all", Some(&other)).await.status, 404);
}

#[tokio::test]
async fn beside_a_route_that_shows_a_hidden_one_is_a_method_that_is_not_served() {
    let rig = Rig::start().await;
    let token = |who: &str| rig.signer.sign(&claims(who, json!({})));
    let (reader, other) = (token("reader"), token("other"));
    for who in [None, Some(other.as_str())] {
        let hidden = send(&rig, "DELETE", "/notes/half", who).await;
        assert_eq!(
            (hidden.status.as_u16(), &hidden.headers["allow"]),
            (405, &"GET, HEAD, OPTIONS".parse().unwrap())
        );
        assert!(!hidden.headers.contains_key("www-authenticate"), "{hidden:?}");
        let nothing = send(&rig, "PATCH", "/notes/half", who).await;
        assert_eq!(nothing.headers["allow"], hidden.headers["allow"]);
    }
    assert_eq!(
        send(&rig, "OPTIONS", "/notes/half", None).await.headers["allow"],
        "GET, HEAD, OPTIONS"
    );
    assert_eq!(send(&rig, "DELETE", "/notes/half", Some(&reader)).await.status, 200);
}

#[tokio::test]
async fn calls_that_a_hidden_route_refuses_are_recorded_with_the_route() {
    let log = Arc::new(DenialLog::new());
    let listener = log.clone();
    let rig = Rig::with(Duration::from_secs(60), |gateway| gateway.with_denials(listener)).await;
    let token = rig.signer.sign(&claims("other", json!({})));
    assert_eq!(rig.get("/notes/secret/17", Some(&token)).await.status, 404);
    let taken = log.take(Timestamp::now(), true);
    let rows: Vec<_> = taken
        .iter()
        .map(|row| (row.subject.as_str(), row.route.as_str(), row.status))
        .collect();
    assert_eq!(rows, [("user:other", "GET /notes/secret/{id}", 403)]);
}

#[tokio::test]
async fn routes_say_which_are_hidden() {
    let rig = Rig::start().await;
    let rows = rig.routes.rows();
    let hidden: Vec<_> = rows
        .iter()
        .filter(|row| row.hidden)
        .map(|row| format!("{} {}", row.method, row.path))
        .collect();
    assert_eq!(
        hidden,
        [
            "* /notes/all",
            "DELETE /notes/half",
            "GET /notes/secret/{id}",
            "POST /notes/secret/{id}"
        ]
    );
}

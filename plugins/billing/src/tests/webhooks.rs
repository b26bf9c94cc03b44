//! Webhooks: signed, in time, and once.

use axum::http::Request;
use serde_json::{Value, json};
use wharf_testing::{Answer, Body, TestHost};

use super::{all_is_well, balance, builder, code, customer, get, id, open_invoice, pay, root};
use crate::domain::signature;
use crate::text;

const KEY: &[u8] = b"canary key of webhooks";

async fn host() -> TestHost {
    builder().secret("billing", "webhook-key", KEY).start().await
}

fn now() -> i64 {
    text::now() / 1000
}

async fn send(host: &TestHost, event: &Value, key: &[u8], at: i64) -> Answer {
    let body = event.to_string();
    let signed = signature::header(key, at, body.as_bytes());
    let request = Request::post("/billing/webhooks/test").header("webhook-signature", signed);
    host.request(request.body(Body::full(body)).unwrap()).await
}

async fn pending(host: &TestHost) -> Value {
    let root = root(host);
    let invoice = open_invoice(&root, &customer(&root, "ada").await).await;
    pay(host, &root, &invoice, "tok_later").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_payment_that_is_settled_later_is_settled_once() {
    let host = host().await;
    let payment = pending(&host).await;
    assert_eq!(payment["state"], "pending");
    let event = json!({ "id": "evt_1", "type": "payment.succeeded", "key": id(&payment), "reference": "play_1", "more": true });
    let at = now();
    let first = send(&host, &event, KEY, at).await;
    assert_eq!(
        (first.status.as_u16(), first.json::<Value>()),
        (200, json!({ "duplicate": false, "applied": true }))
    );
    let replayed = send(&host, &event, KEY, at).await;
    assert_eq!((replayed.status.as_u16(), code(&replayed).as_str()), (403, "webhook-replayed"));
    let again = send(&host, &event, KEY, at - 1).await;
    assert_eq!(
        (again.status.as_u16(), again.json::<Value>()),
        (200, json!({ "duplicate": true, "applied": false }))
    );
    // Another event that says it anew, or says otherwise, changes nothing either.
    for (event_id, kind) in [
        ("evt_2", "payment.succeeded"),
        ("evt_3", "payment.failed"),
        ("evt_4", "payment.noticed"),
        ("evt_5", "noise"),
    ] {
        let event = json!({ "id": event_id, "type": kind, "key": id(&payment) });
        let answer = send(&host, &event, KEY, now()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json::<Value>()),
            (200, json!({ "duplicate": false, "applied": false }))
        );
    }
    assert_eq!(
        get(&root(&host), &format!("/payments/{}", id(&payment))).await["state"],
        "succeeded"
    );
    assert_eq!(balance(&host, "cash").await, 1190);
    all_is_well(&host).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_not_signed_by_the_provider_now_is_refused() {
    let host = host().await;
    let payment = pending(&host).await;
    let event = json!({ "id": "evt_1", "type": "payment.succeeded", "key": id(&payment) });
    let unsigned = host
        .request(Request::post("/billing/webhooks/test").body(Body::full(event.to_string())).unwrap())
        .await;
    assert_eq!((unsigned.status.as_u16(), code(&unsigned).as_str()), (403, "webhook-unsigned"));
    for (key, at, wanted) in [
        (&b"another"[..], now(), "webhook-signature"),
        (KEY, now() - 301, "webhook-stale"),
        (KEY, now() + 320, "webhook-stale"),
    ] {
        let answer = send(&host, &event, key, at).await;
        assert_eq!((answer.status.as_u16(), code(&answer).as_str()), (403, wanted));
    }
    let nobody = json!({ "id": "evt_1", "type": "payment.succeeded", "key": text::new_id() });
    assert_eq!(send(&host, &nobody, KEY, now()).await.status, 404);
    assert_eq!(send(&host, &json!([]), KEY, now()).await.status, 422);
    let other = Request::post("/billing/webhooks/other").body(Body::full("{}")).unwrap();
    assert_eq!(host.request(other).await.status, 404);
    assert_eq!(get(&root(&host), &format!("/payments/{}", id(&payment))).await["state"], "pending");
    let logged = host.logs().lines().join("\n");
    assert!(!logged.contains("canary"), "{logged}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_the_secret_every_webhook_is_refused() {
    let host = builder().start().await;
    let payment = pending(&host).await;
    let event = json!({ "id": "evt_1", "type": "payment.succeeded", "key": id(&payment) });
    for key in [KEY, b""] {
        let answer = send(&host, &event, key, now()).await;
        assert_eq!((answer.status.as_u16(), code(&answer).as_str()), (403, "webhooks-off"));
    }
}

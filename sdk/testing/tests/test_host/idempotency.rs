//! A request that is sent twice has one effect.

use std::time::{Duration, Instant};

use http::Request;
use serde_json::{Value, json};
use wharf_testing::{Answer, Body, TestHost};

async fn desk() -> TestHost {
    TestHost::builder()
        .module(desk_module::root())
        .allow("user:*", "desk.charge.write")
        .start()
        .await
}

fn charge(path: &str, key: &str, body: &Value) -> Request<Body> {
    let mut request = Request::post(path).header("content-type", "application/json");
    if !key.is_empty() {
        request = request.header("idempotency-key", key);
    }
    request.body(Body::full(body.to_string())).unwrap()
}

async fn send(host: &TestHost, user: &str, key: &str, body: Value) -> Answer {
    host.as_user(user).request(charge("/desk/charges", key, &body)).await
}

/// How many effects there are, and how many handlers have begun one.
async fn effects(host: &TestHost) -> (u64, u64) {
    let found: Value = host.as_user("ada").get("/desk/charges").await.json();
    (found["rows"].as_u64().unwrap(), found["begun"].as_u64().unwrap())
}

async fn begun(host: &TestHost, times: u64) {
    let until = Instant::now() + Duration::from_secs(10);
    while effects(host).await.1 != times {
        assert!(Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_retry_gets_the_first_answer_and_has_no_effect() {
    let host = desk().await;
    let first = send(&host, "ada", "\"k-1\"", json!({ "amount": 5 })).await;
    assert_eq!(
        (first.status.as_u16(), first.header("idempotency-replayed")),
        (201, None),
        "{}",
        first.text()
    );
    let again = send(&host, "ada", "k-1", json!({ "amount": 5 })).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.header("content-type"), first.header("content-type"));
    assert_eq!(effects(&host).await, (1, 1));
    let other = send(&host, "bob", "k-1", json!({ "amount": 5 })).await;
    assert_eq!(
        (other.status.as_u16(), other.header("idempotency-replayed")),
        (201, None),
        "keys belong to their caller"
    );
    host.settle_events().await;
    assert_eq!(host.events().published("wharf.audit.recorded.v1").await.len(), 2);
}

#[tokio::test]
async fn a_key_of_another_request_and_none_at_all_are_refused() {
    let host = desk().await;
    assert_eq!(send(&host, "ada", "k", json!({ "amount": 5 })).await.status, 201);
    let other = send(&host, "ada", "k", json!({ "amount": 6 })).await;
    assert_eq!(
        (other.status.as_u16(), &other.json::<Value>()["code"]),
        (422, &json!("idempotency-key-reused"))
    );
    let none = send(&host, "ada", "", json!({ "amount": 6 })).await;
    assert_eq!(none.status, 400);
    assert!(none.text().contains("needs the header field Idempotency-Key"), "{}", none.text());
    let loose = host.request(charge("/desk/loose", "k", &json!({ "amount": 1 }))).await;
    assert_eq!(loose.status, 500, "a handler that takes the transaction needs such a route");
    assert_eq!(effects(&host).await, (1, 1));
}

#[tokio::test]
async fn two_at_once_have_one_effect() {
    let host = desk().await;
    let body = json!({ "amount": 5, "how": "wait" });
    let first = send(&host, "ada", "k", body.clone());
    let second = async {
        begun(&host, 1).await;
        let second = send(&host, "ada", "k", body.clone()).await;
        let _ = host.post("/desk/release", &Value::Null).await;
        second
    };
    let (first, second) = futures_util::future::join(first, second).await;
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (201, 409));
    assert_eq!(second.json::<Value>()["code"], "idempotency-key-in-use");
    let third = send(&host, "ada", "k", body).await;
    assert_eq!((&third.body, third.header("idempotency-replayed")), (&first.body, Some("true")));
    assert_eq!(effects(&host).await, (1, 1));
}

#[tokio::test]
async fn what_does_not_commit_leaves_nothing_and_can_be_sent_again() {
    let host = desk().await;
    for (how, status) in [("refuse", 409), ("panic", 500)] {
        let answer = send(&host, "ada", "k", json!({ "amount": 5, "how": how })).await;
        assert_eq!(answer.status, status, "{how}");
    }
    let before = effects(&host).await;
    {
        // The client is gone after the handler has answered and before it is committed.
        let body = json!({ "amount": 5, "how": "hang" });
        let hanging = send(&host, "ada", "k", body);
        let gone = begun(&host, before.1 + 1);
        futures_util::pin_mut!(hanging, gone);
        futures_util::future::select(hanging, gone).await;
    }
    assert_eq!((before.0, effects(&host).await.0), (0, 0));
    assert!(host.events().published("wharf.audit.recorded.v1").await.is_empty());
    assert_eq!(send(&host, "ada", "k", json!({ "amount": 5 })).await.status, 201);
    assert_eq!(effects(&host).await.0, 1);
}

#[tokio::test]
async fn an_answer_that_was_kept_long_enough_is_forgotten() {
    let host = desk().await;
    let until = Instant::now() + Duration::from_secs(10);
    for times in 1.. {
        let answer = host
            .as_user("ada")
            .request(charge("/desk/brief", "k", &json!({ "amount": 5 })))
            .await;
        assert_eq!(answer.status, 201);
        if times > 1 && answer.header("idempotency-replayed").is_none() {
            break;
        }
        assert!(Instant::now() < until);
    }
    assert!(effects(&host).await.0 >= 2);
}

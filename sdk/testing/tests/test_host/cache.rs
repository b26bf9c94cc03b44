//! Cache, locks and secrets across the ABI, linked in and loaded.

use std::future::Future;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use wharf_testing::{Answer, Body, Builder, TestHost};

use crate::library::library;

async fn ask(host: &TestHost, method: Method, path: &str, body: &str) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(format!("/hoard{path}"))
        .header("content-type", "application/json")
        .body(Body::full(body.to_owned()))
        .unwrap();
    host.request(request).await
}

async fn json(host: &TestHost, method: Method, path: &str) -> Value {
    let answer = ask(host, method, path, "").await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
    answer.json()
}

async fn logged(host: &TestHost, text: &str) -> String {
    let event = host
        .logs()
        .wait_for(Duration::from_secs(10), |event| event.line.contains(text))
        .await;
    event.unwrap_or_else(|| panic!("nobody logged {text:?}")).line
}

/// Runs a test with the module linked in, and with its library.
async fn both<F: Future<Output = ()>>(test: impl Fn(TestHost) -> F) {
    let with = |builder: Builder| builder.secret("hoard", "stripe-key", "canary-5fc1");
    test(with(TestHost::builder().module(hoard::root())).start().await).await;
    test(with(TestHost::builder().library(library("hoard"))).start().await).await;
}

#[tokio::test]
async fn values_counters_and_comparisons_go_through() {
    both(async |host: TestHost| {
        assert_eq!(ask(&host, Method::GET, "/values/a", "").await.status, StatusCode::NOT_FOUND);
        assert_eq!(
            ask(&host, Method::PUT, "/values/a", r#"{"x":[1,null]}"#).await.status,
            StatusCode::OK
        );
        assert_eq!(json(&host, Method::GET, "/values/a").await, json!({"x": [1, null]}));
        assert_eq!(json(&host, Method::DELETE, "/values/a").await, json!(true));
        assert_eq!(json(&host, Method::POST, "/count/n").await, json!(1));
        assert_eq!(json(&host, Method::POST, "/count/n").await, json!(2));
        assert_eq!(json(&host, Method::POST, "/swap/s").await, json!([true, false, true]));
        let many = json(&host, Method::GET, "/many").await;
        assert_eq!(many, json!([[2, null, 1], 1, 1, true, false]));
        host.advance(Duration::from_secs(61));
        assert_eq!(json(&host, Method::POST, "/count/n").await, json!(1), "the counter has expired");
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_too_long_is_refused_with_what_was_found() {
    both(async |host: TestHost| {
        let answer = ask(&host, Method::POST, &format!("/count/{}", "k".repeat(600)), "").await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        let line = logged(&host, "a handler failed").await;
        assert!(line.contains("found a key of 600 bytes, expected 1 to 512"), "{line}");
    })
    .await;
}

#[tokio::test]
async fn many_who_ask_at_once_share_one_load_and_its_failure() {
    both(async |host: TestHost| {
        for (path, loads) in [("/load/a?ms=100", 1), ("/load/b?ms=100&across=true", 2)] {
            let answers = join_all((0..50).map(|_| json(&host, Method::GET, path))).await;
            for answer in answers {
                assert_eq!(answer, json!({"value": loads, "loads": loads}), "{path}");
            }
        }
        let failed = join_all((0..20).map(|_| json(&host, Method::GET, "/load/c?ms=100&fail=true"))).await;
        for answer in failed {
            assert_eq!(answer, json!({"error": "the value could not be loaded", "loads": 3}));
        }
        assert_eq!(
            json(&host, Method::GET, "/load/c").await,
            json!({"value": 4, "loads": 4}),
            "a failure is not kept"
        );
        for _ in 0..2 {
            let absent = json(&host, Method::GET, "/load/d?absent=true").await;
            assert_eq!(absent, json!({"value": null, "loads": 5}), "that there is none is kept");
        }
        host.advance(Duration::from_secs(61));
        assert_eq!(json(&host, Method::GET, "/load/a").await["loads"], 6);
    })
    .await;
}

#[tokio::test]
async fn a_load_goes_on_when_the_one_that_began_it_hangs_up() {
    both(async |host: TestHost| {
        let first = Box::pin(json(&host, Method::GET, "/load/x?ms=60000"));
        let began = tokio::time::timeout(Duration::from_millis(100), first).await;
        assert!(began.is_err(), "the first was to be dropped");
        assert_eq!(json(&host, Method::GET, "/load/x").await["value"], 2);
    })
    .await;
}

#[tokio::test]
async fn a_lock_is_renewed_while_it_is_held_and_given_back() {
    both(async |host: TestHost| {
        let first = json(&host, Method::POST, "/lock/l").await;
        assert!(first.is_u64());
        // Longer than its lease of 600 ms.
        let until = Instant::now() + Duration::from_millis(1_500);
        while Instant::now() < until {
            assert_eq!(json(&host, Method::GET, "/lock/l").await, json!(true));
            assert_eq!(json(&host, Method::POST, "/lock/l").await, Value::Null);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(json(&host, Method::DELETE, "/lock/l").await, json!(true));
        let second = json(&host, Method::POST, "/lock/l").await;
        assert!(second.as_u64() > first.as_u64());
        // The lease ends before anything renews it: the holder is told.
        host.advance(Duration::from_secs(10));
        let deadline = Instant::now() + Duration::from_secs(10);
        while json(&host, Method::GET, "/lock/l").await == json!(true) {
            assert!(Instant::now() < deadline, "the lost lock was not noticed");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_secret_is_readable_by_the_module_that_names_it_and_seen_nowhere() {
    both(async |host: TestHost| {
        let found = json(&host, Method::GET, "/secret/stripe-key").await;
        assert_eq!(found, json!({"length": 11, "debug": "Secret(***)"}));
        assert_eq!(json(&host, Method::GET, "/secret/unset").await["fault"], "not-found");
        let undeclared = json(&host, Method::GET, "/secret/other").await;
        assert_eq!(undeclared["fault"], "undeclared");
        assert!(undeclared["message"].as_str().unwrap().contains("under [secrets] in wharf.toml"));
        logged(&host, "read").await;
        let seen = host.logs().lines().join("\n");
        assert!(!seen.contains("canary-5fc1"));
        assert!(!format!("{:?}", host.status("hoard")).contains("canary-5fc1"));
    })
    .await;
}

//! Limits by address and by caller, and what clients are told.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use serde_json::json;
use wharf_host::http::body::Body;
use wharf_host::http::gateway::Gateway;
use wharf_host::ports::rate::{MemoryRates, Quota, RateBucket, RateError, RateStore, Taking};
use wharf_host::security::RateLimits;
use wharf_host::security::rates::ClassSettings;

use crate::rig::{Answer, Rig};
use crate::signer::claims;

fn class(requests: u32, passes_uncounted: bool) -> ClassSettings {
    let number = NonZeroU32::new(requests).unwrap();
    ClassSettings {
        quota: Some(Quota {
            requests: number,
            period: Duration::from_secs(3600),
            burst: number,
        }),
        passes_uncounted,
    }
}

fn limited(classes: &[(&str, u32)], store: &dyn RateStore, passes_uncounted: bool) -> impl FnOnce(Gateway) -> Gateway {
    let classes = classes
        .iter()
        .map(|(name, requests)| ((*name).to_owned(), class(*requests, passes_uncounted)));
    let limits = RateLimits::new(classes, store, |_| false);
    move |gateway| gateway.with_rate_limits(Arc::new(limits))
}

async fn rig(classes: &[(&str, u32)]) -> Rig {
    Rig::with(Duration::from_secs(60), limited(classes, &MemoryRates::new(), true)).await
}

fn told(answer: &Answer) -> Option<&str> {
    answer.headers.get("ratelimit").map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn known_callers_are_counted_by_who_they_are_and_others_by_address() {
    let rig = rig(&[("default", 2), ("anonymous", 1)]).await;
    let (ada, eve) = (
        rig.signer.sign(&claims("ada", json!({}))),
        rig.signer.sign(&claims("eve", json!({}))),
    );
    for (token, status) in [
        (Some(&ada), 200),
        (Some(&ada), 200),
        (Some(&ada), 429),
        (Some(&eve), 200),
        (None, 200),
        (None, 429),
    ] {
        let answer = rig.get("/notes/public", token.map(String::as_str)).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(
            told(&answer).is_some(),
            status == 429,
            "only routes with a class of their own tell on success"
        );
    }
}

#[tokio::test]
async fn a_limited_route_tells_how_it_stands_and_when_to_come_back() {
    let rig = rig(&[("login", 3)]).await;
    let login = || Request::post("/notes/login").body(Body::empty()).unwrap();
    for expected in ["\"login\";r=2;t=1200", "\"login\";r=1;t=2400", "\"login\";r=0;t=3600"] {
        let answer = rig.send(login(), "9.9.9.9:1").await;
        assert_eq!((answer.status.as_u16(), told(&answer)), (200, Some(expected)));
        assert_eq!(answer.headers["ratelimit-policy"], "\"login\";q=3;w=3600");
    }
    let answer = rig.send(login(), "9.9.9.9:2").await;
    assert_eq!(answer.status, 429);
    let seconds: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1190..=1200).contains(&seconds), "{seconds}");
    assert!(told(&answer).unwrap().starts_with("\"login\";r=0;"), "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(rig.send(login(), "9.9.9.8:1").await.status, 200, "another address");
    assert_eq!(rig.get("/notes/odd", None).await.status, 200, "an unknown class is the default one");
}

#[tokio::test]
async fn the_address_is_counted_before_tokens_are_looked_at_and_grpc_has_its_own_status() {
    let rig = rig(&[("address", 2)]).await;
    assert_eq!(rig.get("/notes/known", Some("rubbish")).await.status, 401);
    assert_eq!(rig.get("/nowhere", None).await.status, 404);
    assert_eq!(rig.get("/notes/known", Some("rubbish")).await.status, 429);
    let request = Request::post("/wharf.auth.v1.Keys/Watch").header("content-type", "application/grpc");
    let answer = rig.send(request.body(Body::empty()).unwrap(), "9.9.9.9:1").await;
    assert_eq!(
        (answer.status.as_u16(), answer.headers["grpc-status"].to_str().unwrap()),
        (200, "8")
    );
    let six = |peer| rig.send(Request::get("/notes/public").body(Body::empty()).unwrap(), peer);
    for (peer, status) in [
        ("[2001:db8::1]:1", 200),
        ("[2001:db8::2]:1", 200),
        ("[2001:db8::3]:1", 429),
        ("[2001:db8:0:1::1]:1", 200),
    ] {
        assert_eq!(six(peer).await.status, status, "{peer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_callers_at_once_get_exactly_what_is_allowed() {
    let rig = Arc::new(rig(&[("default", 200)]).await);
    let token = rig.signer.sign(&claims("ada", json!({})));
    let calls = (0..64).map(|_| {
        let (rig, token) = (rig.clone(), token.clone());
        tokio::spawn(async move {
            let mut allowed = 0;
            for _ in 0..10 {
                allowed += u32::from(rig.get("/notes/known", Some(&token)).await.status == 200);
            }
            allowed
        })
    });
    let calls: Vec<_> = calls.collect();
    let mut allowed = 0;
    for call in calls {
        allowed += call.await.unwrap();
    }
    assert_eq!(allowed, 200);
}

/// Cannot count.
struct Away;

impl RateStore for Away {
    fn bucket(&self, _: &str, _: Quota) -> Arc<dyn RateBucket> {
        Arc::new(Self)
    }

    fn place(&self) -> &'static str {
        "nowhere"
    }
}

impl RateBucket for Away {
    fn take(&self, _: &str, _: NonZeroU32) -> Taking {
        Taking::Later(Box::pin(async { Err(RateError("away".to_owned())) }))
    }
}

#[tokio::test]
async fn while_nobody_can_count_the_class_says_what_happens() {
    for (passes, status) in [(true, 200), (false, 503)] {
        let rig = Rig::with(Duration::from_secs(60), limited(&[("anonymous", 1)], &Away, passes)).await;
        assert_eq!(rig.get("/notes/public", None).await.status, status);
    }
}

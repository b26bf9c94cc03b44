//! Who gets where, and what happens when nobody can tell.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::json;
use wharf_host::security::{Source, Standing};
use wharf_proto::auth::v1::revocation::What;

use crate::rig::{Rig, policy, revocations};
use crate::signer::{claims, now};

#[tokio::test]
async fn policies_of_routes_hold_for_everybody() {
    let rig = Rig::start().await;
    let token = |who: &str, changes| rig.signer.sign(&claims(who, changes));
    let (reader, owner, other) = (token("reader", json!({})), token("owner", json!({})), token("other", json!({})));
    let scoped = token("reader", json!({"scope": "blog.* notes.note.write", "jti": "x"}));
    let fits = token("reader", json!({"scope": "notes.*", "jti": "y"}));
    let nothing = token("reader", json!({"scope": "", "jti": "z"}));
    for (path, who, status) in [
        ("/notes/public", None, 200),
        ("/notes/known", None, 401),
        ("/notes/read", None, 401),
        ("/notes/known", Some(&other), 200),
        ("/notes/read", Some(&other), 403),
        ("/notes/read", Some(&reader), 200),
        ("/notes/read", Some(&owner), 200),
        ("/notes/read", Some(&scoped), 403),
        ("/notes/read", Some(&fits), 200),
        ("/notes/read", Some(&nothing), 403),
        ("/notes/known", Some(&nothing), 200),
    ] {
        let answer = rig.get(path, who.map(String::as_str)).await;
        assert_eq!(answer.status, status, "{path} {who:?}: {answer:?}");
        match status {
            401 => assert_eq!(answer.headers["www-authenticate"], "Bearer realm=\"wharf\""),
            403 => assert!(answer.body.contains("notes.note.read"), "{answer:?}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_change_of_the_rules_has_effect_within_a_second() {
    let rig = Rig::start().await;
    let token = rig.signer.sign(&claims("other", json!({})));
    assert_eq!(rig.get("/notes/read", Some(&token)).await.status, 403);
    rig.core.policy.send_replace(policy(2, &[("user:other", "notes.*", "*")]));
    rig.soon("/notes/read", Some(&token), 200).await;
    rig.core.policy.send_replace(policy(3, &[]));
    rig.soon("/notes/read", Some(&token), 403).await;
}

#[tokio::test]
async fn what_is_revoked_is_refused_within_a_second() {
    for what in [
        What::Session("s-ada".to_owned()),
        What::Subject("user:ada".to_owned()),
        What::Token("t-ada".to_owned()),
    ] {
        let rig = Rig::start().await;
        let (ada, eve) = (
            rig.signer.sign(&claims("ada", json!({}))),
            rig.signer.sign(&claims("eve", json!({}))),
        );
        for token in [&ada, &eve] {
            assert_eq!(rig.get("/notes/known", Some(token)).await.status, 200);
        }
        rig.core.revoked.send_replace(revocations(2, vec![what.clone()]));
        rig.soon("/notes/known", Some(&ada), 401).await;
        assert_eq!(rig.get("/notes/public", Some(&ada)).await.status, 401, "{what:?}");
        assert_eq!(rig.get("/notes/known", Some(&eve)).await.status, 200, "{what:?}: only hers");
    }
}

#[tokio::test]
async fn tokens_of_one_second_are_told_apart_by_their_millisecond() {
    let rig = Rig::start().await;
    let second = now() - 2;
    let token = |name: &str, claims_of: serde_json::Value| {
        let mut changes = claims_of;
        changes["jti"] = json!(name);
        rig.signer.sign(&claims("ada", changes))
    };
    let (older, younger) = (
        token("older", json!({ "iat": second, "iat_ms": second * 1000 + 499 })),
        token("younger", json!({ "iat": second, "iat_ms": second * 1000 + 500 })),
    );
    // What says no millisecond, or one of another second, is as old as its second.
    let (silent, lying) = (
        token("silent", json!({ "iat": second })),
        token("lying", json!({ "iat": second, "iat_ms": (second + 1) * 1000 + 500 })),
    );
    let fraction = token("fraction", json!({ "iat": second as f64 + 0.75 }));
    for token in [&older, &younger, &silent, &lying, &fraction] {
        assert_eq!(rig.get("/notes/known", Some(token)).await.status, 200);
    }
    let mut update = revocations(2, vec![What::Subject("user:ada".to_owned())]);
    update.revocations[0].before = Some(prost_types::Timestamp {
        seconds: second,
        nanos: 500_000_000,
    });
    rig.core.revoked.send_replace(update);
    for token in [&older, &silent, &lying] {
        rig.soon("/notes/known", Some(token), 401).await;
    }
    for token in [&younger, &fraction] {
        assert_eq!(rig.get("/notes/known", Some(token)).await.status, 200);
    }
    let text = token("text", json!({ "iat": second, "iat_ms": "soon" }));
    assert_eq!(rig.get("/notes/known", Some(&text)).await.status, 401);
}

#[tokio::test]
async fn a_key_whose_account_was_shut_out_is_asked_about_again_and_counts_when_it_may() {
    let rig = Rig::start().await;
    let asked = || rig.core.key_checks.load(Ordering::SeqCst);
    assert_eq!(rig.get("/notes/known", Some("wharf_good")).await.status, 200);
    rig.core
        .revoked
        .send_replace(revocations(2, vec![What::Subject("service:robot".to_owned())]));
    let until = Instant::now() + Duration::from_secs(1);
    while asked() == 1 {
        assert!(Instant::now() < until, "an answer of before the revocation is taken still");
        assert_eq!(rig.get("/notes/known", Some("wharf_good")).await.status, 200);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(rig.get("/notes/known", Some("wharf_good")).await.status, 200);
}

#[tokio::test]
async fn api_keys_are_asked_about_once_and_refused_when_revoked() {
    let rig = Rig::start().await;
    let asked = || rig.core.key_checks.load(Ordering::SeqCst);
    for _ in 0..3 {
        let answer = rig.get("/notes/known", Some("wharf_good")).await;
        assert_eq!(answer.body, "service:robot token=false");
    }
    assert_eq!(asked(), 1);
    for (key, path, status) in [
        ("wharf_unknown", "/notes/public", 401),
        ("wharf_host", "/notes/known", 401),
        ("wharf_broken", "/notes/known", 503),
        ("wharf_broken", "/notes/public", 200),
    ] {
        assert_eq!(rig.get(path, Some(key)).await.status, status, "{key} {path}");
    }
    rig.core.revoked.send_replace(revocations(2, vec![What::ApiKey("k1".to_owned())]));
    rig.soon("/notes/known", Some("wharf_good"), 401).await;
}

#[tokio::test]
async fn when_the_sources_fall_silent_protected_requests_fail_closed_and_public_ones_go_on() {
    let mut rig = Rig::with(Duration::from_millis(400), |gateway| gateway).await;
    let token = rig.signer.sign(&claims("reader", json!({})));
    rig.soon("/notes/read", Some(&token), 200).await;
    rig.stop_watching();
    rig.until("the sources are too old", |rig| rig.standing(Source::Keys) == Standing::Silent)
        .await;
    for path in ["/notes/read", "/notes/known"] {
        let answer = rig.get(path, Some(&token)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.headers["retry-after"].to_str().unwrap()),
            (503, "5"),
            "{path}"
        );
    }
    assert_eq!(rig.get("/notes/public", Some(&token)).await.body, "anonymous token=false");
    assert_eq!(rig.get("/notes/public", None).await.status, 200);
    assert_eq!(rig.get("/notes/read", None).await.status, 401);
}

#[tokio::test]
async fn a_core_module_that_is_replaced_is_followed_and_one_that_comes_is_found() {
    let rig = Rig::silent(Duration::from_secs(60), |gateway| gateway);
    let token = rig.signer.sign(&claims("reader", json!({})));
    let answer = rig.get("/notes/read", Some(&token)).await;
    assert_eq!(answer.status, 401);
    assert!(answer.body.contains("module auth does not run"), "{answer:?}");
    rig.serve(&["auth", "authz"]);
    rig.soon("/notes/read", Some(&token), 200).await;
    for round in 0..5_u64 {
        rig.serve(&["auth", "authz"]);
        rig.core.policy.send_replace(policy(10 + round, &[]));
        rig.soon("/notes/read", Some(&token), 403).await;
        rig.core.policy.send_replace(policy(20 + round, &[("user:reader", "notes.*", "*")]));
        rig.soon("/notes/read", Some(&token), 200).await;
    }
}

#[tokio::test]
async fn permissions_are_reported_after_every_change_of_the_routes() {
    let rig = Rig::start().await;
    rig.until("a report", |rig| !rig.core.reported.lock().unwrap().is_empty()).await;
    let report = rig.core.reported.lock().unwrap()[0].clone();
    assert_eq!((report.node.as_str(), report.modules[0].module.as_str()), ("n1", "notes"));
    assert_eq!(report.modules[0].permissions[0].name, "notes.note.read");
    let before = rig.core.reported.lock().unwrap().len();
    rig.serve(&["auth", "authz"]);
    rig.until("another report", |rig| rig.core.reported.lock().unwrap().len() > before)
        .await;
}

//! Signing keys, and tokens that are none of ours.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::rig::{Rig, part};

#[tokio::test]
async fn a_key_is_published_before_it_signs_and_stays_until_its_tokens_have_expired() {
    let config = json!({ "key_seconds": 4, "key_published_before_seconds": 2, "access_token_seconds": 1 });
    let rig = Rig::with(config).await;
    let first = rig.tokens("ada").await;
    let kid = |token: &str| part(token, 0)["kid"].as_str().unwrap().to_owned();
    let until = Instant::now() + Duration::from_secs(20);
    let published = loop {
        rig.host.run_job("auth", "tend").await;
        let keys = rig.jwks().await;
        if keys.len() == 2 {
            break keys;
        }
        assert!(Instant::now() < until, "no second key came: {keys:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(
        kid(&rig.tokens("ada").await.access),
        kid(&first.access),
        "it signs as soon as it is published"
    );
    let second = loop {
        let token = rig.tokens("ada").await.access;
        if kid(&token) != kid(&first.access) {
            break token;
        }
        assert!(Instant::now() < until, "the second key never signs");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(
        published.iter().any(|key| key["kid"] == kid(&second).as_str()),
        "it was not published before"
    );
    assert!(
        rig.jwks().await.iter().any(|key| key["kid"] == kid(&first.access).as_str()),
        "the old one went too early"
    );
    assert!(rig.is_active(&second).await);
}

#[tokio::test]
async fn both_algorithms_work_and_nodes_share_their_keys() {
    for (algorithm, kind) in [("EdDSA", "OKP"), ("ES256", "EC")] {
        let config = json!({ "algorithm": algorithm });
        let rig = Rig::with(config.clone()).await;
        let other = rig.beside(config, "other").await;
        let token = rig.tokens("ada").await.access;
        assert_eq!(part(&token, 0)["alg"], algorithm);
        assert!(rig.is_active(&token).await && other.is_active(&token).await);
        let keys = other.jwks().await;
        assert_eq!((keys.len(), &keys[0]["kty"], &keys[0]["use"]), (1, &json!(kind), &json!("sig")));
        assert_eq!((keys[0].get("d"), &keys), (None, &rig.jwks().await));
    }
}

#[tokio::test]
async fn tokens_that_are_not_ours_do_not_count() {
    let rig = Rig::start().await;
    let token = rig.tokens("ada").await.access;
    let (header, claims) = (part(&token, 0), part(&token, 1));
    let signature = token.rsplit('.').next().unwrap();
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let with = |header: &Value, claims: &Value, signature: &str| format!("{}.{}.{signature}", encode(header), encode(claims));
    let changed = |value: &Value, key: &str, new: Value| {
        let mut value = value.clone();
        value[key] = new;
        value
    };
    let jwk = rig.jwks().await.remove(0);
    let public = URL_SAFE_NO_PAD.decode(jwk["x"].as_str().unwrap()).unwrap();
    // The classic confusion: a public key used as the secret of a MAC.
    let mut confused = Header::new(Algorithm::HS256);
    confused.kid = header["kid"].as_str().map(str::to_owned);
    confused.typ = Some("at+jwt".to_owned());
    let confused = jsonwebtoken::encode(&confused, &claims, &EncodingKey::from_secret(&public)).unwrap();
    let sum: String = signature.chars().rev().collect();
    for (what, wrong) in [
        ("no algorithm", with(&changed(&header, "alg", json!("none")), &claims, "")),
        (
            "no algorithm, other case",
            with(&changed(&header, "alg", json!("nOnE")), &claims, signature),
        ),
        ("a public key as a secret", confused),
        ("another type", with(&changed(&header, "typ", json!("JWT")), &claims, signature)),
        (
            "no type",
            with(&json!({ "alg": "EdDSA", "kid": header["kid"] }), &claims, signature),
        ),
        ("an unknown key", with(&changed(&header, "kid", json!("other")), &claims, signature)),
        (
            "a path as a key",
            with(&changed(&header, "kid", json!("../../etc/passwd")), &claims, signature),
        ),
        ("a key of its own", with(&changed(&header, "jwk", jwk.clone()), &claims, signature)),
        ("another subject", with(&header, &changed(&claims, "sub", json!("bob")), signature)),
        (
            "another issuer",
            with(&header, &changed(&claims, "iss", json!("https://evil.example")), signature),
        ),
        (
            "a later end",
            with(&header, &changed(&claims, "exp", json!(99_999_999_999_i64)), signature),
        ),
        ("another signature", with(&header, &claims, &sum)),
        ("no signature", with(&header, &claims, "")),
        ("something behind", format!("{token}.x")),
        ("too long", format!("{}{token}", "a".repeat(10_000))),
        ("nothing", String::new()),
    ] {
        if wrong.is_empty() {
            continue;
        }
        assert_eq!(rig.introspect(&wrong).await, json!({ "active": false }), "{what}");
    }
    assert!(rig.is_active(&token).await);
}

#[tokio::test]
async fn a_token_for_another_audience_or_of_another_issuer_does_not_count() {
    let rig = Rig::with(json!({ "audience": "one" })).await;
    let token = rig.tokens("ada").await.access;
    for config in [
        json!({ "audience": "two" }),
        json!({ "audience": "one", "public_url": "https://other.example.org" }),
    ] {
        let other = rig.beside(config.clone(), "other").await;
        assert!(!other.is_active(&token).await, "{config}");
    }
    assert!(rig.is_active(&token).await);
}

#[tokio::test]
async fn discovery_names_the_issuer_and_what_is_served() {
    let rig = Rig::with(json!({ "public_url": "https://wharf.example.org/" })).await;
    for path in [
        "/auth/.well-known/openid-configuration",
        "/auth/.well-known/oauth-authorization-server",
    ] {
        let metadata: Value = rig.host.get(path).await.json();
        assert_eq!(metadata["issuer"], "https://wharf.example.org/auth");
        assert_eq!(metadata["token_endpoint"], "https://wharf.example.org/auth/v1/token");
        assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
        assert_eq!(metadata["response_types_supported"], json!(["code"]));
    }
}

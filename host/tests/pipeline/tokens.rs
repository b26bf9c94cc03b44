//! Tokens that count, and everything that does not.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;

use crate::rig::{Rig, keys};
use crate::signer::{Signer, by_hand, claims, now};

#[tokio::test]
async fn a_token_that_counts_says_who_calls_and_no_module_sees_it() {
    let rig = Rig::start().await;
    let token = rig.signer.sign(&claims("ada", json!({})));
    for path in ["/notes/known", "/notes/public"] {
        let answer = rig.get(path, Some(&token)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body.as_str()),
            (200, "user:ada token=false"),
            "{path}"
        );
    }
    let many = rig.signer.sign(&claims(
        "ada",
        json!({"aud": ["other", "wharf"], "jti": "t2", "iat": now() as f64 - 0.5}),
    ));
    assert_eq!(rig.get("/notes/known", Some(&many)).await.status, 200);
    let service = rig.signer.sign(&claims("robot", json!({"kind": "service"})));
    assert_eq!(rig.get("/notes/known", Some(&service)).await.body, "service:robot token=false");
}

#[tokio::test]
async fn other_schemes_are_left_to_modules() {
    let rig = Rig::start().await;
    let request = http::Request::get("/notes/public").header("authorization", "Basic YTpi");
    let answer = rig
        .send(request.body(wharf_host::http::body::Body::empty()).unwrap(), "9.9.9.9:1")
        .await;
    assert_eq!(answer.body, "anonymous token=true");
}

#[tokio::test]
async fn every_token_that_is_wrong_is_refused_on_public_routes_too() {
    let rig = Rig::start().await;
    let (signer, stranger, curve) = (&rig.signer, Signer::ed25519("k1"), Signer::p256("k2"));
    rig.core.keys.send_replace(keys(&[signer, &curve]));
    let good = claims("ada", json!({}));
    rig.soon("/notes/known", Some(&curve.sign(&claims("eve", json!({})))), 200).await;
    let sign = |changes| signer.sign(&claims("ada", changes));
    let header = |change: fn(&mut Header)| {
        let mut header = signer.header();
        change(&mut header);
        signer.sign_with(&header, &good)
    };
    let confused = |secret: &[u8], id: &str| {
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(id.to_owned());
        jsonwebtoken::encode(&header, &good, &EncodingKey::from_secret(secret)).unwrap()
    };
    let plain = |header: serde_json::Value| by_hand(&header, &good, b"");
    let token = signer.sign(&good);
    let (start, signature) = token.rsplit_once('.').unwrap();
    let swapped = {
        let other = signer.sign(&claims("root", json!({})));
        let payload = other.split('.').nth(1).unwrap();
        let mut parts: Vec<&str> = token.split('.').collect();
        parts[1] = payload;
        parts.join(".")
    };
    let jwk = signer.published().jwk;
    let table: &[(&str, String)] = &[
        ("alg none", plain(json!({"alg": "none", "typ": "at+jwt", "kid": "k1"}))),
        ("alg None", plain(json!({"alg": "None", "typ": "at+jwt", "kid": "k1"}))),
        ("no alg", plain(json!({"typ": "at+jwt", "kid": "k1"}))),
        ("HS256 with the public key", confused(signer.public(), "k1")),
        ("HS256 with the JWK", confused(jwk.as_bytes(), "k1")),
        ("HS256 with the other key", confused(curve.public(), "k2")),
        (
            "ES256 says the header of an EdDSA key",
            by_hand(&json!({"alg": "ES256", "typ": "at+jwt", "kid": "k1"}), &good, &[1; 64]),
        ),
        (
            "EdDSA says the header of an ES256 key",
            by_hand(&json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "k2"}), &good, &[1; 64]),
        ),
        ("signed by somebody else under a known id", stranger.sign(&good)),
        ("no kid", header(|header| header.kid = None)),
        ("unknown kid", header(|header| header.kid = Some("k9".to_owned()))),
        ("kid is a path", header(|header| header.kid = Some("../../dev/null".to_owned()))),
        ("kid is SQL", header(|header| header.kid = Some("k1' OR '1'='1".to_owned()))),
        ("kid with a zero byte", header(|header| header.kid = Some("k1\0".to_owned()))),
        ("no typ", header(|header| header.typ = None)),
        ("typ JWT", header(|header| header.typ = Some("JWT".to_owned()))),
        ("typ of a logout token", header(|header| header.typ = Some("logout+jwt".to_owned()))),
        (
            "crit",
            by_hand(
                &json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "k1", "crit": ["b64"], "b64": false}),
                &good,
                &[1; 64],
            ),
        ),
        (
            "its own key in the header",
            by_hand(
                &json!({"alg": "EdDSA", "typ": "at+jwt", "jwk": serde_json::from_str::<serde_json::Value>(&stranger.published().jwk).unwrap()}),
                &good,
                &[1; 64],
            ),
        ),
        ("wrong issuer", sign(json!({"iss": "https://evil.test"}))),
        ("no issuer", sign(json!({"iss": null}))),
        ("issuer is a list", sign(json!({"iss": ["https://wharf.test"]}))),
        ("wrong audience", sign(json!({"aud": "other"}))),
        ("no audience", sign(json!({"aud": null}))),
        ("no audience in the list", sign(json!({"aud": []}))),
        ("expired", sign(json!({"exp": now() - 120}))),
        ("no exp", sign(json!({"exp": null}))),
        ("exp is text", sign(json!({"exp": "9999999999"}))),
        ("not yet", sign(json!({"nbf": now() + 120}))),
        ("issued in the future", sign(json!({"iat": now() + 120}))),
        ("no iat", sign(json!({"iat": null}))),
        ("no sub", sign(json!({"sub": null}))),
        ("empty sub", sign(json!({"sub": ""}))),
        ("sub with a line break", sign(json!({"sub": "ada\nroot"}))),
        ("no jti", sign(json!({"jti": null}))),
        ("no tenant", sign(json!({"tenant": null}))),
        ("kind host", sign(json!({"kind": "host"}))),
        ("kind module", sign(json!({"kind": "module"}))),
        ("no kind", sign(json!({"kind": null}))),
        ("another payload under the signature", swapped),
        ("signature cut", format!("{start}.{}", &signature[..signature.len() - 4])),
        ("no signature", format!("{start}.")),
        ("two parts", start.to_owned()),
        ("four parts", format!("{token}.x")),
        ("no base64", "%%%.%%%.%%%".replace('%', "~")),
        ("too long", format!("{token}{}", "A".repeat(9000))),
        ("empty", String::new()),
    ];
    for (what, token) in table {
        for path in ["/notes/public", "/notes/known", "/notes/read"] {
            let answer = rig.get(path, Some(token)).await;
            assert_eq!(answer.status, 401, "{what} on {path}: {answer:?}");
            let challenge = answer.headers["www-authenticate"].to_str().unwrap();
            assert!(
                challenge.starts_with("Bearer realm=\"wharf\", error=\"invalid_token\", error_description=\""),
                "{what}: {challenge}"
            );
            assert!(
                token.is_empty() || !format!("{answer:?}").contains(token.as_str()),
                "{what}: the token is in the answer"
            );
        }
    }
    assert_eq!(
        rig.get("/notes/known", Some(&token)).await.status,
        200,
        "the right one still counts"
    );
}

#[tokio::test]
async fn clocks_may_differ_by_the_leeway_and_no_more() {
    let rig = Rig::start().await;
    for (changes, status) in [
        (json!({"exp": now() - 2, "jti": "a"}), 200),
        (json!({"exp": now() - 30, "jti": "b"}), 401),
        (json!({"iat": now() + 3, "jti": "c"}), 200),
        (json!({"nbf": now() + 30, "jti": "d"}), 401),
    ] {
        let token = rig.signer.sign(&claims("ada", changes.clone()));
        assert_eq!(rig.get("/notes/known", Some(&token)).await.status, status, "{changes}");
    }
}

#[tokio::test]
async fn a_key_that_is_taken_back_ends_its_tokens_and_a_new_one_counts() {
    let rig = Rig::start().await;
    let token = rig.signer.sign(&claims("ada", json!({})));
    assert_eq!(rig.get("/notes/known", Some(&token)).await.status, 200);
    let next = Signer::p256("k2");
    rig.core.keys.send_replace(keys(&[&rig.signer, &next]));
    let newer = next.sign(&claims("ada", json!({})));
    rig.soon("/notes/known", Some(&newer), 200).await;
    assert_eq!(
        rig.get("/notes/known", Some(&token)).await.status,
        200,
        "both count while they overlap"
    );
    rig.core.keys.send_replace(keys(&[&next]));
    rig.soon("/notes/known", Some(&token), 401).await;
    let impostor = Signer::ed25519("k1");
    rig.core.keys.send_replace(keys(&[&next, &impostor]));
    rig.soon("/notes/known", Some(&impostor.sign(&claims("ada", json!({})))), 200).await;
    assert_eq!(
        rig.get("/notes/known", Some(&token)).await.status,
        401,
        "another key of the same id"
    );
}

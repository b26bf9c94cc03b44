//! Logging in, refreshing, revoking.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use crate::rig::{Rig, Tokens, part};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_password_opens_a_session_and_the_token_says_who_it_is() {
    let rig = Rig::with(json!({ "public_url": "https://wharf.example.org", "audience": "wharf" })).await;
    let answer = rig.log_in("ada").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body: Value = answer.json();
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(600)));
    let token = body["access_token"].as_str().unwrap();
    let header = part(token, 0);
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("EdDSA")));
    let claims = part(token, 1);
    for (claim, expected) in [
        ("iss", "https://wharf.example.org/auth"),
        ("aud", "wharf"),
        ("sub", "ada"),
        ("kind", "user"),
        ("tenant", "default"),
        ("client_id", "wharf"),
        ("name", "ada"),
    ] {
        assert_eq!(claims[claim], expected, "{claim}");
    }
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);
    assert!(claims["sid"].is_string() && claims["jti"].is_string() && claims["auth_time"].is_i64() && claims["nbf"].is_i64());
    assert!(claims.get("scope").is_none());
    assert!(rig.is_active(token).await);
}

#[tokio::test]
async fn every_wrong_outcome_has_one_sentence() {
    let rig = Rig::start().await;
    let mut sentences = std::collections::BTreeSet::new();
    for (login, password, tenant) in [
        ("ada@example.org", "wrong", ""),
        ("nobody@example.org", "wrong", ""),
        ("eve@example.org", "canary-password-of-eve", ""),
        ("zoe@example.org", "canary-password-of-zoe", ""),
        ("ada@example.org", "canary-password-of-ada", "other"),
        ("robot@example.org", "canary-password-of-robot", ""),
        ("ada@example.org", &"x".repeat(2000), ""),
        ("", "", ""),
    ] {
        let body = json!({ "login": login, "password": password, "tenant": tenant });
        let answer = rig.host.post("/auth/v1/sessions", &body).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{login}: {}", answer.text());
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"wharf\""));
        sentences.insert(answer.json::<Value>()["detail"].as_str().unwrap().to_owned());
    }
    assert_eq!(sentences.into_iter().collect::<Vec<_>>(), ["login or password is wrong"]);
    let other = json!({ "login": "zoe@example.org", "password": "canary-password-of-zoe", "tenant": "other" });
    assert_eq!(rig.host.post("/auth/v1/sessions", &other).await.status, StatusCode::OK);
}

#[tokio::test]
async fn too_many_tries_are_told_to_wait() {
    let rig = Rig::start().await;
    let answer = rig.log_in("locked").await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.header("retry-after"), Some("30"));
}

#[tokio::test]
async fn what_is_no_login_is_refused_without_repeating_it() {
    let rig = Rig::start().await;
    for body in [
        json!([]),
        json!({}),
        json!({ "login": 1, "password": "canary-x" }),
        json!({ "login": "a", "password": "canary-x", "more": 1 }),
    ] {
        let answer = rig.host.post("/auth/v1/sessions", &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text());
        assert!(!answer.text().contains("canary"), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_a_second_use_ends_the_session() {
    let rig = Rig::start().await;
    let first = rig.tokens("ada").await;
    let other = rig.tokens("ada").await;
    let answer = rig.refresh(&first.refresh).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let second = Tokens::of(&answer);
    assert_ne!(second.refresh, first.refresh);
    assert_eq!(part(&second.access, 1)["sid"], part(&first.access, 1)["sid"]);
    let again = rig.refresh(&first.refresh).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    assert_eq!(again.json::<Value>()["error"], "invalid_grant");
    // Everything that came of it, too.
    assert_eq!(rig.refresh(&second.refresh).await.status, StatusCode::BAD_REQUEST);
    for token in [&first.access, &second.access] {
        assert!(!rig.is_active(token).await);
    }
    assert!(rig.is_active(&other.access).await, "another session of the same account was ended");
}

#[tokio::test]
async fn of_many_that_use_one_refresh_token_at_once_at_most_one_gets_tokens() {
    let rig = Rig::start().await;
    let tokens = rig.tokens("ada").await;
    let tries = (0..8).map(|_| rig.refresh(&tokens.refresh));
    let answers = futures_join(tries).await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status == StatusCode::OK).collect();
    assert!(won.len() <= 1, "{} got tokens", won.len());
    for answer in won {
        assert_eq!(
            rig.refresh(&Tokens::of(answer).refresh).await.status,
            StatusCode::BAD_REQUEST,
            "the session lives on"
        );
    }
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_and_at_its_latest() {
    let config = json!({ "session_idle_seconds": 1, "session_seconds": 100 });
    for config in [config, json!({ "session_idle_seconds": 100, "session_seconds": 1 })] {
        let rig = Rig::with(config.clone()).await;
        let tokens = rig.tokens("ada").await;
        rig.wait_until_dead(&tokens.refresh, 3 * SECOND).await;
        assert_eq!(rig.refresh(&tokens.refresh).await.status, StatusCode::BAD_REQUEST, "{config}");
    }
}

#[tokio::test]
async fn an_access_token_ends_by_itself() {
    let rig = Rig::with(json!({ "access_token_seconds": 1 })).await;
    let tokens = rig.tokens("ada").await;
    rig.wait_until_dead(&tokens.access, 4 * SECOND).await;
    assert_eq!(rig.refresh(&tokens.refresh).await.status, StatusCode::OK);
}

#[tokio::test]
async fn revoking_a_refresh_token_ends_its_session_and_an_access_token_only_itself() {
    let rig = Rig::start().await;
    let one = rig.tokens("ada").await;
    let revoke = async |token: &str, client| {
        let fields: Vec<(&str, &str)> = std::iter::once(("token", token)).chain(client).collect();
        rig.form("/auth/v1/revoke", &fields).await.status
    };
    // Somebody else's client is told nothing, and nothing happens.
    assert_eq!(revoke(&one.refresh, Some(("client_id", "wharf-cli"))).await, StatusCode::OK);
    assert!(rig.is_active(&one.refresh).await);
    assert_eq!(revoke(&one.access, None).await, StatusCode::OK);
    assert!(!rig.is_active(&one.access).await);
    assert!(rig.is_active(&one.refresh).await, "the session ended with one of its tokens");
    assert_eq!(revoke(&one.refresh, None).await, StatusCode::OK);
    assert!(!rig.is_active(&one.refresh).await);
    assert_eq!(rig.refresh(&one.refresh).await.status, StatusCode::BAD_REQUEST);
    for nothing in ["", "nothing", &one.refresh] {
        let expected = if nothing.is_empty() {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::OK
        };
        assert_eq!(revoke(nothing, None).await, expected, "{nothing}");
    }
    assert_eq!(revoke("x", Some(("client_id", "unknown"))).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_service_account_gets_a_token_in_its_own_name_and_no_refresh_token() {
    let rig = Rig::start().await;
    let fields = [("grant_type", "client_credentials"), ("scope", "blog.* shop.order.read")];
    let answer = rig
        .form_as("/auth/v1/token", &fields, Some(("robot", "canary-secret-of-robot")))
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let body: Value = answer.json();
    assert!(body.get("refresh_token").is_none());
    let claims = part(body["access_token"].as_str().unwrap(), 1);
    assert_eq!(
        (&claims["kind"], &claims["sub"], &claims["client_id"]),
        (&json!("service"), &json!("robot"), &json!("robot"))
    );
    assert_eq!(claims["scope"], "blog.* shop.order.read");
    assert!(claims.get("sid").is_none());
    let in_form = [
        ("grant_type", "client_credentials"),
        ("client_id", "robot"),
        ("client_secret", "canary-secret-of-robot"),
    ];
    assert_eq!(rig.form("/auth/v1/token", &in_form).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_token_endpoint_refuses_what_it_should() {
    let rig = Rig::start().await;
    let tokens = rig.tokens("ada").await;
    let refresh = tokens.refresh.as_str();
    let robot = Some(("robot", "canary-secret-of-robot"));
    for (fields, client, status, error) in [
        (vec![], None, 400, "invalid_request"),
        (
            vec![("grant_type", "password"), ("client_id", "wharf")],
            None,
            400,
            "invalid_request",
        ),
        (vec![("grant_type", "refresh_token")], None, 400, "invalid_request"),
        (
            vec![("grant_type", "refresh_token"), ("refresh_token", "unknown")],
            None,
            400,
            "invalid_grant",
        ),
        (
            vec![
                ("grant_type", "refresh_token"),
                ("refresh_token", refresh),
                ("client_id", "wharf-cli"),
            ],
            None,
            400,
            "invalid_grant",
        ),
        (
            vec![("grant_type", "refresh_token"), ("refresh_token", refresh), ("client_id", "nobody")],
            None,
            401,
            "invalid_client",
        ),
        (
            vec![
                ("grant_type", "refresh_token"),
                ("refresh_token", refresh),
                ("client_id", "wharf"),
                ("client_secret", "x"),
            ],
            None,
            401,
            "invalid_client",
        ),
        (
            vec![
                ("grant_type", "refresh_token"),
                ("grant_type", "refresh_token"),
                ("refresh_token", refresh),
            ],
            None,
            400,
            "invalid_request",
        ),
        (vec![("grant_type", "client_credentials")], None, 400, "invalid_request"),
        (
            vec![("grant_type", "client_credentials"), ("client_id", "robot")],
            None,
            401,
            "invalid_client",
        ),
        (
            vec![("grant_type", "client_credentials")],
            Some(("robot", "wrong")),
            401,
            "invalid_client",
        ),
        (
            vec![("grant_type", "client_credentials")],
            Some(("ada", "canary-secret-of-ada")),
            401,
            "invalid_client",
        ),
        (
            vec![("grant_type", "client_credentials"), ("client_secret", "canary-secret-of-robot")],
            robot,
            400,
            "invalid_request",
        ),
        (
            vec![("grant_type", "client_credentials"), ("scope", "No Scope")],
            robot,
            400,
            "invalid_request",
        ),
        (
            vec![
                ("grant_type", "authorization_code"),
                ("client_id", "wharf-cli"),
                ("code", "x"),
                ("redirect_uri", "http://127.0.0.1/callback"),
            ],
            None,
            400,
            "invalid_request",
        ),
        (
            vec![
                ("grant_type", "authorization_code"),
                ("client_id", "wharf-cli"),
                ("code", "x"),
                ("redirect_uri", "http://127.0.0.1/callback"),
                ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            ],
            None,
            400,
            "invalid_grant",
        ),
    ] {
        let answer = rig.form_as("/auth/v1/token", &fields, client).await;
        let body = answer.text();
        assert_eq!(
            (answer.status.as_u16(), &answer.json::<Value>()["error"]),
            (status, &json!(error)),
            "{fields:?}: {body}"
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(!body.contains(refresh) && !body.contains("canary"), "{body}");
        assert_eq!(
            answer.header("www-authenticate").is_some(),
            error == "invalid_client" || error == "invalid_grant"
        );
    }
    let answer = rig.host.post("/auth/v1/token", &json!({ "grant_type": "refresh_token" })).await;
    assert_eq!(
        (answer.status, answer.json::<Value>()["error"].clone()),
        (StatusCode::BAD_REQUEST, json!("invalid_request"))
    );
    assert_eq!(rig.refresh(refresh).await.status, StatusCode::OK, "a refused try used the token up");
}

#[tokio::test]
async fn introspection_needs_somebody_who_can_prove_who_it_is() {
    let rig = Rig::start().await;
    let tokens = rig.tokens("ada").await;
    let ask = async |fields: &[(&str, &str)], client| rig.form_as("/auth/v1/introspect", fields, client).await;
    for (fields, client) in [
        (vec![("token", tokens.access.as_str())], Some(("robot", "wrong"))),
        (vec![("token", tokens.access.as_str()), ("client_id", "wharf")], None),
        (vec![("token", tokens.access.as_str()), ("client_id", "robot")], None),
    ] {
        let answer = ask(&fields, client).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text());
    }
    let told = rig.introspect(&tokens.access).await;
    assert_eq!(
        (&told["active"], &told["sub"], &told["tenant"]),
        (&json!(true), &json!("ada"), &json!("default"))
    );
    let told = rig.introspect(&tokens.refresh).await;
    assert_eq!((&told["active"], &told["sub"]), (&json!(true), &json!("ada")));
    assert_eq!(rig.introspect("nothing").await, json!({ "active": false }));
}

#[tokio::test]
async fn whoever_is_suspended_is_logged_out_on_every_node_within_a_second() {
    let rig = Rig::start().await;
    let other = rig.beside(json!({}), "other").await;
    let (one, two) = (rig.tokens("ada").await, rig.tokens("ada").await);
    let bob = rig.tokens("bob").await;
    assert!(other.is_active(&one.access).await, "a token of one node counts on the other");
    let suspend = json!({ "id": "ada", "status": "suspended" });
    assert_eq!(rig.host.post("/identity/status", &suspend).await.status, StatusCode::NO_CONTENT);
    rig.host.settle_events().await;
    for token in [&one.access, &two.access, &one.refresh] {
        rig.wait_until_dead(token, SECOND).await;
        other.wait_until_dead(token, SECOND).await;
    }
    assert_eq!(rig.refresh(&one.refresh).await.status, StatusCode::BAD_REQUEST);
    assert!(rig.is_active(&bob.access).await && other.is_active(&bob.access).await);
}

#[tokio::test]
async fn an_account_is_looked_at_again_with_each_refresh() {
    let rig = Rig::start().await;
    let tokens = rig.tokens("ada").await;
    let quietly = json!({ "id": "ada", "status": "suspended", "quietly": true });
    assert_eq!(rig.host.post("/identity/status", &quietly).await.status, StatusCode::NO_CONTENT);
    let answer = rig.refresh(&tokens.refresh).await;
    assert_eq!(
        (answer.status, answer.json::<Value>()["error"].clone()),
        (StatusCode::BAD_REQUEST, json!("invalid_grant"))
    );
    assert!(!rig.is_active(&tokens.access).await, "the session lives on");
}

#[tokio::test]
async fn no_secret_is_in_the_log() {
    let rig = Rig::start().await;
    let tokens = rig.tokens("ada").await;
    let next = Tokens::of(&rig.refresh(&tokens.refresh).await);
    assert_eq!(rig.refresh(&tokens.refresh).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(rig.log_in("eve").await.status, StatusCode::UNAUTHORIZED);
    let lines = rig.host.logs().lines().join("\n");
    assert!(lines.contains("used twice"), "nothing was captured: {lines}");
    for secret in ["canary", &tokens.access, &tokens.refresh, &next.access, &next.refresh] {
        assert!(!lines.contains(secret), "{secret} is in the log:\n{lines}");
    }
}

/// All of them, side by side.
async fn futures_join<F: std::future::Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|cx| {
        for (one, done) in &mut waiting {
            if done.is_none()
                && let std::task::Poll::Ready(output) = one.as_mut().poll(cx)
            {
                *done = Some(output);
            }
        }
        if waiting.iter().all(|(_, done)| done.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    waiting.into_iter().map(|(_, done)| done.unwrap()).collect()
}

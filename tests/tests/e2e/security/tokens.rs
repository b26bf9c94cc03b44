//! Tokens that count, and those that do not any more.

use std::time::{Duration, Instant};

use serde_json::json;
use wharf_tests::people::{host, operate, person};
use wharf_tests::until;

const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_refresh_token_counts_once_and_its_second_use_ends_the_session() {
    let server = host(&["greeter"], "", &[]);
    let ada = person(&server, "default", "ada", &["admin@*"]);
    let refresh = |token: &str| {
        let body = format!("grant_type=refresh_token&refresh_token={token}");
        let form = [("content-type", "application/x-www-form-urlencoded")];
        server.send("POST", "/auth/v1/token", &form, body.as_bytes())
    };
    let second = refresh(&ada.refresh);
    assert_eq!(second.status, 200, "{}", second.body);
    let newer = second.json()["refresh_token"].as_str().unwrap().to_owned();
    assert_ne!(newer, ada.refresh);
    assert_eq!(refresh(&ada.refresh).status, 400, "a used refresh token was taken");
    assert_eq!(refresh(&newer).status, 400, "its family goes on");
    let ended = until(SOON, || (ada.get(&server, "/greeter/statistics").status == 401).then_some(()));
    assert!(ended.is_some(), "the session goes on");
}

#[test]
fn logging_out_everywhere_and_a_suspension_take_effect_within_a_second_or_so() {
    let server = host(&["greeter"], "", &[]);
    let mut ada = person(&server, "default", "ada", &["admin@*"]);
    let allowed = until(SOON, || (ada.get(&server, "/greeter/statistics").status == 200).then_some(()));
    assert!(allowed.is_some());
    let out = ada.call(&server, "wharf.auth.v1.Sessions/LogOutEverywhere", &json!({}));
    assert_eq!(out.status, 200, "{}", out.body);
    let began = Instant::now();
    let refused = until(SOON, || (ada.get(&server, "/greeter/statistics").status == 401).then_some(()));
    assert!(refused.is_some(), "still counts after {:?}", began.elapsed());

    ada.sign_in(&server);
    let allowed = until(SOON, || (ada.get(&server, "/greeter/statistics").status == 200).then_some(()));
    assert!(allowed.is_some(), "a new session does not count");
    operate(
        &server,
        "wharf.identity.v1.Users/SetStatus",
        &json!({ "id": ada.id, "status": "suspended" }),
    );
    let refused = until(SOON, || (ada.get(&server, "/greeter/statistics").status == 401).then_some(()));
    assert!(refused.is_some(), "a suspended account goes on");
}

#[test]
fn anything_that_is_no_token_of_this_host_is_refused() {
    let server = host(&["greeter"], "", &[]);
    let ada = person(&server, "default", "ada", &["admin@*"]);
    let (head, rest) = ada.token.split_once('.').unwrap();
    let (claims, signature) = rest.split_once('.').unwrap();
    // {"alg":"none","typ":"at+jwt"}
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0";
    for (what, token) in [
        ("no algorithm", format!("{none}.{claims}.")),
        ("no algorithm, with a signature", format!("{none}.{claims}.{signature}")),
        ("no signature", format!("{head}.{claims}.")),
        ("another's claims", format!("{head}.eyJzdWIiOiJyb290In0.{signature}")),
        ("no token", "canary".to_owned()),
        (
            "an API key that nobody made",
            "wharf_00000000000000000000000000000000000000000000".to_owned(),
        ),
        ("too long", "a".repeat(20_000)),
    ] {
        let header = format!("Bearer {token}");
        let answer = server.send("GET", "/greeter/statistics", &[("authorization", &header)], b"");
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
        assert!(
            answer.head.to_lowercase().contains("www-authenticate: bearer"),
            "{what}: {}",
            answer.head
        );
    }
    // The refresh token is no access token.
    let header = format!("Bearer {}", ada.refresh);
    assert_eq!(
        server.send("GET", "/greeter/statistics", &[("authorization", &header)], b"").status,
        401
    );
}

#[test]
fn a_call_that_pretends_to_come_from_a_module_is_refused_whoever_it_says_it_is_of() {
    let server = host(&["greeter"], "", &[("WHARF_CHANNEL__MODE", "loopback")]);
    let ada = person(&server, "default", "ada", &["admin@*"]);
    let allowed = until(SOON, || (ada.get(&server, "/greeter/statistics").status == 200).then_some(()));
    assert!(allowed.is_some());
    // What such a token says: the host calls, for this callee and path, until 2100.
    let claims = "eyJpc3MiOiJ3aGFyZi1ob3N0IiwiYXVkIjoiZ3JlZXRlciIsImV4cCI6NDEwMjQ0NDgwMCwicGF0aCI6Ii9ncmVldGVyL3N0YXRpc3RpY3MiLCJjYWxsZXIiOiJibG9nIiwicmVxdWVzdF9pZCI6InIxIiwicGVlciI6bnVsbCwid2hvIjp7ImtpbmQiOiJob3N0IiwiaWQiOiJob3N0IiwidGVuYW50IjoiIiwibmFtZSI6IiIsInNlc3Npb24iOm51bGwsImNsaWVudCI6bnVsbCwic2NvcGVzIjpudWxsLCJhdXRoZW50aWNhdGVkX2F0IjpudWxsLCJncmFudHMiOlsiKiJdfX0";
    let (none, mac) = ("eyJhbGciOiJub25lIn0", "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9");
    for (what, token) in [
        ("no algorithm", format!("{none}.{claims}.")),
        ("no signature", format!("{mac}.{claims}.")),
        (
            "signed with an empty key, or one of zeros",
            format!("{mac}.{claims}.-yEEMdGqXV7y9yfIz8pnpVenNWglvvhU4BcCpK_9XYg"),
        ),
        ("a user's own token", ada.token.clone()),
        ("no token", "canary".to_owned()),
        ("nothing", String::new()),
    ] {
        for path in ["/greeter/statistics", "/greeter/hello/world"] {
            let answer = server.send("GET", path, &[("wharf-call", &token)], b"");
            assert_eq!(answer.status, 401, "{what} on {path}: {answer:?}");
            // Beside a right token too: nobody may say both.
            let answer = ada.send(&server, "GET", path, &[("wharf-call", &token)], b"");
            assert_eq!(answer.status, 401, "{what} with a token on {path}: {answer:?}");
        }
    }
    assert_eq!(ada.get(&server, "/greeter/statistics").status, 200);
    assert_eq!(server.get("/greeter/hello/world").status, 200);
    assert!(!server.process().output().contains("canary"), "{}", server.process().output());
}

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

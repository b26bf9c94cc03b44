//! What browsers are told.

use std::time::Duration;

use http::Request;
use wharf_host::http::body::Body;
use wharf_host::http::cors::{Cors, CorsRules};
use wharf_host::http::shield::Shield;

use crate::rig::{Answer, Rig};

async fn rig(origins: &[&str], credentials: bool) -> Rig {
    let rules = CorsRules {
        origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
        methods: vec!["GET".to_owned(), "PUT".to_owned()],
        headers: vec!["authorization".to_owned()],
        credentials,
        max_age: 600,
    };
    Rig::with(Duration::from_secs(60), |gateway| {
        gateway
            .with_cors(Cors::new(&rules))
            .with_shield(Shield::new().nosniff().referrer_policy("no-referrer").frames(false))
    })
    .await
}

fn field<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.get(name).map(|value| value.to_str().unwrap())
}

async fn ask(rig: &Rig, method: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    rig.send(request.body(Body::empty()).unwrap(), "9.9.9.9:1").await
}

#[tokio::test]
async fn pages_of_named_origins_may_call_and_others_may_not() {
    let rig = rig(&["https://app.test", "http://localhost:5173"], true).await;
    for (origin, path, status, allowed) in [
        ("https://app.test", "/notes/public", 200, Some("https://app.test")),
        ("http://localhost:5173", "/notes/public", 200, Some("http://localhost:5173")),
        ("https://app.test", "/notes/known", 401, Some("https://app.test")),
        ("https://app.test", "/nowhere", 404, Some("https://app.test")),
        ("https://app.test.evil.test", "/notes/public", 200, None),
        ("http://app.test", "/notes/public", 200, None),
        ("null", "/notes/public", 200, None),
    ] {
        let answer = ask(&rig, "GET", path, &[("origin", origin)]).await;
        assert_eq!(answer.status, status, "{origin} {path}");
        assert_eq!(field(&answer, "access-control-allow-origin"), allowed, "{origin} {path}");
        assert_eq!(field(&answer, "access-control-allow-credentials"), allowed.map(|_| "true"));
        assert_eq!(field(&answer, "vary"), Some("origin"));
    }
    assert_eq!(
        field(&ask(&rig, "GET", "/notes/public", &[]).await, "access-control-allow-origin"),
        None
    );
}

#[tokio::test]
async fn preflights_are_answered_by_the_host_before_anybody_is_asked_who_they_are() {
    let rig = rig(&["https://app.test"], false).await;
    let preflight = |origin: &'static str| [("origin", origin), ("access-control-request-method", "PUT")];
    let answer = ask(&rig, "OPTIONS", "/notes/read", &preflight("https://app.test")).await;
    assert_eq!(answer.status, 204);
    assert_eq!(field(&answer, "access-control-allow-origin"), Some("https://app.test"));
    assert_eq!(field(&answer, "access-control-allow-methods"), Some("GET, PUT"));
    assert_eq!(field(&answer, "access-control-allow-headers"), Some("authorization"));
    assert_eq!(field(&answer, "access-control-max-age"), Some("600"));
    assert_eq!(field(&answer, "access-control-allow-credentials"), None);
    let answer = ask(&rig, "OPTIONS", "/notes/read", &preflight("https://evil.test")).await;
    assert_eq!(
        (answer.status.as_u16(), field(&answer, "access-control-allow-methods")),
        (204, None)
    );
    let plain = ask(&rig, "OPTIONS", "/notes/public", &[]).await;
    assert_eq!(field(&plain, "allow"), Some("GET, HEAD, OPTIONS"), "no preflight");
}

#[tokio::test]
async fn all_origins_get_a_star_and_never_credentials() {
    let rig = rig(&["*"], true).await;
    let answer = ask(&rig, "GET", "/notes/public", &[("origin", "https://any.test")]).await;
    assert_eq!(field(&answer, "access-control-allow-origin"), Some("*"));
    assert_eq!(field(&answer, "access-control-allow-credentials"), None);
}

#[tokio::test]
async fn careful_fields_are_added_and_never_overwritten() {
    let rig = rig(&[], false).await;
    rig.answer_with("x-frame-options", "SAMEORIGIN");
    let answer = ask(&rig, "GET", "/notes/public", &[("origin", "https://app.test")]).await;
    assert_eq!(field(&answer, "x-content-type-options"), Some("nosniff"));
    assert_eq!(field(&answer, "referrer-policy"), Some("no-referrer"));
    assert_eq!(field(&answer, "x-frame-options"), Some("SAMEORIGIN"));
    assert_eq!(field(&answer, "content-security-policy"), Some("frame-ancestors 'none'"));
    assert_eq!(field(&answer, "strict-transport-security"), None);
    assert_eq!(field(&answer, "access-control-allow-origin"), None, "off by default");
    assert_eq!(
        field(&ask(&rig, "GET", "/nowhere", &[]).await, "x-content-type-options"),
        Some("nosniff")
    );
}

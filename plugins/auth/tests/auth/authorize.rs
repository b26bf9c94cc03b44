//! The authorization endpoint, and codes.

use std::collections::BTreeMap;

use http::{Request, StatusCode};
use openidconnect::url::Url;
use serde_json::{Value, json};
use wharf_testing::{Answer, Body};

use crate::rig::{Rig, Tokens, encode, part};

/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const REDIRECT: &str = "http://127.0.0.1:49152/callback";

fn query<'a>(changes: &[(&'a str, &'a str)]) -> String {
    let mut fields: BTreeMap<&str, &str> = BTreeMap::from([
        ("response_type", "code"),
        ("client_id", "wharf-cli"),
        ("redirect_uri", REDIRECT),
        ("state", "state & more"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("scope", "openid"),
        ("nonce", "n1"),
    ]);
    for (name, value) in changes {
        match value.is_empty() {
            true => fields.remove(name),
            false => fields.insert(name, value),
        };
    }
    encode(&fields.into_iter().collect::<Vec<_>>())
}

/// The login form: the id of the request, and the cookie.
async fn form(rig: &Rig) -> (String, String) {
    form_for(rig, &[]).await
}

async fn form_for(rig: &Rig, changes: &[(&str, &str)]) -> (String, String) {
    let page = rig.host.get(&format!("/auth/v1/authorize?{}", query(changes))).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text());
    let cookie = page.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let text = page.text();
    let id = text.split("name=\"request\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    (id.to_owned(), cookie)
}

async fn send(rig: &Rig, id: &str, cookie: &str, name: &str, password: &str) -> Answer {
    let login = format!("{name}@example.org");
    let body = encode(&[("request", id), ("login", &login), ("password", password), ("tenant", "")]);
    let request = Request::post("/auth/v1/authorize")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("cookie", cookie)
        .body(Body::full(body))
        .unwrap();
    rig.host.request(request).await
}

/// A code for ada.
async fn code(rig: &Rig) -> String {
    let (id, cookie) = form(rig).await;
    let answer = send(rig, &id, &cookie, "ada", "canary-password-of-ada").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    parameters(&answer)["code"].clone()
}

/// What a client gets for ada, who logs in for it.
pub async fn logged_in(rig: &Rig, client: &[(&str, &str)], exchanged: &[(&str, &str)]) -> Answer {
    let (id, cookie) = form_for(rig, client).await;
    let answer = send(rig, &id, &cookie, "ada", "canary-password-of-ada").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    exchange(rig, &parameters(&answer)["code"], exchanged).await
}

fn parameters(answer: &Answer) -> BTreeMap<String, String> {
    let location = Url::parse(answer.header("location").unwrap()).unwrap();
    location.query_pairs().into_owned().collect()
}

async fn exchange(rig: &Rig, code: &str, changes: &[(&str, &str)]) -> Answer {
    let mut fields: BTreeMap<&str, &str> = BTreeMap::from([
        ("grant_type", "authorization_code"),
        ("client_id", "wharf-cli"),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ]);
    fields.extend(changes.iter().copied());
    rig.form("/auth/v1/token", &fields.into_iter().collect::<Vec<_>>()).await
}

#[tokio::test]
async fn a_login_in_the_browser_gives_the_client_a_code_and_the_code_tokens() {
    let rig = Rig::start().await;
    let (id, cookie) = form(&rig).await;
    let answer = send(&rig, &id, &cookie, "ada", "canary-password-of-ada").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    assert!(answer.header("location").unwrap().starts_with(&format!("{REDIRECT}?")));
    let sent = parameters(&answer);
    assert_eq!(
        (sent["state"].as_str(), sent["iss"].as_str()),
        ("state & more", "http://127.0.0.1:8080/auth")
    );
    let answer = exchange(&rig, &sent["code"], &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let tokens = Tokens::of(&answer);
    assert_eq!(
        (&part(&tokens.access, 1)["sub"], &part(&tokens.access, 1)["client_id"]),
        (&json!("ada"), &json!("wharf-cli"))
    );
    let id_token = part(answer.json::<Value>()["id_token"].as_str().unwrap(), 1);
    assert_eq!(
        (&id_token["aud"], &id_token["nonce"], &id_token["sub"]),
        (&json!("wharf-cli"), &json!("n1"), &json!("ada"))
    );
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens.refresh.as_str()),
        ("client_id", "wharf-cli"),
    ];
    assert_eq!(rig.form("/auth/v1/token", &fields).await.status, StatusCode::OK);
    // An ID token is no access token.
    assert!(!rig.is_active(answer.json::<Value>()["id_token"].as_str().unwrap()).await);
}

#[tokio::test]
async fn the_page_has_no_script_and_cannot_be_framed() {
    let rig = Rig::start().await;
    let page = rig.host.get(&format!("/auth/v1/authorize?{}", query(&[]))).await;
    let policy = page.header("content-security-policy").unwrap();
    for part in [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self' http://127.0.0.1:49152",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !page.text().contains("<script"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let cookie = page.header("set-cookie").unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let secure = Rig::with(json!({ "public_url": "https://wharf.example.org" })).await;
    let page = secure.host.get(&format!("/auth/v1/authorize?{}", query(&[]))).await;
    let cookie = page.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-") && cookie.contains("; Secure"), "{cookie}");
}

#[tokio::test]
async fn nothing_is_sent_to_an_address_that_is_not_the_clients() {
    let rig = Rig::start().await;
    for change in [
        ("client_id", ""),
        ("client_id", "unknown"),
        ("redirect_uri", ""),
        ("redirect_uri", "https://evil.example/callback"),
        ("redirect_uri", "http://127.0.0.1:49152/callback/../evil"),
    ] {
        let answer = rig.host.get(&format!("/auth/v1/authorize?{}", query(&[change]))).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (StatusCode::BAD_REQUEST, None),
            "{change:?}"
        );
    }
    let twice = format!("{}&client_id=wharf-cli", query(&[]));
    assert_eq!(
        rig.host.get(&format!("/auth/v1/authorize?{twice}")).await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn the_client_is_told_what_is_wrong_with_its_request() {
    let rig = Rig::start().await;
    for (change, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("response_type", ""), "invalid_request"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge", "short"), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("response_mode", "fragment"), "invalid_request"),
        (("prompt", "none"), "login_required"),
        (("request", "x"), "request_not_supported"),
        (("request_uri", "https://evil.example"), "request_uri_not_supported"),
        (("scope", "A"), "invalid_scope"),
    ] {
        let answer = rig.host.get(&format!("/auth/v1/authorize?{}", query(&[change]))).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{change:?}");
        let sent = parameters(&answer);
        assert_eq!(
            (sent["error"].as_str(), sent["state"].as_str()),
            (error, "state & more"),
            "{change:?}"
        );
        assert!(sent.contains_key("iss") && !sent.contains_key("code"));
    }
}

#[tokio::test]
async fn a_form_counts_in_the_browser_that_asked_for_it_and_once() {
    let rig = Rig::start().await;
    let (id, cookie) = form(&rig).await;
    let (_, other) = form(&rig).await;
    for (id, cookie) in [(id.as_str(), ""), (id.as_str(), other.as_str()), ("unknown", cookie.as_str())] {
        let answer = send(&rig, id, cookie, "ada", "canary-password-of-ada").await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::BAD_REQUEST, None));
    }
    let wrong = send(&rig, &id, &cookie, "ada", "canary-wrong").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(wrong.text().contains("login or password is wrong") && !wrong.text().contains("canary"));
    assert_eq!(
        send(&rig, &id, &cookie, "ada", "canary-password-of-ada").await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(
        send(&rig, &id, &cookie, "ada", "canary-password-of-ada").await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn what_somebody_types_is_shown_as_text() {
    let rig = Rig::start().await;
    let (id, cookie) = form(&rig).await;
    let answer = send(&rig, &id, &cookie, "\"><script>alert(1)</script>", "x").await;
    assert!(!answer.text().contains("<script"), "{}", answer.text());
}

#[tokio::test]
async fn a_code_is_worth_nothing_to_whoever_lacks_its_verifier_or_comes_from_elsewhere() {
    let rig = Rig::start().await;
    for change in [
        ("code_verifier", "aBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        ("code_verifier", "short"),
        ("redirect_uri", "http://127.0.0.1:49153/callback"),
    ] {
        let code = code(&rig).await;
        let answer = exchange(&rig, &code, &[change]).await;
        assert_eq!(
            (answer.status, answer.json::<Value>()["error"].clone()),
            (StatusCode::BAD_REQUEST, json!("invalid_grant")),
            "{change:?}"
        );
        assert_eq!(
            exchange(&rig, &code, &[]).await.status,
            StatusCode::BAD_REQUEST,
            "a wrong try left the code: {change:?}"
        );
    }
    let code = code(&rig).await;
    let answer = exchange(&rig, &code, &[("client_id", "wharf")]).await;
    assert_eq!(answer.json::<Value>()["error"], "invalid_grant");
}

#[tokio::test]
async fn a_code_that_comes_again_ends_what_came_of_it() {
    let rig = Rig::start().await;
    let code = code(&rig).await;
    let tokens = Tokens::of(&exchange(&rig, &code, &[]).await);
    assert!(rig.is_active(&tokens.access).await);
    assert_eq!(exchange(&rig, &code, &[]).await.status, StatusCode::BAD_REQUEST);
    assert!(!rig.is_active(&tokens.access).await && !rig.is_active(&tokens.refresh).await);
}

#[tokio::test]
async fn a_code_ends_by_itself() {
    let rig = Rig::with(json!({ "code_seconds": 1 })).await;
    let code = code(&rig).await;
    let began = std::time::Instant::now();
    while began.elapsed() < std::time::Duration::from_millis(1100) {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(exchange(&rig, &code, &[]).await.status, StatusCode::BAD_REQUEST);
}

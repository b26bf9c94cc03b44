//! Login through a provider that others wrote and the OpenID Foundation certified. `make test-servers` starts it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

#[path = "auth/rig.rs"]
mod rig;

use std::collections::BTreeMap;

use http::{Request, StatusCode};
use openidconnect::url::Url;
use serde_json::{Value, json};
use wharf_testing::{Answer, Body};

use rig::{Rig, Tokens, encode, part};

const CALLBACK: &str = "/auth/v1/callback/test";

fn provider() -> String {
    std::env::var("WHARF_TEST_OIDC_URL").expect("WHARF_TEST_OIDC_URL is not set: run `make test-servers`")
}

async fn start(change: Value) -> Rig {
    let mut section = json!({ "id": "test", "issuer": provider(), "client_id": "wharf", "allow_private": true });
    section.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let secrets = json!({ "test": "canary-client-secret" }).to_string();
    let host = Rig::builder(json!({ "providers": [section] })).secret("auth", "provider-secrets", secrets);
    Rig { host: host.start().await }
}

/// A browser without a screen: it keeps cookies, and does not follow redirects by itself.
#[derive(Default)]
struct Browser {
    /// By host: Wharf's are under "wharf".
    cookies: BTreeMap<(String, String), String>,
}

impl Browser {
    fn cookie(&self, host: &str) -> String {
        let all = self.cookies.iter().filter(|((of, _), _)| of == host);
        all.map(|((_, name), value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join("; ")
    }

    fn keep<'a>(&mut self, host: &str, set: impl Iterator<Item = &'a http::HeaderValue>) {
        for cookie in set {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert((host.to_owned(), name.to_owned()), value.to_owned());
        }
    }

    /// Asks Wharf, which is a host without sockets.
    async fn wharf(&mut self, rig: &Rig, path: &str) -> Answer {
        let request = Request::get(path)
            .header("cookie", self.cookie("wharf"))
            .body(Body::empty())
            .unwrap();
        let answer = rig.host.request(request).await;
        self.keep("wharf", answer.headers.get_all("set-cookie").iter());
        answer
    }

    /// Logs in at the provider as `name`; gives the address it sends the browser back to.
    async fn log_in(&mut self, address: &str, name: &str) -> Url {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        let mut next = Url::parse(address).unwrap();
        for _ in 0..12 {
            if next.path() == CALLBACK {
                return next;
            }
            let mut response = client
                .get(next.clone())
                .header("cookie", self.cookie("provider"))
                .send()
                .await
                .unwrap();
            self.keep("provider", response.headers().get_all("set-cookie").iter());
            if next.path().starts_with("/interaction/") {
                let page = response.text().await.unwrap();
                let form = match page.contains("name=\"login\"") {
                    true => encode(&[("prompt", "login"), ("login", name), ("password", "x")]),
                    false => encode(&[("prompt", "consent")]),
                };
                let sent = client.post(next.clone()).header("cookie", self.cookie("provider"));
                let sent = sent.header("content-type", "application/x-www-form-urlencoded").body(form);
                response = sent.send().await.unwrap();
                self.keep("provider", response.headers().get_all("set-cookie").iter());
            }
            let status = response.status();
            let Some(location) = response.headers().get("location") else {
                panic!("status {status} without a way on: {}", response.text().await.unwrap());
            };
            next = next.join(location.to_str().unwrap()).unwrap();
        }
        panic!("the provider sends the browser in circles: {next}");
    }
}

/// Begins a login, and gives the address at the provider.
async fn begin(rig: &Rig, browser: &mut Browser) -> String {
    let answer = browser.wharf(rig, "/auth/v1/login/test").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    answer.header("location").unwrap().to_owned()
}

fn below(url: &Url) -> String {
    format!("{}?{}", url.path(), url.query().unwrap_or_default())
}

fn changed(url: &str, name: &str, value: &str) -> String {
    let url = Url::parse(url).unwrap();
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let mut new = url.clone();
    let pairs = pairs
        .iter()
        .map(|(key, old)| (key.as_str(), if key == name { value } else { old.as_str() }));
    new.query_pairs_mut().clear().extend_pairs(pairs);
    new.to_string()
}

#[tokio::test]
async fn somebody_from_elsewhere_logs_in_and_is_known_by_issuer_and_subject() {
    let rig = start(json!({})).await;
    let mut browser = Browser::default();
    let address = begin(&rig, &mut browser).await;
    let sent: BTreeMap<_, _> = Url::parse(&address).unwrap().query_pairs().into_owned().collect();
    assert_eq!(
        (sent["response_type"].as_str(), sent["code_challenge_method"].as_str()),
        ("code", "S256")
    );
    assert!(sent["state"].len() >= 43 && sent["nonce"].len() >= 43 && sent["scope"].contains("openid"));
    let back = browser.log_in(&address, "grace").await;
    let answer = browser.wharf(&rig, &below(&back)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let tokens = Tokens::of(&answer);
    let claims = part(&tokens.access, 1);
    assert_eq!(
        (&claims["sub"], &claims["name"]),
        (&json!("ext-grace"), &json!("grace of elsewhere"))
    );
    assert!(rig.is_active(&tokens.access).await);
    // A second time the same address is worth nothing.
    let again = browser.wharf(&rig, &below(&back)).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST, "{}", again.text());
}

#[tokio::test]
async fn an_address_links_to_an_account_only_where_the_issuer_is_trusted() {
    for (trusted, expected) in [(true, "ada"), (false, "ext-ada")] {
        let rig = start(json!({ "trusted_email": trusted })).await;
        let mut browser = Browser::default();
        let address = begin(&rig, &mut browser).await;
        let back = browser.log_in(&address, "ada").await;
        let answer = browser.wharf(&rig, &below(&back)).await;
        assert_eq!(part(&Tokens::of(&answer).access, 1)["sub"], expected, "trusted: {trusted}");
    }
}

#[tokio::test]
async fn what_was_changed_on_the_way_there_is_refused() {
    let rig = start(json!({})).await;
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    for (what, name, value, status) in [
        ("another nonce", "nonce", "of-somebody-else", StatusCode::UNAUTHORIZED),
        ("another verifier", "code_challenge", challenge, StatusCode::UNAUTHORIZED),
        ("another audience", "client_id", "other", StatusCode::UNAUTHORIZED),
        ("another state", "state", "of-somebody-else", StatusCode::BAD_REQUEST),
    ] {
        let mut browser = Browser::default();
        let address = changed(&begin(&rig, &mut browser).await, name, value);
        let back = browser.log_in(&address, "grace").await;
        let answer = browser.wharf(&rig, &below(&back)).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
        assert!(!answer.text().contains("access_token"), "{what}");
    }
}

#[tokio::test]
async fn what_was_changed_on_the_way_back_is_refused() {
    let rig = start(json!({})).await;
    for (what, name, value, status) in [
        ("another issuer", "iss", "https://evil.example", StatusCode::UNAUTHORIZED),
        ("another code", "code", "of-somebody-else", StatusCode::UNAUTHORIZED),
        ("another state", "state", "of-somebody-else", StatusCode::BAD_REQUEST),
    ] {
        let mut browser = Browser::default();
        let address = begin(&rig, &mut browser).await;
        let back = browser.log_in(&address, "grace").await;
        let back = Url::parse(&changed(back.as_str(), name, value)).unwrap();
        let answer = browser.wharf(&rig, &below(&back)).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
    }
    // Right in everything, and in somebody else's browser.
    let mut browser = Browser::default();
    let address = begin(&rig, &mut browser).await;
    let back = browser.log_in(&address, "grace").await;
    let answer = Browser::default().wharf(&rig, &below(&back)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text());
}

#[tokio::test]
async fn a_client_at_the_authorization_endpoint_gets_its_code_through_the_other_provider() {
    let rig = start(json!({})).await;
    let mut browser = Browser::default();
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let redirect_uri = "http://127.0.0.1:49152/callback";
    let query = encode(&[
        ("response_type", "code"),
        ("client_id", "wharf-cli"),
        ("redirect_uri", redirect_uri),
        ("state", "s1"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ]);
    let page = browser.wharf(&rig, &format!("/auth/v1/authorize?{query}")).await.text();
    let way = page.split("href=\"").nth(1).unwrap().split('"').next().unwrap();
    let answer = browser.wharf(&rig, &format!("/auth/v1/{way}")).await;
    let back = browser.log_in(answer.header("location").unwrap(), "grace").await;
    let answer = browser.wharf(&rig, &below(&back)).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    let back = Url::parse(answer.header("location").unwrap()).unwrap();
    let sent: BTreeMap<_, _> = back.query_pairs().into_owned().collect();
    assert_eq!(sent["state"], "s1");
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "wharf-cli"),
        ("code", sent["code"].as_str()),
        ("redirect_uri", redirect_uri),
        ("code_verifier", verifier),
    ];
    let tokens = Tokens::of(&rig.form("/auth/v1/token", &fields).await);
    assert_eq!(part(&tokens.access, 1)["sub"], "ext-grace");
}

#[tokio::test]
async fn no_secret_of_a_login_elsewhere_is_in_the_log() {
    let rig = start(json!({})).await;
    let mut browser = Browser::default();
    let address = begin(&rig, &mut browser).await;
    let back = browser.log_in(&changed(&address, "nonce", "other"), "grace").await;
    assert_eq!(browser.wharf(&rig, &below(&back)).await.status, StatusCode::UNAUTHORIZED);
    let lines = rig.host.logs().lines().join("\n");
    assert!(lines.contains("ID token was refused"), "nothing was captured: {lines}");
    let sent: Vec<String> = back
        .query_pairs()
        .filter(|(key, _)| key != "iss")
        .map(|(_, value)| value.into_owned())
        .collect();
    let asked = Url::parse(&address).unwrap();
    let nonce = asked.query_pairs().find(|(key, _)| key == "nonce").unwrap().1.into_owned();
    for secret in sent.iter().chain([&nonce]).map(String::as_str).chain(["canary"]) {
        assert!(!lines.contains(secret), "{secret} is in the log:\n{lines}");
    }
}

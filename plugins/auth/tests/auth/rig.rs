//! A host with `auth` and a stand-in for `identity`, and a client's view of it.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Request;
use serde_json::{Value, json};
use wharf_testing::{Answer, Body, Builder, TestHost};

pub struct Rig {
    pub host: TestHost,
}

impl Rig {
    pub async fn start() -> Self {
        Self::with(json!({})).await
    }

    pub async fn with(config: Value) -> Self {
        Self {
            host: Self::builder(config).start().await,
        }
    }

    pub fn builder(config: Value) -> Builder {
        TestHost::builder()
            .module(wharf_auth::root())
            .module(identity_stub::root())
            .config("auth", config)
            // Nodes of one installation have one.
            .secret("auth", "module-key", [7; 32])
    }

    /// Another node of the same installation.
    pub async fn beside(&self, config: Value, name: &str) -> Self {
        Self {
            host: Self::builder(config).beside(&self.host, name).start().await,
        }
    }

    pub async fn log_in(&self, name: &str) -> Answer {
        let login = json!({ "login": format!("{name}@example.org"), "password": format!("canary-password-of-{name}") });
        self.host.post("/auth/v1/sessions", &login).await
    }

    /// Tokens of somebody who logs in.
    pub async fn tokens(&self, name: &str) -> Tokens {
        let answer = self.log_in(name).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        Tokens::of(&answer)
    }

    pub async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.form_as(path, fields, None).await
    }

    /// With HTTP Basic.
    pub async fn form_as(&self, path: &str, fields: &[(&str, &str)], client: Option<(&str, &str)>) -> Answer {
        let mut request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        if let Some((id, secret)) = client {
            request = request.header("authorization", format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))));
        }
        self.host.request(request.body(Body::full(encode(fields))).unwrap()).await
    }

    pub async fn refresh(&self, token: &str) -> Answer {
        self.form("/auth/v1/token", &[("grant_type", "refresh_token"), ("refresh_token", token)])
            .await
    }

    /// What introspection says of a token, asked by a service account.
    pub async fn introspect(&self, token: &str) -> Value {
        let answer = self
            .form_as(
                "/auth/v1/introspect",
                &[("token", token)],
                Some(("robot", "canary-secret-of-robot")),
            )
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    pub async fn is_active(&self, token: &str) -> bool {
        self.introspect(token).await["active"] == true
    }

    /// Waits until a token does not count any more on this node.
    pub async fn wait_until_dead(&self, token: &str, within: Duration) {
        let until = Instant::now() + within;
        while self.is_active(token).await {
            assert!(Instant::now() < until, "the token still counts after {within:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub async fn jwks(&self) -> Vec<Value> {
        let answer: Value = self.host.get("/auth/v1/jwks.json").await.json();
        answer["keys"].as_array().unwrap().clone()
    }
}

pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

impl Tokens {
    pub fn of(answer: &Answer) -> Self {
        let body: Value = answer.json();
        Self {
            access: body["access_token"].as_str().unwrap().to_owned(),
            refresh: body["refresh_token"].as_str().unwrap().to_owned(),
        }
    }
}

/// One part of a JWT: 0 is the header, 1 the claims.
pub fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

pub fn encode(fields: &[(&str, &str)]) -> String {
    let mut form = openidconnect::url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    form.finish()
}

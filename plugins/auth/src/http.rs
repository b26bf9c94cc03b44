//! The routes, below `/auth`. Everything a token is in is answered with `Cache-Control: no-store`.

mod authorize;
mod cookie;
mod discovery;
mod document;
mod errors;
mod external;
mod first_party;
mod form;
mod page;
mod schemas;
mod token;

use axum::http::HeaderMap;
use wharf_sdk::{Call, Routes, get, post};

use crate::Auth;
use crate::sessions::Origin;

pub(crate) use document::document;

/// Rate class of everything that takes a secret: operators may limit it more than the rest.
const LOGIN: &str = "login";

pub(crate) fn routes() -> Routes<Auth> {
    Routes::new()
        .route("/v1/sessions", post(first_party::open))
        .public()
        .rate_class(LOGIN)
        .route("/v1/token", post(token::token))
        .public()
        .rate_class(LOGIN)
        .route("/v1/authorize", get(authorize::show).post(authorize::take))
        .public()
        .rate_class(LOGIN)
        .route("/v1/login/{provider}", get(external::begin))
        .public()
        .rate_class(LOGIN)
        .route("/v1/callback/{provider}", get(external::end))
        .public()
        .rate_class(LOGIN)
        .route("/v1/revoke", post(token::revoke))
        .public()
        .rate_class(LOGIN)
        .route("/v1/introspect", post(token::introspect))
        .public()
        .rate_class(LOGIN)
        .route("/v1/jwks.json", get(discovery::jwks))
        .public()
        .route("/.well-known/openid-configuration", get(discovery::openid))
        .public()
        .route("/.well-known/oauth-authorization-server", get(discovery::oauth))
        .public()
}

/// Where a request came from, as sessions show it.
fn origin(call: &Call, headers: &HeaderMap) -> Origin {
    let agent = headers
        .get(axum::http::header::USER_AGENT)
        .and_then(|agent| agent.to_str().ok())
        .unwrap_or_default();
    Origin {
        address: call.peer.map(|peer| peer.ip().to_string()).unwrap_or_default(),
        user_agent: agent.chars().filter(|c| !c.is_control()).take(200).collect(),
    }
}

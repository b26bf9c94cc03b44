//! What programs read to know how to talk to this issuer: keys (RFC 7517) and metadata (RFC 8414, OpenID Connect Discovery).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::Auth;

/// `GET /auth/v1/jwks.json`.
pub(super) async fn jwks(State(auth): State<Arc<Auth>>) -> Response {
    // A key is published much longer before its use.
    let headers = [
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::CONTENT_TYPE, "application/jwk-set+json"),
    ];
    (headers, auth.inner.feed.keys().jwks().to_string()).into_response()
}

/// `GET /auth/.well-known/oauth-authorization-server`.
pub(super) async fn oauth(State(auth): State<Arc<Auth>>) -> Json<Value> {
    Json(auth.metadata())
}

/// `GET /auth/.well-known/openid-configuration`.
pub(super) async fn openid(State(auth): State<Arc<Auth>>) -> Json<Value> {
    let mut metadata = auth.metadata();
    let openid = json!({
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [auth.inner.config.algorithm.name()],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "sid", "name", "email", "email_verified"],
    });
    if let (Value::Object(metadata), Value::Object(openid)) = (&mut metadata, openid) {
        metadata.extend(openid);
    }
    Json(metadata)
}

impl Auth {
    fn metadata(&self) -> Value {
        let issuer = self.inner.config.issuer();
        let client = ["none", "client_secret_basic", "client_secret_post"];
        let secret = ["client_secret_basic", "client_secret_post"];
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/v1/authorize"),
            "token_endpoint": format!("{issuer}/v1/token"),
            "revocation_endpoint": format!("{issuer}/v1/revoke"),
            "introspection_endpoint": format!("{issuer}/v1/introspect"),
            "jwks_uri": format!("{issuer}/v1/jwks.json"),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": client,
            "revocation_endpoint_auth_methods_supported": client,
            "introspection_endpoint_auth_methods_supported": secret,
            "authorization_response_iss_parameter_supported": true,
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
        })
    }
}

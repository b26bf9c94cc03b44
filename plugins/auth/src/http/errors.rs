//! How failures are answered: problem details for people's programs, RFC 6749 for OAuth.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use wharf_sdk::Problem;

use crate::failure::Failure;

/// A failure of the first-party API: RFC 9457.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) Failure);

/// A failure of an OAuth endpoint: RFC 6749, 5.2.
#[derive(Debug)]
pub(crate) struct OAuthError(pub(crate) Failure);

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    error_description: &'a str,
}

/// Answers with tokens, and whatever tells something about them, are not kept by anybody on the way.
pub(crate) const NO_STORE: [(HeaderName, HeaderValue); 2] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::PRAGMA, HeaderValue::from_static("no-cache")),
];

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl From<Failure> for OAuthError {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl OAuthError {
    pub(crate) fn invalid(sentence: impl Into<String>) -> Self {
        Self(Failure::Invalid(sentence.into()))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.0.log();
        let sentence = self.0.to_string();
        let problem = match &self.0 {
            Failure::Wrong | Failure::Client | Failure::Grant(_) => Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", sentence),
            Failure::Locked(_) => Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate-limited", sentence),
            Failure::Invalid(_) | Failure::Scope(_) => Problem::unprocessable(sentence),
            Failure::Missing(_) => Problem::not_found(sentence),
            Failure::Forbidden(_) => Problem::forbidden(sentence),
            Failure::Unavailable(_) => Problem::unavailable(sentence),
            Failure::Internal(_) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", sentence),
        };
        let mut response = (NO_STORE, problem).into_response();
        add_hints(&self.0, "Bearer realm=\"wharf\"", &mut response);
        response
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        self.0.log();
        let (status, error) = match &self.0 {
            Failure::Client => (StatusCode::UNAUTHORIZED, "invalid_client"),
            Failure::Wrong | Failure::Grant(_) => (StatusCode::BAD_REQUEST, "invalid_grant"),
            Failure::Scope(_) => (StatusCode::BAD_REQUEST, "invalid_scope"),
            Failure::Forbidden(_) => (StatusCode::BAD_REQUEST, "unauthorized_client"),
            Failure::Invalid(_) | Failure::Missing(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Failure::Locked(_) => (StatusCode::TOO_MANY_REQUESTS, "slow_down"),
            Failure::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
            Failure::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        };
        let description = plain(&self.0.to_string());
        let body = Body {
            error,
            error_description: &description,
        };
        let mut response = (status, NO_STORE, Json(body)).into_response();
        add_hints(&self.0, "Basic realm=\"wharf\"", &mut response);
        response
    }
}

/// Characters RFC 6749 allows in a description.
fn plain(text: &str) -> String {
    let fits = |c: char| matches!(c, ' '..='!' | '#'..='[' | ']'..='~');
    text.replace('"', "'").chars().filter(|c| fits(*c)).collect()
}

fn add_hints(failure: &Failure, challenge: &'static str, response: &mut Response) {
    let headers = response.headers_mut();
    if let Failure::Locked(seconds) = failure {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
    }
    if matches!(failure, Failure::Wrong | Failure::Client | Failure::Grant(_)) {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
}

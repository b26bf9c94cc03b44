//! Refusals and failures as problem+json (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::finding::Finding;
use crate::modules::control::ControlError;

/// A refusal or failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// `urn:wharf:error:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong.
    pub detail: String,
    /// Stable, dotted: `module.unknown`.
    pub code: String,
    /// What to do about it.
    pub hint: String,
    /// Findings of the loading stages, if the cause is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

impl Problem {
    /// A problem that no [`ControlError`] is behind.
    #[must_use]
    pub fn new(code: &str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        ControlError {
            code: code.to_owned(),
            message: detail.into(),
            hint: hint.into(),
            findings: Vec::new(),
        }
        .into()
    }
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        let status = status_of(&error.code);
        Self {
            kind: format!("urn:wharf:error:{}", error.code),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: error.message,
            code: error.code,
            hint: error.hint,
            findings: error.findings,
        }
    }
}

impl From<Problem> for ControlError {
    fn from(problem: Problem) -> Self {
        Self {
            code: problem.code,
            message: problem.detail,
            hint: problem.hint,
            findings: problem.findings,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

/// The one table from codes to statuses. What is not in it is a state the host refuses: 409.
fn status_of(code: &str) -> StatusCode {
    match code {
        "request.path" | "job.unknown" | "subscription.unknown" => StatusCode::NOT_FOUND,
        "request.method" => StatusCode::METHOD_NOT_ALLOWED,
        "call.not_found" => StatusCode::NOT_FOUND,
        "call.invalid_argument" | "call.out_of_range" => StatusCode::BAD_REQUEST,
        "call.permission_denied" => StatusCode::FORBIDDEN,
        "call.unauthenticated" => StatusCode::UNAUTHORIZED,
        "call.resource_exhausted" => StatusCode::TOO_MANY_REQUESTS,
        "host.stopping" | "audit.unavailable" | "blobs.unavailable" | "database.unavailable" | "call.unavailable" => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        "call.deadline_exceeded" => StatusCode::GATEWAY_TIMEOUT,
        "internal" => StatusCode::INTERNAL_SERVER_ERROR,
        code if code.ends_with(".unknown") => StatusCode::NOT_FOUND,
        code if code.starts_with("request.") || code.starts_with("log.") => StatusCode::BAD_REQUEST,
        code if code.starts_with("internal.") => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::CONFLICT,
    }
}

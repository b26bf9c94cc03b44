//! Errors of handlers as RFC 9457 problem details.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

/// An error for the client: a status, a code and a sentence. Everything else belongs in the log.
///
/// Serialized as `application/problem+json` (RFC 9457) with the members `type`, `title`, `status`, `detail` and `code`. The
/// id of the request is in the header field `x-request-id`.
#[derive(Debug)]
#[must_use]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
}

macro_rules! kinds {
    ($($name:ident $status:ident $code:literal $doc:literal;)*) => {
        impl Problem {
            $(
                #[doc = $doc]
                pub fn $name(detail: impl Into<String>) -> Self {
                    Self::new(StatusCode::$status, $code, detail)
                }
            )*
        }
    };
}

kinds! {
    bad_request BAD_REQUEST "bad-request" "400: the request makes no sense.";
    unauthenticated UNAUTHORIZED "unauthenticated" "401: nobody knows who is calling.";
    forbidden FORBIDDEN "forbidden" "403: not for this caller.";
    not_found NOT_FOUND "not-found" "404: there is no such thing.";
    conflict CONFLICT "conflict" "409: the state of things does not allow it.";
    unprocessable UNPROCESSABLE_ENTITY "unprocessable" "422: well formed, and not acceptable.";
    unavailable SERVICE_UNAVAILABLE "unavailable" "503: try again later.";
}

impl Problem {
    /// Any other problem. `code` is stable and lower case, for programs; `detail` is a sentence for people.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            source: None,
        }
    }

    /// 500. The client sees no more than that; the error goes to the log.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let mut problem = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong in the service");
        problem.source = Some(source.into());
        problem
    }

    /// The client gets a sentence, the log the chain.
    fn log(&self) {
        let Some(source) = &self.source else { return };
        let mut chain = source.to_string();
        let mut next = source.source();
        while let Some(cause) = next {
            chain.push_str(": ");
            chain.push_str(&cause.to_string());
            next = cause.source();
        }
        tracing::error!(error = chain, "a handler failed");
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}): {}", self.status, self.code, self.detail)
    }
}

/// Any error becomes [`Problem::internal`], so that `?` works; give it a status of its own where the client can act on it.
impl<E: std::error::Error + Send + Sync + 'static> From<E> for Problem {
    fn from(error: E) -> Self {
        Self::internal(error)
    }
}

/// What a gRPC handler returns with `?`: the code that goes with the status. The client of a problem that is `internal` sees no
/// more than that; the error goes to the log.
impl From<Problem> for tonic::Status {
    fn from(problem: Problem) -> Self {
        let code = match problem.status {
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => tonic::Code::InvalidArgument,
            StatusCode::UNAUTHORIZED => tonic::Code::Unauthenticated,
            StatusCode::FORBIDDEN => tonic::Code::PermissionDenied,
            StatusCode::NOT_FOUND => tonic::Code::NotFound,
            StatusCode::CONFLICT => tonic::Code::Aborted,
            StatusCode::TOO_MANY_REQUESTS => tonic::Code::ResourceExhausted,
            StatusCode::SERVICE_UNAVAILABLE => tonic::Code::Unavailable,
            _ => tonic::Code::Internal,
        };
        problem.log();
        Self::new(code, problem.detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.log();
        let body = Body {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
        };
        let mut response = (self.status, serde_json::to_vec(&body).unwrap_or_default()).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}

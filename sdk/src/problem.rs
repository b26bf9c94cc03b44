//! Errors of handlers as RFC 9457 problem details.

use std::any::Any;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use wharf_plugin_api::{Fault, FaultCode};

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
    full INSUFFICIENT_STORAGE "full" "507: there is no room left for it.";
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

/// Any error becomes [`Problem::internal`], so that `?` works; give it a status of its own where the client can act on it. A core
/// service that has no room left is [`Problem::full`].
impl<E: std::error::Error + Send + Sync + 'static> From<E> for Problem {
    fn from(error: E) -> Self {
        if has_no_room(&error) {
            return Self {
                source: Some(Box::new(error)),
                ..Self::full("there is no room left for it")
            };
        }
        Self::internal(error)
    }
}

/// Whether this is a core service that says so.
fn has_no_room(error: &dyn Any) -> bool {
    #[cfg(feature = "database")]
    if let Some(error) = error.downcast_ref::<sea_orm::DbErr>() {
        use crate::services::database::{DbErrExt as _, DbFailureKind};
        return error.failure().is_some_and(|failure| failure.kind == DbFailureKind::Full);
    }
    error.downcast_ref::<Fault>().is_some_and(|fault| fault.code == FaultCode::FULL)
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
            StatusCode::TOO_MANY_REQUESTS | StatusCode::INSUFFICIENT_STORAGE => tonic::Code::ResourceExhausted,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_service_without_room_is_507_and_resource_exhausted_and_others_are_internal() {
        let of = |code| Problem::from(Fault::new(code, "canary"));
        let full = of(FaultCode::FULL);
        assert_eq!((full.status, full.code), (StatusCode::INSUFFICIENT_STORAGE, "full"));
        assert!(!full.to_string().contains("canary"), "the sentence is for the log");
        assert_eq!(tonic::Status::from(full).code(), tonic::Code::ResourceExhausted);
        assert_eq!(of(FaultCode::UNAVAILABLE).status, StatusCode::INTERNAL_SERVER_ERROR);
    }

    #[cfg(feature = "database")]
    #[test]
    fn a_full_database_is_507() {
        let said = |kind: &str| sea_orm::DbErr::Exec(sea_orm::RuntimeErr::Internal(format!("no room [db:{kind}|13|]")));
        assert_eq!(Problem::from(said("full")).status, StatusCode::INSUFFICIENT_STORAGE);
        assert_eq!(Problem::from(said("busy")).status, StatusCode::INTERNAL_SERVER_ERROR);
    }
}

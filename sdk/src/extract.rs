//! axum's extractors with rejections that are problems: axum's own answer in plain text, which is none of a module's documented answers.
//!
//! ```no_run
//! use serde::{Deserialize, Serialize};
//! use wharf_sdk::Result;
//! use wharf_sdk::extract::{Json, Path};
//!
//! #[derive(Deserialize, Serialize)]
//! struct Note {
//!     text: String,
//! }
//!
//! async fn change(Path(id): Path<i64>, Json(note): Json<Note>) -> Result<Json<Note>> {
//!     Ok(Json(note))
//! }
//! ```
//!
//! | what is wrong | status | code |
//! |---|---|---|
//! | path, query or form cannot be read, JSON is broken off | 400 | `bad-request` |
//! | JSON that is no such value | 422 | `unprocessable` |
//! | another media type | 415 | `unsupported-media-type` |
//! | too many bytes | 413 | `body-too-large` |
//!
//! The sentence is axum's: it names the field and what was expected there, and repeats nothing of a body but names of fields and
//! variants.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Problem;

/// A body of JSON; as an answer the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Json<T>(pub T);

/// What follows the `?`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Query<T>(pub T);

/// What stands in the path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Path<T>(pub T);

/// A body as HTML forms send it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(refused(rejection.status(), rejection.body_text())),
        }
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match axum::Form::<T>::from_request(request, state).await {
            Ok(axum::Form(value)) => Ok(Self(value)),
            // A form is text: one that is not of this type cannot be read.
            Err(rejection) if rejection.status() == StatusCode::UNPROCESSABLE_ENTITY => Err(Problem::bad_request(rejection.body_text())),
            Err(rejection) => Err(refused(rejection.status(), rejection.body_text())),
        }
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(Problem::bad_request(rejection.body_text())),
        }
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(path)) => Ok(Self(path)),
            // The handler asks for more than the route has: a mistake of the module, not of its caller.
            Err(rejection) if rejection.status().is_server_error() => Err(Problem::internal(rejection)),
            Err(rejection) => Err(Problem::bad_request(rejection.body_text())),
        }
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

fn refused(status: StatusCode, text: String) -> Problem {
    let code = match status {
        StatusCode::UNPROCESSABLE_ENTITY => "unprocessable",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported-media-type",
        StatusCode::PAYLOAD_TOO_LARGE => "body-too-large",
        _ => "bad-request",
    };
    Problem::new(status, code, text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use axum::Router;
    use axum::body::Body;
    use axum::routing::{get, post};
    use serde::Deserialize;
    use tower_service::Service as _;

    use super::*;

    #[derive(Deserialize)]
    struct Note {
        #[allow(dead_code, reason = "only its form counts")]
        stars: u8,
    }

    fn router() -> Router {
        Router::new()
            .route("/json", post(|Json(_): Json<Note>| async {}))
            .route("/form", post(|Form(_): Form<Note>| async {}))
            .route("/query", get(|Query(_): Query<Note>| async {}))
            .route("/path/{id}", get(|Path(_): Path<u8>| async {}))
            .route("/two/{id}", get(|Path(_): Path<(u8, u8)>| async {}))
    }

    async fn ask(method: &str, path: &str, kind: &str, body: &str) -> (u16, String, String) {
        let request = Request::builder().method(method).uri(path).header("content-type", kind);
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = router().call(request).await.unwrap();
        let kind = response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let code = serde_json::from_slice::<serde_json::Value>(&bytes).unwrap_or_default()["code"].clone();
        (status, kind.unwrap_or_default(), code.as_str().unwrap_or_default().to_owned())
    }

    #[tokio::test]
    async fn what_is_refused_is_refused_with_a_problem() {
        const JSON: &str = "application/json";
        const FORM: &str = "application/x-www-form-urlencoded";
        let long = format!("{{\"stars\": 1, \"more\": \"{}\"}}", "x".repeat(3 << 20));
        for (method, path, kind, body, status, code) in [
            ("POST", "/json", JSON, "{\"stars\": 1}", 200, ""),
            ("POST", "/json", JSON, "{\"stars\": ", 400, "bad-request"),
            ("POST", "/json", JSON, "{\"stars\": \"many\"}", 422, "unprocessable"),
            ("POST", "/json", "text/plain", "{\"stars\": 1}", 415, "unsupported-media-type"),
            ("POST", "/json", JSON, &long, 413, "body-too-large"),
            ("POST", "/form", FORM, "stars=1", 200, ""),
            ("POST", "/form", FORM, "stars=many", 400, "bad-request"),
            ("POST", "/form", JSON, "stars=1", 415, "unsupported-media-type"),
            ("GET", "/query?stars=1", "", "", 200, ""),
            ("GET", "/query?stars=1&stars=2", "", "", 400, "bad-request"),
            ("GET", "/query", "", "", 400, "bad-request"),
            ("GET", "/path/1", "", "", 200, ""),
            ("GET", "/path/one", "", "", 400, "bad-request"),
            ("GET", "/path/%FF", "", "", 400, "bad-request"),
            ("GET", "/two/1", "", "", 500, "internal"),
        ] {
            let (found, kind, found_code) = ask(method, path, kind, body).await;
            assert_eq!((found, found_code.as_str()), (status, code), "{method} {path} {kind}");
            assert!(found == 200 || kind == "application/problem+json", "{method} {path}: {kind}");
        }
    }
}

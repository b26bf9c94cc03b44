//! axum's extractors, with rejections that are problems as all other errors are.

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;
use wharf_sdk::Problem;

use crate::domain::page::LARGEST;

/// A body in JSON.
pub(super) struct Json<T>(pub(super) T);

/// What follows the `?`.
pub(super) struct Query<T>(pub(super) T);

/// What stands in the path.
pub(super) struct Path<T>(pub(super) T);

/// Which page of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    /// Rows of a page; 20 when nothing is said.
    #[param(minimum = 1, maximum = 100)]
    pub(super) page_size: Option<u32>,
    /// `next_page_token` of the page before; the first page when nothing is said.
    pub(super) page_token: Option<String>,
}

/// Rows of a page; 0 is as many as usual.
pub(super) fn size(asked: Option<u32>) -> Result<u32, Problem> {
    match asked {
        None => Ok(0),
        Some(size) if (1..=LARGEST).contains(&size) => Ok(size),
        Some(size) => Err(Problem::bad_request(format!("found page_size {size}, expected 1 to {LARGEST}"))),
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(json(&rejection)),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read: Result<_, QueryRejection> = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        read.map(|query| Self(query.0))
            .map_err(|rejection| Problem::bad_request(rejection.body_text()))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read: Result<_, PathRejection> = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        read.map(|path| Self(path.0)).map_err(|rejection| match rejection.status() {
            StatusCode::INTERNAL_SERVER_ERROR => Problem::internal(rejection),
            _ => Problem::bad_request(rejection.body_text()),
        })
    }
}

fn json(rejection: &JsonRejection) -> Problem {
    let code = match rejection.status() {
        StatusCode::UNPROCESSABLE_ENTITY => "unprocessable",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported-media-type",
        StatusCode::PAYLOAD_TOO_LARGE => "body-too-large",
        _ => "bad-request",
    };
    Problem::new(rejection.status(), code, rejection.body_text())
}

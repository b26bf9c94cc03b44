//! The routes that are measured. The program links them, the libraries export them: the same handlers behind the same kind
//! of router, with an `Arc` as state on both sides.

pub mod grpc;

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;

/// What `/json` answers.
#[derive(Debug, Serialize)]
struct Small {
    id: u32,
    name: &'static str,
    tags: [&'static str; 3],
}

/// A small JSON.
pub async fn json() -> Response {
    small()
}

/// Not inlined: the handler's own work is the same machine code on both sides, so that what differs is the way to it.
#[inline(never)]
fn small() -> Response {
    Json(Small {
        id: 7,
        name: "a small thing",
        tags: ["one", "two", "three"],
    })
    .into_response()
}

/// A small text.
pub async fn plain() -> &'static str {
    "hello"
}

/// The body that came.
pub async fn echo(body: Body) -> Body {
    body
}

/// The router that a module builds of these, without a module.
pub fn router() -> Router {
    Router::new()
        .route("/json", get(json))
        .route("/plain", get(plain))
        .route("/echo", post(echo))
        .with_state(Arc::new(()))
}

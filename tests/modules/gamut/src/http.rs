//! The routes, below `/gamut`.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::response::sse::{Event, Sse};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http_body_util::{BodyExt as _, StreamBody};
use sea_orm::{EntityTrait as _, QueryOrder as _};
use serde_json::{Value, json};
use wharf_sdk::http::{HeaderMap, HeaderName, HeaderValue};
use wharf_sdk::{OpenApi, Principal, Problem, Result, Routes, Tx, get, post};

use crate::Gamut;
use crate::tables::seen;

pub(crate) fn routes() -> Routes<Gamut> {
    Routes::new()
        .route("/tour/{service}", post(tour))
        .require("gamut.tour.take")
        .route("/seen", get(list_seen))
        .authenticated()
        .route("/once", post(once))
        .require("gamut.tour.take")
        .idempotent()
        .route("/echo", post(echo))
        .public()
        .route("/numbers/{limit}", get(numbers))
        .public()
        .route("/trailing", get(trailing))
        .public()
        .route("/panic", get(panic))
        .public()
        .rate_class("default")
}

/// Written by hand: what a document is made with is no matter of the ABI.
pub(crate) fn document() -> OpenApi {
    let answered = |what: &str| json!({ "responses": { "200": { "description": what } } });
    let with = |name: &str, what: &str| {
        let place = json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } });
        json!({ "parameters": [place], "responses": { "200": { "description": what } } })
    };
    OpenApi::of(&json!({
        "openapi": "3.1.0",
        "info": { "title": "gamut", "version": "1.0.0" },
        "paths": {
            "/tour/{service}": { "post": with("service", "What came of it") },
            "/seen": { "get": answered("What happened without a request") },
            "/once": { "post": answered("The number of the row") },
            "/echo": { "post": answered("The same bytes") },
            "/numbers/{limit}": { "get": with("limit", "Server-sent events") },
            "/trailing": { "get": answered("A body with a trailer") },
            "/panic": { "get": answered("Never") },
        },
    }))
}

async fn tour(State(gamut): State<Arc<Gamut>>, who: Principal, Path(service): Path<String>) -> Result<Json<Value>> {
    if who.subject().is_empty() {
        return Err(Problem::forbidden("nobody is called"));
    }
    match gamut.tour(&service).await {
        Ok(found) => Ok(Json(found)),
        Err(error) => Err(Problem::unprocessable(format!("{service}: {error}"))),
    }
}

async fn list_seen(State(gamut): State<Arc<Gamut>>) -> Result<Json<Vec<String>>> {
    let rows = seen::Entity::find().order_by_asc(seen::Column::Id).all(&gamut.db).await?;
    Ok(Json(rows.into_iter().map(|row| row.what).collect()))
}

/// Its row and its answer are one transaction.
async fn once(tx: Tx) -> Result<Json<i64>> {
    let done = seen::Entity::insert(seen::row("once")).exec(&tx).await?;
    Ok(Json(done.last_insert_id))
}

/// Frames go back as they come.
async fn echo(body: Body) -> Body {
    body
}

async fn numbers(Path(limit): Path<u32>) -> Sse<impl Stream<Item = std::result::Result<Event, Infallible>>> {
    Sse::new(stream::iter(1..=limit).map(|number| Ok(Event::default().data(number.to_string()))))
}

async fn trailing() -> Response {
    let mut trailers = HeaderMap::new();
    trailers.insert(HeaderName::from_static("x-gamut"), HeaderValue::from_static("last"));
    let pieces = stream::iter([Bytes::from_static(b"first "), Bytes::from_static(b"second")]);
    let frames = pieces
        .map(http_body::Frame::data)
        .chain(stream::iter([http_body::Frame::trailers(trailers)]))
        .map(Ok::<_, Infallible>);
    Response::new(Body::new(StreamBody::new(frames).boxed_unsync()))
}

#[allow(clippy::panic, reason = "what it is for")]
async fn panic() -> String {
    panic!("the gamut panics because it was asked to")
}

//! A module for tests: a source, a sink and an echo of any size, streams that never end by themselves, trailers, and
//! counters of the calls that live and the bytes that moved.

mod flow;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::response::sse::{Event, Sse};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio_stream::{Stream, StreamExt as _};
use wharf_sdk::{Context, Error, Module, NoConfig, Problem, Result, Routes, export_module, get, post};

use flow::{Live, Source, Trailing};

export_module!(Pipe);

/// One instance of the module.
#[derive(Debug, Default)]
pub struct Pipe {
    live: Arc<AtomicU64>,
    produced: Arc<AtomicU64>,
}

/// The answer of `/counters`.
#[derive(Debug, Serialize)]
struct Counters {
    /// Calls of the routes that count, from their handler's first line to the drop of their response body.
    live: u64,
    /// Bytes that `/source` has handed out.
    produced: u64,
}

/// The answer of `/sink`.
#[derive(Debug, Serialize)]
struct Sunk {
    bytes: u64,
    largest_piece: usize,
}

/// The query of `/source`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Amount {
    bytes: u64,
}

impl Module for Pipe {
    type Config = NoConfig;

    async fn init(_: Context, _: NoConfig) -> Result<Self, Error> {
        Ok(Self::default())
    }

    fn routes() -> Routes<Self> {
        Routes::new()
            .route("/source", get(source))
            .public()
            .route("/sink", post(sink))
            .public()
            .route("/echo", post(echo))
            .public()
            .route("/ticks", get(ticks))
            .public()
            .route("/hang", get(hang))
            .public()
            .route("/trailers", get(trailers))
            .public()
            .route("/counters", get(counters))
            .public()
    }
}

/// So many bytes, in pieces of 64 KiB, each made when it is asked for.
async fn source(State(pipe): State<Arc<Pipe>>, Query(amount): Query<Amount>) -> Body {
    Body::new(Source::new(amount.bytes, Arc::clone(&pipe.produced), Live::new(&pipe.live)))
}

/// Reads everything and keeps nothing.
async fn sink(State(pipe): State<Arc<Pipe>>, body: Body) -> Result<Json<Sunk>> {
    let _live = Live::new(&pipe.live);
    let mut pieces = body.into_data_stream();
    let mut sunk = Sunk {
        bytes: 0,
        largest_piece: 0,
    };
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| Problem::bad_request(format!("the body broke off: {error}")))?;
        sunk.bytes += piece.len() as u64;
        sunk.largest_piece = sunk.largest_piece.max(piece.len());
    }
    Ok(Json(sunk))
}

/// The request's body, as it comes.
async fn echo(body: Body) -> Body {
    body
}

/// Server-sent events, one every ten milliseconds, until the client leaves.
async fn ticks(State(pipe): State<Arc<Pipe>>) -> Sse<impl Stream<Item = std::result::Result<Event, Infallible>>> {
    let live = Live::new(&pipe.live);
    let ticks = tokio_stream::iter(1_u64..).then(move |number| {
        let _lives_with_the_stream = &live;
        async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            Ok(Event::default().data(number.to_string()))
        }
    });
    Sse::new(ticks)
}

/// Never answers.
async fn hang(State(pipe): State<Arc<Pipe>>) -> &'static str {
    let _live = Live::new(&pipe.live);
    std::future::pending().await
}

/// A body with trailers behind it.
async fn trailers() -> Result<Response> {
    Response::builder()
        .header("trailer", "x-pipe-sum")
        .body(Body::new(Trailing::new(
            Bytes::from_static(b"before the trailers\n"),
            "x-pipe-sum",
            "20",
        )))
        .map_err(Problem::internal)
}

async fn counters(State(pipe): State<Arc<Pipe>>) -> Json<Counters> {
    Json(Counters {
        live: pipe.live.load(Ordering::SeqCst),
        produced: pipe.produced.load(Ordering::SeqCst),
    })
}

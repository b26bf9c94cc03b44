//! What the two versions of the module `swap` have in common: every answer tells the version that gave it.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::sse::{Event, Sse};
use futures_util::{Stream, StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use wharf_sdk::{Context, Error, Module, NoConfig, Result, Routes, get, post};

/// What tells one build from the other.
pub trait Build: Send + Sync + 'static {
    /// Its version.
    const VERSION: &'static str;
}

/// The module.
pub struct Swap<B> {
    ctx: Context,
    build: PhantomData<B>,
}

/// The query of `/events`: how many events, and how far apart.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pace {
    limit: u64,
    #[serde(default)]
    interval_ms: u64,
}

/// The answer of `/upload`.
#[derive(Serialize)]
struct Uploaded {
    bytes: u64,
    version: &'static str,
}

impl<B: Build> Module for Swap<B> {
    type Config = NoConfig;

    async fn init(ctx: Context, _: NoConfig) -> Result<Self, Error> {
        Ok(Self { ctx, build: PhantomData })
    }

    fn routes() -> Routes<Self> {
        Routes::new()
            .route("/version", get(version::<B>))
            .public()
            .route("/slow/{milliseconds}", get(slow::<B>))
            .public()
            .route("/events", get(events::<B>))
            .public()
            .route("/upload", post(upload::<B>))
            .public()
    }
}

async fn version<B: Build>() -> &'static str {
    B::VERSION
}

/// Answers after a while.
async fn slow<B: Build>(State(swap): State<Arc<Swap<B>>>, Path(milliseconds): Path<u64>) -> &'static str {
    swap.ctx.sleep(Duration::from_millis(milliseconds)).await;
    B::VERSION
}

/// Server-sent events: the id is the number, from 1, the data the version.
async fn events<B: Build>(
    State(swap): State<Arc<Swap<B>>>,
    Query(pace): Query<Pace>,
) -> Sse<impl Stream<Item = std::result::Result<Event, Infallible>>> {
    let interval = Duration::from_millis(pace.interval_ms);
    Sse::new(stream::unfold(0, move |before| {
        let ctx = swap.ctx.clone();
        async move {
            if before == pace.limit {
                return None;
            }
            if before > 0 && !interval.is_zero() {
                ctx.sleep(interval).await;
            }
            let number = before + 1;
            Some((Ok(Event::default().id(number.to_string()).data(B::VERSION)), number))
        }
    }))
}

/// Counts what is sent.
async fn upload<B: Build>(body: Body) -> Result<Json<Uploaded>> {
    let mut pieces = body.into_data_stream();
    let mut bytes = 0;
    while let Some(piece) = pieces.next().await {
        bytes += piece?.len() as u64;
    }
    Ok(Json(Uploaded {
        bytes,
        version: B::VERSION,
    }))
}

//! What both builds of the module `swap` serve: every answer names the build and the instance it came from.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::sse::{Event, Sse};
use serde::{Deserialize, Serialize};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status};
use wharf_sdk::{Context, Error, Grpc, Module, NoConfig, Problem, Result, Routes, get, post};

use crate::VERSION;

/// The module's gRPC API, generated from `proto/swap/v1/swap.proto`.
pub mod v1 {
    #![allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::allow_attributes_without_reason,
        reason = "generated code"
    )]

    include!("gen/swap.v1.rs");
}

/// One instance of the module.
#[derive(Debug)]
pub struct Swap {
    instance: u64,
}

/// Who answers.
#[derive(Debug, Serialize)]
struct Which {
    version: &'static str,
    instance: u64,
    /// Bytes of the request's body.
    bytes: u64,
}

/// The query of `/events`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Events {
    count: u64,
    interval_ms: u64,
}

impl Module for Swap {
    type Config = NoConfig;

    async fn init(ctx: Context, _: NoConfig) -> Result<Self, Error> {
        Ok(Self { instance: ctx.instance() })
    }

    fn routes() -> Routes<Self> {
        Routes::new()
            .route("/which", get(which))
            .public()
            .route("/upload", post(upload))
            .public()
            .route("/events", get(events))
            .public()
    }

    fn grpc(self: &Arc<Self>) -> Grpc {
        Grpc::new().serve(v1::swap_server::SwapServer::from_arc(Arc::clone(self)))
    }
}

#[tonic::async_trait]
impl v1::swap_server::Swap for Swap {
    async fn which(&self, _: Request<v1::WhichRequest>) -> std::result::Result<Response<v1::WhichResponse>, Status> {
        Ok(Response::new(v1::WhichResponse {
            version: VERSION.to_owned(),
            instance: self.instance,
        }))
    }
}

impl Swap {
    fn say(&self, bytes: u64) -> Json<Which> {
        Json(Which {
            version: VERSION,
            instance: self.instance,
            bytes,
        })
    }
}

async fn which(State(swap): State<Arc<Swap>>) -> Json<Which> {
    swap.say(0)
}

async fn upload(State(swap): State<Arc<Swap>>, body: Body) -> Result<Json<Which>> {
    let mut pieces = body.into_data_stream();
    let mut bytes = 0;
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| Problem::bad_request(format!("the upload broke off: {error}")))?;
        bytes += piece.len() as u64;
    }
    Ok(swap.say(bytes))
}

/// Server-sent events whose id counts up from one and whose data is the same answer as that of `/which`.
async fn events(
    State(swap): State<Arc<Swap>>,
    Query(query): Query<Events>,
) -> Sse<impl Stream<Item = std::result::Result<Event, Infallible>>> {
    let data = format!("{VERSION} {}", swap.instance);
    let pause = Duration::from_millis(query.interval_ms);
    let events = tokio_stream::iter(1..=query.count).then(move |number| {
        let data = data.clone();
        async move {
            if number > 1 && !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            Ok(Event::default().id(number.to_string()).data(data))
        }
    });
    Sse::new(events)
}

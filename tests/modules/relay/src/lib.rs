//! A module for tests that calls `greeter` over `ctx.channel` and tells its own caller everything that came back.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Code, Request, Status};
use wharf_sdk::services::channel::Channel;
use wharf_sdk::{Context, Error, Module, NoConfig, Problem, Result, Routes, export_module, get, tracing};

use v1::greeter_client::GreeterClient;

/// What an author generates from the callee's `.proto`.
pub mod v1 {
    #![allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::allow_attributes_without_reason,
        reason = "generated code"
    )]

    include!("../../../../plugins/greeter/src/gen/greeter.v1.rs");
}

export_module!(Relay);

/// One instance of the module.
#[derive(Debug)]
pub struct Relay {
    ctx: Context,
}

/// What came back from a call.
#[derive(Debug, Default, Serialize)]
struct Outcome {
    /// gRPC status code, 0 when the call went well.
    code: i32,
    /// The status message or the callee's answer.
    message: String,
    /// Numbers of a stream before its end.
    numbers: Vec<u32>,
}

/// The query of `/count` and `/stream`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Count {
    limit: u32,
    #[serde(default)]
    interval_ms: u32,
    /// How long this module waits for the whole call; not at all limited when missing.
    timeout_ms: Option<u64>,
}

/// The query of `/big`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Big {
    bytes: usize,
}

impl Module for Relay {
    type Config = NoConfig;

    async fn init(ctx: Context, _: NoConfig) -> Result<Self, Error> {
        Ok(Self { ctx })
    }

    fn routes() -> Routes<Self> {
        Routes::new()
            .route("/hello/{name}", get(hello))
            .public()
            .route("/own/{name}", get(own))
            .public()
            .route("/count", get(count))
            .public()
            .route("/stream", get(stream))
            .public()
            .route("/big", get(big))
            .public()
            .route("/statistics", get(statistics))
            .public()
            .route("/undeclared", get(undeclared))
            .public()
    }
}

impl Relay {
    fn greeter(&self) -> Result<GreeterClient<Channel>> {
        let channel = self.ctx.channel("greeter").map_err(Problem::internal)?;
        Ok(GreeterClient::new(channel))
    }
}

impl From<Status> for Outcome {
    fn from(status: Status) -> Self {
        Self {
            code: status.code() as i32,
            message: status.message().to_owned(),
            numbers: Vec::new(),
        }
    }
}

async fn hello(State(relay): State<Arc<Relay>>, Path(name): Path<String>) -> Result<Json<Outcome>> {
    tracing::info!(name.length = name.len(), "asking the greeter");
    Ok(Json(greet(relay.greeter()?, name).await))
}

/// In this module's own name.
async fn own(State(relay): State<Arc<Relay>>, Path(name): Path<String>) -> Result<Json<Outcome>> {
    let channel = relay.ctx.own().channel("greeter").map_err(Problem::internal)?;
    tracing::info!(name.length = name.len(), "asking the greeter in its own name");
    Ok(Json(greet(GreeterClient::new(channel), name).await))
}

/// A name that is longer than a message may be.
async fn big(State(relay): State<Arc<Relay>>, Query(big): Query<Big>) -> Result<Json<Outcome>> {
    Ok(Json(greet(relay.greeter()?, "a".repeat(big.bytes)).await))
}

async fn greet(mut client: GreeterClient<Channel>, name: String) -> Outcome {
    match client.hello(v1::HelloRequest { name }).await {
        Ok(answer) => Outcome {
            message: answer.into_inner().message,
            ..Outcome::default()
        },
        Err(status) => status.into(),
    }
}

/// Collects a count, with this module's own patience.
async fn count(State(relay): State<Arc<Relay>>, Query(query): Query<Count>) -> Result<Json<Outcome>> {
    let mut request = Request::new(v1::CountRequest {
        limit: query.limit,
        interval_ms: query.interval_ms,
    });
    if let Some(timeout) = query.timeout_ms {
        request.set_timeout(Duration::from_millis(timeout));
    }
    let mut numbers = match relay.greeter()?.count(request).await {
        Ok(numbers) => numbers.into_inner(),
        Err(status) => return Ok(Json(status.into())),
    };
    let mut outcome = Outcome::default();
    loop {
        match numbers.message().await {
            Ok(Some(answer)) => outcome.numbers.push(answer.number),
            Ok(None) => return Ok(Json(outcome)),
            Err(status) => {
                return Ok(Json(Outcome {
                    numbers: outcome.numbers,
                    ..status.into()
                }));
            }
        }
    }
}

/// Hands a count on as it comes, one line a number.
async fn stream(State(relay): State<Arc<Relay>>, Query(query): Query<Count>) -> Result<Body> {
    let request = v1::CountRequest {
        limit: query.limit,
        interval_ms: query.interval_ms,
    };
    let numbers = relay.greeter()?.count(request).await;
    let numbers = numbers.map_err(|status| Problem::internal(status.message().to_owned()))?;
    Ok(Body::from_stream(lines(numbers.into_inner())))
}

fn lines(
    numbers: impl Stream<Item = std::result::Result<v1::CountResponse, Status>>,
) -> impl Stream<Item = std::result::Result<String, Infallible>> {
    numbers.map(|answer| {
        Ok(match answer {
            Ok(answer) => format!("{}\n", answer.number),
            Err(status) => format!("{:?}: {}\n", status.code(), status.message()),
        })
    })
}

/// A method that the policy keeps from everybody who is not known.
async fn statistics(State(relay): State<Arc<Relay>>) -> Result<Json<Outcome>> {
    let answer = relay.greeter()?.statistics(v1::StatisticsRequest {}).await;
    Ok(Json(answer.map_or_else(Outcome::from, |answer| Outcome {
        message: answer.into_inner().greetings.to_string(),
        ..Outcome::default()
    })))
}

/// A module that `wharf.toml` does not list.
async fn undeclared(State(relay): State<Arc<Relay>>) -> Json<Outcome> {
    Json(match relay.ctx.channel("hello") {
        Ok(_) => Outcome::default(),
        Err(fault) => Outcome {
            code: Code::Internal as i32,
            message: fault.to_string(),
            numbers: Vec::new(),
        },
    })
}

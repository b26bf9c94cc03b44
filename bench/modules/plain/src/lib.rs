//! The measured routes as a module, and one that measures calls to another module.
use std::sync::Arc;

use axum::extract::{Path, State};
use bench_router::grpc::durations;
use bench_router::{echo, json, plain};
use wharf_sdk::{Context, Error, Module, NoConfig, Problem, Result, Routes, export_module, get, post};

export_module!(Measured);

/// A module that keeps its handle on the host.
#[derive(Debug)]
pub struct Measured {
    ctx: Context,
}

impl Module for Measured {
    type Config = NoConfig;

    async fn init(ctx: Context, _: NoConfig) -> Result<Self, Error> {
        Ok(Self { ctx })
    }

    fn routes() -> Routes<Self> {
        Routes::new()
            .route("/json", get(json))
            .public()
            .route("/plain", get(plain))
            .public()
            .route("/echo", post(echo))
            .public()
            .route("/relay/{calls}", get(relay))
            .public()
    }
}

/// Median and 99th percentile of so many calls to the other module, in nanoseconds.
async fn relay(State(module): State<Arc<Measured>>, Path(calls): Path<usize>) -> Result<String> {
    let channel = module.ctx.channel("bench-tokio").map_err(Problem::internal)?;
    let durations = durations(channel, calls.clamp(100, 1_000_000)).await.map_err(Problem::internal)?;
    let at = |part: usize| durations.get(durations.len() * part / 100).copied().unwrap_or_default();
    Ok(format!("{} {}\n", at(50), at(99)))
}

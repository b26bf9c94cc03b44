//! The measured routes as a module.
use std::sync::Arc;
use std::time::Instant;

use bench_router::grpc::Answering;
use bench_router::grpc::v1::greeter_server::GreeterServer;
use bench_router::{echo, json, plain};
use wharf_sdk::axum::extract::{Path, State};
use wharf_sdk::services::cache::Cache;
use wharf_sdk::{Context, Error, Grpc, Module, NoConfig, Routes, export_module, get, post};

export_module!(Measured);

/// A module with nothing but a handle on the cache.
#[derive(Debug)]
pub struct Measured {
    cache: Cache,
}

impl Module for Measured {
    type Config = NoConfig;

    async fn init(ctx: Context, _: NoConfig) -> Result<Self, Error> {
        Ok(Self { cache: ctx.cache()? })
    }

    fn routes() -> Routes<Self> {
        Routes::new()
            .route("/json", get(json))
            .public()
            .route("/plain", get(plain))
            .public()
            .route("/echo", post(echo))
            .public()
            .route("/cache/{gets}", get(gets))
            .public()
    }

    fn grpc(self: &Arc<Self>) -> Grpc {
        Grpc::new().serve(GreeterServer::new(Answering))
    }
}

/// Nanoseconds of one get of 100 bytes, as a mean of so many.
async fn gets(State(module): State<Arc<Measured>>, Path(gets): Path<u32>) -> wharf_sdk::Result<String> {
    module.cache.set_bytes("measured", &[7; 100], None).await?;
    let began = Instant::now();
    for _ in 0..gets {
        let found = module.cache.get_bytes("measured").await?;
        if found.is_none_or(|value| value.len() != 100) {
            return Err(wharf_sdk::Problem::unavailable("the value is gone"));
        }
    }
    Ok(format!("{}\n", began.elapsed().as_nanos() as f64 / f64::from(gets.max(1))))
}

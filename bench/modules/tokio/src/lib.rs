//! The measured routes as a module.
use std::sync::Arc;

use bench_router::grpc::Answering;
use bench_router::grpc::v1::greeter_server::GreeterServer;
use bench_router::{echo, json, plain};
use wharf_sdk::{Context, Error, Grpc, Module, NoConfig, Routes, export_module, get, post};

export_module!(Measured);

/// A module with no state of its own.
#[derive(Debug)]
pub struct Measured;

impl Module for Measured {
    type Config = NoConfig;

    async fn init(_: Context, _: NoConfig) -> Result<Self, Error> {
        Ok(Self)
    }

    fn routes() -> Routes<Self> {
        Routes::new()
            .route("/json", get(json))
            .public()
            .route("/plain", get(plain))
            .public()
            .route("/echo", post(echo))
            .public()
    }

    fn grpc(self: &Arc<Self>) -> Grpc {
        Grpc::new().serve(GreeterServer::new(Answering))
    }
}

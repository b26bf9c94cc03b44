//! The measured routes as a module.
use bench_router::{echo, json, plain};
use wharf_sdk::{Context, Error, Module, NoConfig, Routes, export_module, get, post};

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
}

//! A module that misbehaves on demand, for the end-to-end tests: as bad as safe code on the SDK alone can be.
//!
//! What goes wrong in its life is in the configuration ([`Config`]), what goes wrong in its requests is in its routes.
#![allow(
    clippy::panic,
    clippy::disallowed_methods,
    reason = "it panics and blocks threads on purpose: that is what it is for"
)]

mod config;
mod fault;
mod good;
mod panics;
mod stuck;

use std::sync::Arc;
use std::time::Duration;

use wharf_sdk::services::metrics::Counter;
use wharf_sdk::{Context, Error, Grpc, Health, Module, Routes, export_module, tracing};

pub use config::Config;
pub use fault::Fault;

export_module!(Lab);

/// The module.
pub struct Lab {
    ctx: Context,
    config: Config,
    counter: Counter,
}

impl Module for Lab {
    type Config = Config;

    async fn init(ctx: Context, config: Config) -> Result<Self, Error> {
        config.init.happen("init", config.spin()).await?;
        if config.undeclared {
            ctx.errors()?;
        }
        let counter = ctx.metrics()?.counter("lab_counted_total", "Requests to /count", &[])?;
        Ok(Self { ctx, config, counter })
    }

    fn routes() -> Routes<Self> {
        stuck::routes(panics::routes(good::routes()))
    }

    fn grpc(self: &Arc<Self>) -> Grpc {
        assert!(self.config.create != Fault::Panic, "create panics as configured");
        Grpc::new()
    }

    async fn start(&self) -> Result<(), Error> {
        self.config.start.happen("start", self.config.spin()).await?;
        tracing::info!(secret.length = self.config.secret.len(), "lab has started");
        Ok(())
    }

    async fn stop(&self) -> Result<(), Error> {
        tracing::info!("lab stops");
        self.config.stop.happen("stop", self.config.spin()).await
    }

    async fn health(&self) -> Health {
        match self.config.health.happen("health", self.config.spin()).await {
            Ok(()) => Health::serving(),
            Err(why) => Health::not_serving(why.to_string()),
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        match self.config.drop {
            Fault::Panic => panic!("drop panics as configured"),
            Fault::Spin => spin(self.config.spin()),
            _ => {}
        }
    }
}

/// Keeps this thread busy.
fn spin(time: Duration) {
    let end = std::time::Instant::now() + time;
    while std::time::Instant::now() < end {
        std::hint::spin_loop();
    }
}

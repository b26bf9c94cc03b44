//! Counts what happens elsewhere, by minute, hour and day.
//!
//! In reading order: `domain` (the rules), `tables`; `recorder` (writing), `reader` (reading), `retention` (removing); `events` (what other
//! modules say), `http` and `grpc` (what clients say and ask).

mod config;
mod domain;
mod error;
mod events;
mod grpc;
mod http;
mod intake;
mod meters;
mod names;
mod reader;
mod recorder;
mod retention;
mod tables;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use wharf_sdk::services::database::{Db, Entities};
use wharf_sdk::{Context, Error, Grpc, Handlers, Jobs, Migrations, Module, OpenApi, Routes, export_module};

pub use config::Config;
pub use events::{AccountChanged, CommentAdded, InvoiceIssued, PaymentSucceeded, PostPublished, PostViewed};

export_module!(Analytics);

/// The module.
#[derive(Clone, Debug)]
pub struct Analytics {
    db: Db,
    config: Arc<Config>,
    recorder: recorder::Recorder,
    reader: reader::Reader,
    keeper: retention::Keeper,
}

impl Module for Analytics {
    type Config = Config;

    async fn init(ctx: Context, config: Config) -> Result<Self, Error> {
        let (db, config) = (ctx.db()?, Arc::new(config));
        Ok(Self {
            recorder: recorder::Recorder::new(config.clone(), meters::Meters::new(&ctx)?),
            reader: reader::Reader::new(&db, config.clone()),
            keeper: retention::Keeper::new(db.clone(), config.clone()),
            db,
            config,
        })
    }

    fn migrations() -> Migrations {
        tables::migrations()
    }

    fn entities() -> Entities {
        tables::entities()
    }

    fn routes() -> Routes<Self> {
        http::routes()
    }

    fn openapi() -> OpenApi {
        http::openapi()
    }

    fn grpc(self: &Arc<Self>) -> Grpc {
        grpc::services(self)
    }

    fn events() -> Handlers<Self> {
        events::handlers()
    }

    fn jobs() -> Jobs<Self> {
        retention::jobs()
    }
}

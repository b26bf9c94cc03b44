//! A module for tests that uses every method of every core service, and gives every export.
//!
//! `POST /gamut/tour/{service}` uses one service and says what came of it; the test knows what that must be. Binaries of it are
//! kept for every version of the ABI (`tests/fixtures`), so its sources may grow and what they answer may not change.

mod config;
mod http;
mod keeping;
mod observing;
mod tables;
mod working;

use std::sync::Arc;

use schemars::JsonSchema;
use sea_orm::EntityTrait as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wharf_sdk::services::database::{Db, Entities};
use wharf_sdk::{
    Context, Error, Event, EventContext, Handlers, Health, JobContext, Jobs, MailTemplates, Migrations, Module, OpenApi, Payload, Routes,
    entities, export_module,
};

use config::Config;
use tables::{sample, seen};

/// The greeter's API, as every client generates it from its `.proto`.
mod greeter {
    #![allow(
        missing_docs,
        unreachable_pub,
        dead_code,
        clippy::all,
        clippy::allow_attributes_without_reason,
        reason = "generated code"
    )]

    include!("../../../../plugins/greeter/src/gen/greeter.v1.rs");
}

export_module!(Gamut);

/// The module.
pub struct Gamut {
    ctx: Context,
    config: Config,
    db: Db,
}

/// A step was taken.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StepTaken {
    /// Where to.
    pub place: String,
}

impl Event for StepTaken {
    const TYPE: &'static str = "gamut.step.taken.v1";

    fn key(&self) -> Option<String> {
        Some(self.place.clone())
    }
}

/// Where to walk.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Walk {
    /// The place.
    pub to: String,
}

impl Payload for Walk {}

impl Module for Gamut {
    type Config = Config;

    async fn init(ctx: Context, config: Config) -> Result<Self, Error> {
        Ok(Self {
            db: ctx.db()?,
            ctx,
            config,
        })
    }

    fn routes() -> Routes<Self> {
        http::routes()
    }

    fn openapi() -> OpenApi {
        http::document()
    }

    fn migrations() -> Migrations {
        tables::migrations()
    }

    fn entities() -> Entities {
        entities![sample::Entity, seen::Entity]
    }

    fn events() -> Handlers<Self> {
        Handlers::new()
            .publishes::<StepTaken>()
            .on::<StepTaken>("write-down", Self::on_step)
    }

    fn jobs() -> Jobs<Self> {
        Jobs::new().job_with::<Walk>("walk", Self::walk).job("nightly", Self::nightly)
    }

    fn templates() -> MailTemplates {
        MailTemplates::new()
            .file("step.subject", include_str!("mails/step.subject"))
            .file("step.txt", include_str!("mails/step.txt"))
            .file("step.html", include_str!("mails/step.html"))
    }

    async fn start(&self) -> Result<(), Error> {
        wharf_sdk::tracing::info!(word = self.config.word, "the gamut begins");
        Ok(())
    }

    async fn stop(&self) -> Result<(), Error> {
        wharf_sdk::tracing::info!("the gamut ends");
        Ok(())
    }

    async fn health(&self) -> Health {
        match seen::Entity::find().one(&self.db).await {
            Ok(_) => Health::serving(),
            Err(error) => Health::not_serving(error.to_string()),
        }
    }
}

impl Gamut {
    async fn on_step(self: Arc<Self>, step: StepTaken, ctx: EventContext) -> Result<(), Error> {
        let how = if ctx.has_tx() { "event" } else { "transient event" };
        let row = seen::row(format!("{how}: {}", step.place));
        match ctx.has_tx() {
            true => seen::Entity::insert(row).exec(&ctx.tx()?).await?,
            false => seen::Entity::insert(row).exec(&self.db).await?,
        };
        Ok(())
    }

    async fn walk(self: Arc<Self>, walk: Walk, ctx: JobContext) -> Result<(), Error> {
        let row = seen::row(format!("{} {}: {}", ctx.job(), ctx.attempt(), walk.to));
        seen::Entity::insert(row).exec(&self.db).await?;
        Ok(())
    }

    async fn nightly(self: Arc<Self>, _: JobContext) -> Result<(), Error> {
        seen::Entity::insert(seen::row("nightly")).exec(&self.db).await?;
        Ok(())
    }

    /// Uses one service, by its name in `wharf.toml`.
    async fn tour(&self, service: &str) -> Result<Value, Error> {
        match service {
            "audit" => working::audit(self).await,
            "authz" => working::authz(self),
            "blobs" => keeping::blobs(self).await,
            "cache" => keeping::cache(self).await,
            "channel" => observing::channel(self).await,
            "config" => Ok(observing::config(self)),
            "database" => keeping::database(self).await,
            "errors" => observing::errors(self),
            "events" => working::events(self).await,
            "health" => observing::health(self),
            "log" => Ok(observing::log()),
            "metrics" => observing::metrics(self),
            "notifier" => working::notifier(self).await,
            "runtime" => observing::runtime(self).await,
            "scheduler" => working::scheduler(self).await,
            "secrets" => keeping::secrets(self).await,
            other => Err(format!("there is no tour of {other:?}").into()),
        }
    }
}

//! A module for tests that calls `ring-b`, which calls it back: in the middle of a transaction, without one, and in a handler.

mod tables;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use schemars::JsonSchema;
use sea_orm::{AccessMode, DbErr, EntityTrait, PaginatorTrait, TransactionTrait};
use serde::{Deserialize, Serialize};
use tonic::{Request, Response, Status};
use wharf_sdk::audit::Entry;
use wharf_sdk::services::audit::Audit;
use wharf_sdk::services::channel::Channel;
use wharf_sdk::services::database::{Db, Entities};
use wharf_sdk::services::events::Events;
use wharf_sdk::services::scheduler::{Run, Scheduler};
use wharf_sdk::{
    Context, Error, Event, EventContext, Grpc, Handlers, JobContext, Jobs, Migrations, Module, NoConfig, Problem, Result, Routes, entities,
    export_module, get, post,
};

use tables::{heard, turn};
use v1::left_server::{Left, LeftServer};
use v1::right_client::RightClient;
use v1::{BackRequest, TurnRequest, TurnResponse};

/// Generated from `proto/ring/v1/ring.proto`.
pub mod v1 {
    #![allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::allow_attributes_without_reason,
        reason = "generated code"
    )]

    include!("gen/ring.v1.rs");
}

export_module!(RingA);

/// The module.
pub struct RingA {
    ctx: Context,
    db: Db,
    events: Events,
    jobs: Scheduler,
    audit: Audit,
}

/// A turn to take in a handler.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Made {
    /// How.
    pub how: String,
}

/// What nobody handles.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Missed {}

impl Event for Made {
    const TYPE: &'static str = "ring-a.turn.made.v1";
}

impl Event for Missed {
    const TYPE: &'static str = "ring-a.turn.missed.v1";
}

/// What came of a call and the call back.
#[derive(Serialize)]
struct Outcome {
    rows: i64,
    error: String,
}

impl Module for RingA {
    type Config = NoConfig;

    async fn init(ctx: Context, _: NoConfig) -> Result<Self, Error> {
        Ok(Self {
            db: ctx.db()?,
            events: ctx.events()?,
            jobs: ctx.jobs()?,
            audit: ctx.audit()?,
            ctx,
        })
    }

    fn entities() -> Entities {
        entities![turn::Entity, heard::Entity]
    }

    fn migrations() -> Migrations {
        tables::migrations()
    }

    fn routes() -> Routes<Self> {
        Routes::new()
            .route("/hold/{how}", post(hold))
            .public()
            .route("/free/{how}", post(free))
            .public()
            .route("/tell/{how}", post(tell))
            .public()
            .route("/heard", get(list_heard))
            .public()
    }

    fn grpc(self: &Arc<Self>) -> Grpc {
        Grpc::new().serve(LeftServer::from_arc(Arc::clone(self)))
    }

    fn events() -> Handlers<Self> {
        Handlers::new().on::<Made>("hear", Self::on_made)
    }

    fn jobs() -> Jobs<Self> {
        Jobs::new().job("bill", Self::bill)
    }
}

impl RingA {
    /// Calls the other one, which calls back.
    async fn call(&self, how: String) -> Result<Outcome, Error> {
        let channel: Channel = self.ctx.channel("ring-b")?;
        let answer = RightClient::new(channel).back(BackRequest { how }).await?.into_inner();
        Ok(Outcome {
            rows: answer.rows,
            error: answer.error,
        })
    }

    async fn on_made(self: Arc<Self>, made: Made, ctx: EventContext) -> Result<(), Error> {
        let outcome = self.call(made.how).await?;
        heard::Entity::insert(heard::row(&outcome.error)).exec(&ctx.tx()?).await?;
        Ok(())
    }

    async fn bill(self: Arc<Self>, _: JobContext) -> Result<(), Error> {
        Ok(())
    }

    async fn turn_now(&self, how: &str) -> Result<(), Error> {
        match how {
            "write" => {
                turn::Entity::insert(turn::row(how)).exec(&self.db).await?;
            }
            "begin" => {
                let tx = self.db.begin().await?;
                turn::Entity::insert(turn::row(how)).exec(&tx).await?;
                tx.commit().await?;
            }
            "read" => {
                let tx = self.db.begin_with_config(None, Some(AccessMode::ReadOnly)).await?;
                turn::Entity::find().count(&tx).await?;
                tx.commit().await?;
            }
            "publish" => drop(self.events.publish_alone(&Missed {}).await?),
            "record" => drop(self.audit.record_now(Entry::of("ring.turn.take")).await?),
            "bill" => drop(self.jobs.enqueue_alone(Run::of("bill")).await?),
            other => return Err(format!("found {other:?}, expected a kind of turn").into()),
        }
        Ok(())
    }

    async fn rows(&self) -> Result<i64, DbErr> {
        Ok(i64::try_from(turn::Entity::find().count(&self.db).await?).unwrap_or(i64::MAX))
    }
}

#[tonic::async_trait]
impl Left for RingA {
    async fn turn(&self, request: Request<TurnRequest>) -> Result<Response<TurnResponse>, Status> {
        let failed = |error: &dyn std::fmt::Display| Status::failed_precondition(error.to_string());
        self.turn_now(&request.into_inner().how).await.map_err(|error| failed(&error))?;
        let rows = self.rows().await.map_err(|error| failed(&error))?;
        Ok(Response::new(TurnResponse { rows }))
    }
}

/// Calls in the middle of a transaction that has written.
async fn hold(State(ring): State<Arc<RingA>>, Path(how): Path<String>) -> Result<Json<Outcome>> {
    let tx = ring.db.begin().await?;
    turn::Entity::insert(turn::row("hold")).exec(&tx).await?;
    let outcome = ring.call(how).await.map_err(|error| Problem::internal(error.to_string()))?;
    tx.commit().await?;
    Ok(Json(outcome))
}

/// Calls after the transaction.
async fn free(State(ring): State<Arc<RingA>>, Path(how): Path<String>) -> Result<Json<Outcome>> {
    let tx = ring.db.begin().await?;
    turn::Entity::insert(turn::row("free")).exec(&tx).await?;
    tx.commit().await?;
    let outcome = ring.call(how).await.map_err(|error| Problem::internal(error.to_string()))?;
    Ok(Json(outcome))
}

/// Calls in a handler, which has a transaction.
async fn tell(State(ring): State<Arc<RingA>>, Path(how): Path<String>) -> Result<String> {
    let id = ring.events.publish_alone(&Made { how }).await;
    id.map_err(|error| Problem::internal(error.to_string()))
}

async fn list_heard(State(ring): State<Arc<RingA>>) -> Result<Json<Vec<String>>> {
    let rows = heard::Entity::find().all(&ring.db).await?;
    Ok(Json(rows.into_iter().map(|row| row.error).collect()))
}

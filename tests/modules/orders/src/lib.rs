//! A module for tests: orders are published in transactions, handled in transactions, and counted; jobs leave a row each.

mod tables;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use schemars::JsonSchema;
use sea_orm::{ActiveValue::Set, EntityTrait, TransactionTrait};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wharf_sdk::services::database::{Db, Entities};
use wharf_sdk::services::events::Events;
use wharf_sdk::services::scheduler::{Run, Scheduler};
use wharf_sdk::tracing::{self, Instrument as _};
use wharf_sdk::{
    Context, Error, Event, EventContext, Handlers, JobContext, Jobs, Migrations, Module, NoConfig, Payload, Problem, Result, Routes,
    Subscription, entities, export_module, get, post,
};

use tables::{handled, placed};

export_module!(OrdersModule);

/// The module.
#[derive(Debug)]
pub struct OrdersModule {
    ctx: Context,
    db: Db,
    events: Events,
    jobs: Scheduler,
}

/// An order. What its handler does is said by `kind`: `plain`, `poison`, `panic`, `hang`, `slow` or `once`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Placed {
    /// What the handler does.
    pub kind: String,
    /// Orders of one customer are handled in order.
    pub customer: String,
    /// Its number.
    pub number: i64,
}

/// The same, in another shape.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PlacedV2 {
    /// Its number, as text.
    pub order: String,
}

/// What may be lost.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Seen {
    /// Number of an order.
    pub number: i64,
}

/// What no manifest lists.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Undeclared {}

/// A bill to be written.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Bill {
    /// Its number.
    pub number: i64,
}

impl Event for Placed {
    const TYPE: &'static str = "orders.order.placed.v1";

    fn key(&self) -> Option<String> {
        Some(self.customer.clone())
    }
}

impl Event for PlacedV2 {
    const TYPE: &'static str = "orders.order.placed.v2";
}

impl Event for Seen {
    const TYPE: &'static str = "orders.order.seen.v1";
}

impl Event for Undeclared {
    const TYPE: &'static str = "orders.order.vanished.v1";
}

impl Payload for Bill {
    const VERSION: u32 = 2;

    fn upgrade(version: u32, payload: Value) -> Result<Self, Error> {
        let number = payload.get("no").and_then(Value::as_i64);
        let number = number.filter(|_| version == 1).ok_or("found no bill of version 1")?;
        Ok(Self { number })
    }
}

impl Module for OrdersModule {
    type Config = NoConfig;

    async fn init(ctx: Context, _: NoConfig) -> Result<Self, Error> {
        Ok(Self {
            db: ctx.db()?,
            events: ctx.events()?,
            jobs: ctx.jobs()?,
            ctx,
        })
    }

    fn migrations() -> Migrations {
        tables::migrations()
    }

    fn entities() -> Entities {
        entities![placed::Entity, handled::Entity]
    }

    fn routes() -> Routes<Self> {
        Routes::new()
            .route("/orders/{kind}/{customer}/{number}", post(place))
            .public()
            .route("/v2/{number}", post(place_v2))
            .public()
            .route("/seen/{number}", post(see))
            .public()
            .route("/undeclared", post(publish_undeclared))
            .public()
            .route("/bills/{number}", post(bill))
            .public()
            .route("/later/{number}/{seconds}", post(bill_later))
            .public()
            .route("/waits", post(wait))
            .public()
            .route("/totals", get(totals))
            .public()
    }

    fn events() -> Handlers<Self> {
        Handlers::new()
            .publishes::<Placed>()
            .publishes::<PlacedV2>()
            .on::<Placed>(
                Subscription::named("book").timeout(Duration::from_millis(1500)).max_attempts(4),
                Self::on_placed,
            )
            .on::<PlacedV2>("book-v2", Self::on_placed_v2)
            .on::<Seen>("see", Self::on_seen)
    }

    fn jobs() -> Jobs<Self> {
        Jobs::new()
            .job_with::<Bill>("bill", Self::write_bill)
            .job("sweep", Self::sweep)
            .job("wait", Self::wait_for_the_end)
    }
}

impl OrdersModule {
    async fn on_placed(self: Arc<Self>, order: Placed, ctx: EventContext) -> Result<(), Error> {
        // What it does comes first, so that a failure after it shows whether it is taken back.
        let by = if ctx.is_replay() { "book-again" } else { ctx.subscription() };
        let row = handled::row(by, &order.customer, order.number);
        handled::Entity::insert(row).exec(&ctx.tx()?).await?;
        match order.kind.as_str() {
            "poison" => Err("this order cannot be booked".into()),
            "once" if ctx.attempt() == 1 => Err("not at the first try".into()),
            #[allow(clippy::panic, reason = "what the test is about")]
            "panic" => panic!("this order panics"),
            "hang" => std::future::pending().await,
            "slow" => {
                self.ctx.sleep(Duration::from_millis(50)).await;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn on_placed_v2(self: Arc<Self>, order: PlacedV2, ctx: EventContext) -> Result<(), Error> {
        let row = handled::row(ctx.subscription(), "", order.order.parse()?);
        handled::Entity::insert(row).exec(&ctx.tx()?).await?;
        Ok(())
    }

    async fn on_seen(self: Arc<Self>, seen: Seen, ctx: EventContext) -> Result<(), Error> {
        let row = handled::row(ctx.subscription(), "", seen.number);
        handled::Entity::insert(row).exec(&self.db).await?;
        Ok(())
    }

    async fn write_bill(self: Arc<Self>, bill: Bill, ctx: JobContext) -> Result<(), Error> {
        let row = handled::row(ctx.job(), "", bill.number);
        handled::Entity::insert(row).exec(&self.db).await?;
        Ok(())
    }

    async fn sweep(self: Arc<Self>, ctx: JobContext) -> Result<(), Error> {
        let row = handled::row(ctx.job(), "", 0);
        handled::Entity::insert(row).exec(&self.db).await?;
        Ok(())
    }

    async fn wait_for_the_end(self: Arc<Self>, ctx: JobContext) -> Result<(), Error> {
        let row = handled::row(ctx.job(), "", i64::from(ctx.attempt()));
        handled::Entity::insert(row).exec(&self.db).await?;
        ctx.cancelled().await;
        Err("told to end".into())
    }
}

async fn place(State(orders): State<Arc<OrdersModule>>, Path((kind, customer, number)): Path<(String, String, i64)>) -> Result<String> {
    let span = tracing::info_span!("place order", order.number = number);
    place_in_tx(&orders, kind, customer, number).instrument(span).await
}

async fn place_in_tx(orders: &OrdersModule, kind: String, customer: String, number: i64) -> Result<String> {
    let tx = orders.db.begin().await?;
    let row = placed::ActiveModel { number: Set(number) };
    placed::Entity::insert(row).exec(&tx).await?;
    let order = Placed { kind, customer, number };
    let id = orders.events.publish(&tx, &order).await?;
    tx.commit().await?;
    Ok(id)
}

async fn place_v2(State(orders): State<Arc<OrdersModule>>, Path(order): Path<String>) -> Result<String> {
    let id = orders.events.publish_alone(&PlacedV2 { order }).await;
    id.map_err(|e| Problem::internal(e.to_string()))
}

async fn see(State(orders): State<Arc<OrdersModule>>, Path(number): Path<i64>) -> Result<String> {
    let id = orders.events.publish_transient(&Seen { number });
    id.map_err(|e| Problem::internal(e.to_string()))
}

async fn publish_undeclared(State(orders): State<Arc<OrdersModule>>) -> String {
    match orders.events.publish_alone(&Undeclared {}).await {
        Ok(id) => id,
        Err(fault) => fault.to_string(),
    }
}

async fn bill(State(orders): State<Arc<OrdersModule>>, Path(number): Path<i64>) -> Result<String> {
    let run = Run::of("bill")
        .with(&Bill { number })
        .map_err(|e| Problem::internal(e.to_string()))?;
    let id = orders.jobs.enqueue_alone(run.unless_there_is(&number.to_string())).await;
    Ok(id.map_err(|e| Problem::internal(e.to_string()))?.unwrap_or_default())
}

async fn bill_later(State(orders): State<Arc<OrdersModule>>, Path((number, seconds)): Path<(i64, u64)>) -> Result<String> {
    let run = Run::of("bill")
        .with(&Bill { number })
        .map_err(|e| Problem::internal(e.to_string()))?;
    let id = orders.jobs.enqueue_alone(run.after(Duration::from_secs(seconds))).await;
    Ok(id.map_err(|e| Problem::internal(e.to_string()))?.unwrap_or_default())
}

async fn wait(State(orders): State<Arc<OrdersModule>>) -> Result<String> {
    let id = orders.jobs.enqueue_alone(Run::of("wait")).await;
    Ok(id.map_err(|e| Problem::internal(e.to_string()))?.unwrap_or_default())
}

/// Everything that happened: numbers of orders that were placed, and in order what was done.
async fn totals(State(orders): State<Arc<OrdersModule>>) -> Result<Json<Value>> {
    let (placed, handled) = tables::all(&orders.db).await.map_err(|e| Problem::internal(e.to_string()))?;
    Ok(Json(json!({ "placed": placed, "handled": handled })))
}

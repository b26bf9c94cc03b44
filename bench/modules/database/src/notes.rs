//! The measured work on events: published in transactions, and each handled once by one row.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{Path, State};
use futures_util::task::AtomicWaker;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_sdk::sea_orm::entity::prelude::*;
use wharf_sdk::sea_orm::{Set, TransactionTrait as _};
use wharf_sdk::{Error, Event, EventContext, Handlers, Result, Subscription};

use crate::Bench;

/// What is published.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Noted {
    /// Its number.
    n: i64,
}

impl Event for Noted {
    const TYPE: &'static str = "bench-database.noted.v1";
}

/// What the handler writes.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "bench_note")]
pub struct Model {
    #[sea_orm(primary_key)]
    id: i32,
    n: i64,
}

/// None.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// When a number came to the handler.
#[derive(Default)]
pub(crate) struct Arrivals {
    at: Mutex<HashMap<i64, Instant>>,
    waker: AtomicWaker,
}

impl Arrivals {
    fn came(&self, n: i64) {
        self.at.lock().unwrap_or_else(PoisonError::into_inner).insert(n, Instant::now());
        self.waker.wake();
    }

    async fn wait(&self, n: i64) -> Instant {
        std::future::poll_fn(|cx| {
            self.waker.register(cx.waker());
            let came = self.at.lock().unwrap_or_else(PoisonError::into_inner).remove(&n);
            came.map_or(std::task::Poll::Pending, std::task::Poll::Ready)
        })
        .await
    }
}

pub(crate) fn handlers() -> Handlers<Bench> {
    Handlers::new()
        .publishes::<Noted>()
        .on::<Noted>(Subscription::named("note").unordered(), Bench::on_noted)
}

impl Bench {
    async fn on_noted(self: Arc<Self>, event: Noted, ctx: EventContext) -> Result<(), Error> {
        if event.n < 0 {
            self.arrivals.came(event.n);
        }
        let row = ActiveModel {
            n: Set(event.n),
            ..Default::default()
        };
        Entity::insert(row).exec_without_returning(&ctx.tx()?).await?;
        Ok(())
    }
}

/// So many events, so many in one transaction.
pub(crate) async fn publish(State(bench): State<Arc<Bench>>, Path((count, together)): Path<(i64, i64)>) -> Result<&'static str> {
    let mut n = 0;
    while n < count {
        let tx = bench.db.begin().await?;
        for _ in 0..together.min(count - n) {
            bench.events.publish(&tx, &Noted { n }).await?;
            n += 1;
        }
        tx.commit().await?;
    }
    Ok("published")
}

/// Keeps a connection of PostgreSQL for a while.
pub(crate) async fn hold(State(bench): State<Arc<Bench>>) -> Result<&'static str> {
    bench.db.execute_unprepared("SELECT pg_sleep(1)").await?;
    Ok("held")
}

/// How many were handled.
pub(crate) async fn handled(State(bench): State<Arc<Bench>>) -> Result<String> {
    Ok(Entity::find().count(&bench.db).await?.to_string())
}

/// Nanoseconds from the commit of one event to its handler, when nothing else is done; so often, in ascending order.
pub(crate) async fn idle(State(bench): State<Arc<Bench>>, Path(count): Path<i64>) -> Result<String> {
    let mut times = Vec::new();
    for n in 1..=count {
        let tx = bench.db.begin().await?;
        bench.events.publish(&tx, &Noted { n: -n }).await?;
        tx.commit().await?;
        let committed = Instant::now();
        let came = bench.arrivals.wait(-n).await;
        times.push(came.saturating_duration_since(committed).as_nanos());
    }
    times.sort_unstable();
    Ok(times.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
}

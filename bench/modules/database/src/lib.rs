//! The measured work on a database, in a module: the same text as `bench/database` runs on sea-orm and sqlx directly.

#[path = "../../../database/src/work.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "this text is another program's too"
)]
mod work;

#[allow(unreachable_pub, reason = "what the derive of an entity makes has to be reached")]
mod notes;

use std::sync::Arc;

use axum::extract::{Path, State};
use wharf_sdk::services::database::{Db, Entities};
use wharf_sdk::services::events::Events;
use wharf_sdk::{Context, Error, Handlers, Migration, Migrations, Module, NoConfig, Result, Routes, entities, export_module, get};

export_module!(Bench);

/// The module.
pub struct Bench {
    db: Db,
    events: Events,
    arrivals: notes::Arrivals,
}

impl Module for Bench {
    type Config = NoConfig;

    async fn init(ctx: Context, _: NoConfig) -> Result<Self, Error> {
        Ok(Self {
            db: ctx.db()?,
            events: ctx.events()?,
            arrivals: notes::Arrivals::default(),
        })
    }

    fn entities() -> Entities {
        entities![work::Entity, notes::Entity]
    }

    fn migrations() -> Migrations {
        use wharf_sdk::sea_orm::DbBackend;
        Migrations::new()
            .then(
                Migration::expand("0001_posts")
                    .sqlite(work::table(DbBackend::Sqlite))
                    .postgres(work::table(DbBackend::Postgres)),
            )
            .then(
                Migration::expand("0002_notes")
                    .sqlite("CREATE TABLE bench_note (id INTEGER PRIMARY KEY AUTOINCREMENT, n BIGINT NOT NULL)")
                    .postgres("CREATE TABLE bench_note (id SERIAL PRIMARY KEY, n BIGINT NOT NULL)"),
            )
    }

    fn events() -> Handlers<Self> {
        notes::handlers()
    }

    fn routes() -> Routes<Self> {
        Routes::new()
            .route("/fill", get(fill))
            .public()
            .route("/run/{case}/{count}", get(run))
            .public()
            .route("/publish/{count}/{together}", get(notes::publish))
            .public()
            .route("/hold", get(notes::hold))
            .public()
            .route("/handled", get(notes::handled))
            .public()
            .route("/idle/{count}", get(notes::idle))
            .public()
    }
}

async fn fill(State(bench): State<Arc<Bench>>) -> Result<&'static str> {
    work::fill(&bench.db).await?;
    Ok("filled")
}

async fn run(State(bench): State<Arc<Bench>>, Path((case, count)): Path<(String, u32)>) -> Result<String> {
    Ok(work::run(&bench.db, &case, count).await?.to_string())
}

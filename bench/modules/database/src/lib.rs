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

use std::sync::Arc;

use axum::extract::{Path, State};
use wharf_sdk::services::database::{Db, Entities};
use wharf_sdk::{Context, Error, Migration, Migrations, Module, NoConfig, Result, Routes, entities, export_module, get};

export_module!(Bench);

/// The module.
pub struct Bench(Db);

impl Module for Bench {
    type Config = NoConfig;

    async fn init(ctx: Context, _: NoConfig) -> Result<Self, Error> {
        Ok(Self(ctx.db()?))
    }

    fn entities() -> Entities {
        entities![work::Entity]
    }

    fn migrations() -> Migrations {
        use wharf_sdk::sea_orm::DbBackend;
        Migrations::new().then(
            Migration::expand("0001_posts")
                .sqlite(work::table(DbBackend::Sqlite))
                .postgres(work::table(DbBackend::Postgres)),
        )
    }

    fn routes() -> Routes<Self> {
        Routes::new()
            .route("/fill", get(fill))
            .public()
            .route("/run/{case}/{count}", get(run))
            .public()
    }
}

async fn fill(State(bench): State<Arc<Bench>>) -> Result<&'static str> {
    work::fill(&bench.0).await?;
    Ok("filled")
}

async fn run(State(bench): State<Arc<Bench>>, Path((case, count)): Path<(String, u32)>) -> Result<String> {
    Ok(work::run(&bench.0, &case, count).await?.to_string())
}

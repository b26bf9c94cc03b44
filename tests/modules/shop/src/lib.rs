//! A module for tests that does with its database whatever sea-orm can: `GET /shop/checks` runs every check and tells how each
//! went, the routes of [`holding`] keep transactions and streams open in every way there is.
//!
//! It has `runtime = "none"`: the database needs no tokio.

mod checks;
pub mod entities;
mod holding;

use std::sync::{Arc, Mutex};

use axum::Json;
use axum::extract::State;
use wharf_sdk::services::database::{Db, Entities, Tx};
use wharf_sdk::{Context, Error, Migration, Migrations, Module, NoConfig, Routes, entities, export_module, get};

use entities::{customer, item, order, product, sink};

export_module!(Shop);

/// The module.
pub struct Shop {
    ctx: Context,
    db: Db,
    /// What outlives the call that opened it.
    stashed: Mutex<Option<Tx>>,
}

impl Module for Shop {
    type Config = NoConfig;

    async fn init(ctx: Context, _: NoConfig) -> Result<Self, Error> {
        let db = ctx.db()?;
        Ok(Self {
            ctx,
            db,
            stashed: Mutex::default(),
        })
    }

    fn entities() -> Entities {
        entities![customer::Entity, product::Entity, order::Entity, item::Entity, sink::Entity]
    }

    fn migrations() -> Migrations {
        Migrations::new()
            .then(
                Migration::expand("0001_shop")
                    .create_table(customer::Entity)
                    .create_table(product::Entity)
                    .create_table(order::Entity)
                    .create_table(item::Entity),
            )
            .then(Migration::expand("0002_sink").create_table(sink::Entity))
            .then(Migration::expand("0003_unlisted").both("CREATE TABLE unlisted (id INTEGER PRIMARY KEY, big BIGINT)"))
    }

    fn routes() -> Routes<Self> {
        holding::routes(Routes::new().route("/checks", get(run_checks)).public())
    }
}

/// How one check went.
#[derive(serde::Serialize)]
pub struct Checked {
    name: &'static str,
    error: Option<String>,
}

async fn run_checks(State(shop): State<Arc<Shop>>) -> Json<Vec<Checked>> {
    Json(checks::all(&shop.db).await)
}

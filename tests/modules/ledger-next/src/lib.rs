//! The ledger's next version: entries have a colour, and the second table goes when nobody uses it any more.

use std::sync::Arc;

use axum::extract::{Path, State};
use wharf_sdk::sea_orm::ConnectionTrait;
use wharf_sdk::services::database::Db;
use wharf_sdk::{Context, Error, Health, Migration, Migrations, Module, Result, Routes, export_module, post};

export_module!(Ledger);

/// The module.
pub struct Ledger {
    db: Db,
    ill: bool,
}

/// Its section.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whether it says that it cannot serve.
    #[serde(default)]
    pub ill: bool,
}

impl Module for Ledger {
    type Config = Config;

    async fn init(ctx: Context, config: Config) -> Result<Self, Error> {
        Ok(Self {
            db: ctx.db()?,
            ill: config.ill,
        })
    }

    fn migrations() -> Migrations {
        Migrations::new()
            .then(
                Migration::expand("0001_entries")
                    .both("CREATE TABLE entry (text TEXT NOT NULL); CREATE TABLE old_entry (text TEXT NOT NULL)"),
            )
            .then(Migration::expand("0002_color").both("ALTER TABLE entry ADD COLUMN color TEXT NOT NULL DEFAULT 'grey'"))
            .then(Migration::contract("0003_one_table").both("DROP TABLE old_entry"))
    }

    fn routes() -> Routes<Self> {
        Routes::new().route("/entries/{text}", post(add)).public()
    }

    async fn health(&self) -> Health {
        if self.ill {
            Health::not_serving("as it was told")
        } else {
            Health::serving()
        }
    }
}

async fn add(State(ledger): State<Arc<Ledger>>, Path(text): Path<String>) -> Result<String> {
    let text = text.replace('\'', "");
    ledger
        .db
        .execute_unprepared(&format!("INSERT INTO entry (text, color) VALUES ('{text}', 'red')"))
        .await?;
    Ok("added by version 2".to_owned())
}

//! Keeps entries in two tables. The next version (`ledger-next`) needs only one of them.

use std::sync::Arc;

use axum::extract::{Path, State};
use wharf_sdk::sea_orm::{ConnectionTrait, TransactionTrait};
use wharf_sdk::services::database::Db;
use wharf_sdk::{Context, Error, Migration, Migrations, Module, Result, Routes, export_module, post};

export_module!(Ledger);

/// The module.
pub struct Ledger(Db);

/// Its section. This version only knows that the next one has such a key.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whether the next version says that it cannot serve.
    #[serde(default)]
    pub ill: bool,
}

impl Module for Ledger {
    type Config = Config;

    async fn init(ctx: Context, _: Config) -> Result<Self, Error> {
        Ok(Self(ctx.db()?))
    }

    fn migrations() -> Migrations {
        Migrations::new().then(
            Migration::expand("0001_entries").both("CREATE TABLE entry (text TEXT NOT NULL); CREATE TABLE old_entry (text TEXT NOT NULL)"),
        )
    }

    fn routes() -> Routes<Self> {
        Routes::new().route("/entries/{text}", post(add)).public()
    }
}

async fn add(State(ledger): State<Arc<Ledger>>, Path(text): Path<String>) -> Result<String> {
    let text = text.replace('\'', "");
    let tx = ledger.0.begin().await?;
    for table in ["entry", "old_entry"] {
        tx.execute_unprepared(&format!("INSERT INTO {table} (text) VALUES ('{text}')"))
            .await?;
    }
    tx.commit().await?;
    Ok("added by version 1".to_owned())
}

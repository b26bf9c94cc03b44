//! A module for tests: keeps the audit records of other modules, from the first on.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use sea_orm::{ActiveValue::Set, EntityTrait, QueryOrder};
use serde_json::Value;
use wharf_sdk::audit::Record;
use wharf_sdk::services::database::{Db, Entities};
use wharf_sdk::{
    Context, Error, EventContext, Handlers, Migration, Migrations, Module, NoConfig, Result, Routes, Subscription, entities, export_module,
    get,
};

export_module!(KeeperModule);

/// The module.
#[derive(Debug)]
pub struct KeeperModule {
    db: Db,
}

/// What was recorded.
mod kept {
    use sea_orm::entity::prelude::*;

    /// One record.
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "kept")]
    pub(crate) struct Model {
        /// Its id.
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: String,
        /// The record.
        pub(crate) record: Json,
    }

    /// There are none.
    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Module for KeeperModule {
    type Config = NoConfig;

    async fn init(ctx: Context, _: NoConfig) -> Result<Self, Error> {
        Ok(Self { db: ctx.db()? })
    }

    fn migrations() -> Migrations {
        Migrations::new().then(
            Migration::expand("0001_kept")
                .sqlite("CREATE TABLE kept (id TEXT PRIMARY KEY, record TEXT NOT NULL)")
                .postgres("CREATE TABLE kept (id TEXT PRIMARY KEY, record JSONB NOT NULL)"),
        )
    }

    fn entities() -> Entities {
        entities![kept::Entity]
    }

    fn routes() -> Routes<Self> {
        Routes::new().route("/records", get(records)).public()
    }

    fn events() -> Handlers<Self> {
        Handlers::new().on::<Record>(Subscription::named("keep").from_start(), Self::on_recorded)
    }
}

impl KeeperModule {
    async fn on_recorded(self: Arc<Self>, record: Record, ctx: EventContext) -> Result<(), Error> {
        let row = kept::ActiveModel {
            id: Set(record.id.clone()),
            record: Set(serde_json::to_value(&record)?),
        };
        kept::Entity::insert(row).exec_without_returning(&ctx.tx()?).await?;
        Ok(())
    }
}

async fn records(State(keeper): State<Arc<KeeperModule>>) -> Result<Json<Vec<Value>>> {
    let rows = kept::Entity::find().order_by_asc(kept::Column::Id).all(&keeper.db).await?;
    Ok(Json(rows.into_iter().map(|row| row.record).collect()))
}

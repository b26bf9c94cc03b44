//! The table `wharf_idempotency` of a module that has such routes.
#![allow(unreachable_pub, reason = "the derive makes public what stands beside it")]

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{DbBackend, IntoActiveModel, Statement};

use crate::migrations::Migration;
use crate::services::database::Tx;

/// What came of a request.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "wharf_idempotency")]
pub struct Model {
    /// Hash of caller, route and key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub scope: String,
    /// Hash of what it came with.
    pub hash: String,
    /// Status of the response.
    pub status: i32,
    /// Its media type.
    pub content_type: Option<String>,
    /// Where it leads to.
    pub location: Option<String>,
    /// Its body.
    pub body: Vec<u8>,
    /// When it is forgotten, in milliseconds since 1970.
    pub expires_ms: i64,
}

/// There are none.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// For the module's list of entities.
pub(crate) fn entity() -> Entity {
    Entity
}

/// For the module's list of migrations.
pub(crate) fn migration() -> Migration {
    let table = |bytes: &str| {
        format!(
            "CREATE TABLE wharf_idempotency (scope TEXT PRIMARY KEY, hash TEXT NOT NULL, status INTEGER NOT NULL, content_type TEXT, \
             location TEXT, body {bytes} NOT NULL, expires_ms BIGINT NOT NULL); \
             CREATE INDEX wharf_idempotency_expires ON wharf_idempotency (expires_ms)"
        )
    };
    Migration::expand("wharf_idempotency_1")
        .compatible()
        .sqlite(&table("BLOB"))
        .postgres(&table("BYTEA"))
}

/// Takes the key for this transaction; `false` when another one has it. SQLite has one writer at a time, which this one is.
pub(super) async fn lock(tx: &Tx, scope: &str) -> Result<bool, DbErr> {
    if tx.get_database_backend() != DbBackend::Postgres {
        return Ok(true);
    }
    let id = i64::from_str_radix(scope.get(..15).unwrap_or_default(), 16).unwrap_or_default();
    let sql = "SELECT pg_try_advisory_xact_lock($1) AS is_ours";
    let asked = Statement::from_sql_and_values(DbBackend::Postgres, sql, [id.into()]);
    let row = tx.query_one_raw(asked).await?;
    row.map_or(Ok(false), |row| row.try_get("", "is_ours"))
}

pub(super) async fn find(tx: &Tx, scope: &str, now_ms: i64) -> Result<Option<Model>, DbErr> {
    let found = Entity::find_by_id(scope).one(tx).await?;
    Ok(found.filter(|row| row.expires_ms > now_ms))
}

/// Writes an answer, in the place of one that is to be forgotten.
pub(super) async fn put(tx: &Tx, row: Model) -> Result<(), DbErr> {
    let again = OnConflict::column(Column::Scope)
        .update_columns([
            Column::Hash,
            Column::Status,
            Column::ContentType,
            Column::Location,
            Column::Body,
            Column::ExpiresMs,
        ])
        .to_owned();
    let row = row.into_active_model().reset_all();
    Entity::insert(row).on_conflict(again).exec_without_returning(tx).await?;
    Ok(())
}

pub(super) async fn purge(tx: &Tx, now_ms: i64) -> Result<(), DbErr> {
    Entity::delete_many().filter(Column::ExpiresMs.lte(now_ms)).exec(tx).await?;
    Ok(())
}

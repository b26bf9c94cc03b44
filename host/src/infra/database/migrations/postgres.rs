//! The same steps on PostgreSQL, in the schema `wharf`.

use sqlx::{PgConnection, PgPool};

use super::super::state_tables::unavailable;
use super::{Migration, Row, checksum_of, compare, newest};
use crate::ports::state::StateError;

/// All steps for PostgreSQL, oldest first.
pub(crate) const POSTGRES: &[Migration] = &[Migration {
    version: 1,
    name: "state",
    sql: include_str!("postgres_0001_state.sql"),
}];

/// Any number that no other program on the server is likely to take: "wharf" in ASCII.
const LOCK: i64 = 0x0077_6861_7266;

const LEDGER: &str = "CREATE TABLE IF NOT EXISTS wharf_schema (
    version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at TEXT NOT NULL
)";

/// Brings the schema up to the newest step. Of two hosts that start at once one waits for the other.
pub(crate) async fn run(pool: &PgPool) -> Result<(), StateError> {
    let mut transaction = pool.begin().await.map_err(unavailable("begin a migration"))?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(&mut *transaction)
        .await
        .map_err(unavailable("wait for the migrations of another host"))?;
    // Asked first: who may not create schemas may still use one that an administrator made.
    if !there_is(&mut transaction, "SELECT 1 FROM pg_namespace WHERE nspname = 'wharf'").await? {
        sqlx::query("CREATE SCHEMA wharf")
            .execute(&mut *transaction)
            .await
            .map_err(unavailable("make the schema wharf"))?;
    }
    sqlx::query(LEDGER)
        .execute(&mut *transaction)
        .await
        .map_err(unavailable("make the table of migrations"))?;
    let applied = applied(&mut transaction).await?;
    compare(&applied, POSTGRES)?;
    for migration in POSTGRES
        .iter()
        .filter(|migration| !applied.iter().any(|row| row.0 == migration.version))
    {
        apply(&mut transaction, migration).await?;
    }
    transaction.commit().await.map_err(unavailable("commit a migration"))
}

/// Whether the schema is this build's, changing nothing; `false` when no host ever used this database.
pub(crate) async fn check(pool: &PgPool) -> Result<bool, StateError> {
    let mut connection = pool.acquire().await.map_err(unavailable("connect"))?;
    if !there_is(&mut connection, "SELECT 1 WHERE to_regclass('wharf.wharf_schema') IS NOT NULL").await? {
        return Ok(false);
    }
    let applied = applied(&mut connection).await?;
    compare(&applied, POSTGRES)?;
    let (found, known) = (applied.last().map_or(0, |row| row.0), newest(POSTGRES));
    if found < known {
        return Err(StateError::SchemaTooOld { found, known });
    }
    Ok(true)
}

async fn there_is(connection: &mut PgConnection, question: &'static str) -> Result<bool, StateError> {
    let found = sqlx::query(question).fetch_optional(connection).await;
    found.map(|row| row.is_some()).map_err(unavailable("read the schema"))
}

async fn applied(connection: &mut PgConnection) -> Result<Vec<Row>, StateError> {
    sqlx::query_as("SELECT version, name, checksum FROM wharf_schema ORDER BY version")
        .fetch_all(connection)
        .await
        .map_err(unavailable("read the table of migrations"))
}

async fn apply(connection: &mut PgConnection, migration: &Migration) -> Result<(), StateError> {
    sqlx::raw_sql(migration.sql)
        .execute(&mut *connection)
        .await
        .map_err(unavailable("apply a migration"))?;
    sqlx::query("INSERT INTO wharf_schema (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)")
        .bind(migration.version)
        .bind(migration.name)
        .bind(checksum_of(migration))
        .bind(jiff::Timestamp::now().to_string())
        .execute(connection)
        .await
        .map_err(unavailable("record a migration"))?;
    tracing::info!(version = migration.version, name = migration.name, "state database migrated");
    Ok(())
}

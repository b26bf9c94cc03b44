//! Migrations of the host's own tables: forward only, each in the transaction that records it.

use sha2::{Digest, Sha256};
use sqlx::{SqliteConnection, SqlitePool};

use super::sqlite_state::unavailable;
use crate::ports::state::StateError;

/// One step. An applied one is never edited.
#[derive(Clone, Copy, Debug)]
pub(super) struct Migration {
    pub(super) version: i64,
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
}

/// All steps, oldest first.
pub(super) const ALL: &[Migration] = &[Migration {
    version: 1,
    name: "state",
    sql: include_str!("migrations/0001_state.sql"),
}];

const LEDGER: &str = "CREATE TABLE IF NOT EXISTS wharf_schema (
    version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at TEXT NOT NULL
) STRICT";

/// Brings the schema up to the newest of `known`. Of two hosts that start at once one waits for the other.
pub(super) async fn run(pool: &SqlitePool, known: &[Migration]) -> Result<(), StateError> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.map_err(unavailable("begin a migration"))?;
    sqlx::query(LEDGER)
        .execute(&mut *transaction)
        .await
        .map_err(unavailable("make the table of migrations"))?;
    let applied: Vec<(i64, String, String)> = sqlx::query_as("SELECT version, name, checksum FROM wharf_schema ORDER BY version")
        .fetch_all(&mut *transaction)
        .await
        .map_err(unavailable("read the table of migrations"))?;
    let newest = known.last().map_or(0, |migration| migration.version);
    for (version, name, checksum) in &applied {
        match known.iter().find(|migration| migration.version == *version) {
            None => {
                return Err(StateError::SchemaTooNew {
                    found: *version,
                    known: newest,
                });
            }
            Some(migration) if checksum_of(migration) != *checksum => {
                return Err(StateError::MigrationEdited {
                    version: *version,
                    name: name.clone(),
                });
            }
            Some(_) => {}
        }
    }
    for migration in known
        .iter()
        .filter(|migration| !applied.iter().any(|(version, ..)| *version == migration.version))
    {
        apply(&mut transaction, migration).await?;
    }
    transaction.commit().await.map_err(unavailable("commit a migration"))
}

async fn apply(connection: &mut SqliteConnection, migration: &Migration) -> Result<(), StateError> {
    sqlx::raw_sql(migration.sql)
        .execute(&mut *connection)
        .await
        .map_err(unavailable("apply a migration"))?;
    sqlx::query("INSERT INTO wharf_schema (version, name, checksum, applied_at) VALUES (?, ?, ?, ?)")
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

fn checksum_of(migration: &Migration) -> String {
    Sha256::digest(migration.sql).iter().map(|byte| format!("{byte:02x}")).collect()
}

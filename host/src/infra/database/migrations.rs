//! Migrations of the host's own tables: forward only, each in the transaction that records it.

#[cfg(feature = "postgres")]
mod postgres;

use sha2::{Digest, Sha256};
use sqlx::{SqliteConnection, SqlitePool};

#[cfg(feature = "postgres")]
pub(super) use postgres::{check as check_postgres, run as run_postgres};

use super::state_tables::unavailable;
use crate::ports::state::StateError;

/// One step. An applied one is never edited.
#[derive(Clone, Copy, Debug)]
pub(super) struct Migration {
    pub(super) version: i64,
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
}

/// Version, name and checksum of an applied step.
type Row = (i64, String, String);

/// All steps for SQLite, oldest first.
pub(super) const SQLITE: &[Migration] = &[
    Migration {
        version: 1,
        name: "state",
        sql: include_str!("migrations/0001_state.sql"),
    },
    Migration {
        version: 2,
        name: "signals_and_secrets",
        sql: include_str!("migrations/0002_signals_and_secrets.sql"),
    },
];

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
    let applied = applied(&mut transaction).await?;
    compare(&applied, known)?;
    for migration in known
        .iter()
        .filter(|migration| !applied.iter().any(|row| row.0 == migration.version))
    {
        apply(&mut transaction, migration).await?;
    }
    transaction.commit().await.map_err(unavailable("commit a migration"))
}

/// Whether the schema is that of `known`, changing nothing.
pub(super) async fn check(pool: &SqlitePool, known: &[Migration]) -> Result<(), StateError> {
    let mut connection = pool.acquire().await.map_err(unavailable("open the file"))?;
    let there: Option<(i64,)> = sqlx::query_as("SELECT 1 FROM sqlite_schema WHERE name = 'wharf_schema'")
        .fetch_optional(&mut *connection)
        .await
        .map_err(unavailable("read the schema"))?;
    let applied = if there.is_some() {
        applied(&mut connection).await?
    } else {
        Vec::new()
    };
    compare(&applied, known)?;
    let found = applied.last().map_or(0, |row| row.0);
    match newest(known) {
        newest if found < newest => Err(StateError::SchemaTooOld { found, known: newest }),
        _ => Ok(()),
    }
}

async fn applied(connection: &mut SqliteConnection) -> Result<Vec<Row>, StateError> {
    sqlx::query_as("SELECT version, name, checksum FROM wharf_schema ORDER BY version")
        .fetch_all(connection)
        .await
        .map_err(unavailable("read the table of migrations"))
}

/// Refuses what this build does not know, and what it knows by another text.
fn compare(applied: &[Row], known: &[Migration]) -> Result<(), StateError> {
    for (version, name, checksum) in applied {
        match known.iter().find(|migration| migration.version == *version) {
            None => {
                return Err(StateError::SchemaTooNew {
                    found: *version,
                    known: newest(known),
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
    Ok(())
}

fn newest(known: &[Migration]) -> i64 {
    known.last().map_or(0, |migration| migration.version)
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

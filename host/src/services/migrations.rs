//! Runs the migrations of a module in its space: all that are due in one transaction, on one node at a time.

use std::sync::Arc;

use jiff::Timestamp;
use wharf_plugin_api::exports::migrations::{DeclaredMigration, MigrationKind as Declared, MigrationsExport};
use wharf_plugin_api::sql::{Kind, Statement, Value};

use crate::domain::migration::{Applied, Migration, MigrationKind, Refusal, Todo, decide};
use crate::failpoint;
use crate::ports::database::{Begin, DbError, DbErrorKind, Dialect, On, Space};

/// Why a module's tables are not what it needs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrationError {
    /// By the rules.
    #[error("{module}: {refusal}")]
    Refused {
        /// The module.
        module: String,
        /// Why.
        refusal: Box<Refusal>,
    },
    /// A statement failed. Nothing of the whole run stays.
    #[error("{module}: migration {migration:?} failed at statement {number} of {of}: {source}")]
    Statement {
        /// The module.
        module: String,
        /// The migration.
        migration: String,
        /// Which statement, counted from 1.
        number: usize,
        /// How many it has.
        of: usize,
        /// What the database said.
        source: Box<DbError>,
    },
    /// The database did not answer, or not about this.
    #[error("{module}: {doing}: {source}")]
    Database {
        /// The module.
        module: String,
        /// What was tried.
        doing: &'static str,
        /// What the database said.
        source: Box<DbError>,
    },
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Names of those that ran.
    pub applied: Vec<String>,
    /// Names of those that wait until no older version is alive.
    pub waiting: Vec<String>,
}

/// The migrations of one build and the space they are for.
pub struct Migrator {
    space: Arc<dyn Space>,
    module: String,
    version: String,
    declared: Vec<Migration>,
}

impl Migrator {
    /// For what a build exported.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for a kind of migration this host does not know.
    pub fn new(space: Arc<dyn Space>, module: &str, version: &str, export: &MigrationsExport) -> Result<Self, MigrationError> {
        Ok(Self {
            declared: declared(module, export, space.dialect())?,
            space,
            module: module.to_owned(),
            version: version.to_owned(),
        })
    }

    /// What the build declares.
    #[must_use]
    pub fn declared(&self) -> &[Migration] {
        &self.declared
    }

    /// What the database remembers.
    ///
    /// # Errors
    /// [`MigrationError::Database`]
    pub async fn applied(&self) -> Result<Vec<Applied>, MigrationError> {
        applied(&self.space, On::Pool)
            .await
            .map_err(|source| self.database("reading applied migrations", source))
    }

    /// Runs what is due. Looks first without a lock: mostly there is nothing to do.
    ///
    /// # Errors
    /// [`MigrationError`]; then nothing was changed.
    pub async fn run(&self, older_is_alive: bool) -> Result<Outcome, MigrationError> {
        let todo = self.decide(&self.applied().await?, older_is_alive)?;
        if todo.run.is_empty() {
            return Ok(Outcome {
                applied: Vec::new(),
                waiting: todo.waiting,
            });
        }
        // On SQLite this takes the one writer of the file, whichever process has it.
        let tx = self
            .space
            .begin(Begin::default())
            .await
            .map_err(|source| self.database("beginning", source))?;
        match self.run_in(On::Tx(tx), older_is_alive).await {
            Ok(outcome) => {
                self.space.commit(tx).await.map_err(|source| self.database("committing", source))?;
                if !outcome.applied.is_empty() {
                    self.pass("migrations.committed").await?;
                }
                Ok(outcome)
            }
            Err(error) => {
                if let Err(source) = self.space.rollback(tx).await {
                    tracing::warn!(module.id = self.module, error = %source, "a failed migration could not be rolled back at once; its connection is given up");
                    self.space.abandon(tx);
                }
                Err(error)
            }
        }
    }

    async fn run_in(&self, on: On, older_is_alive: bool) -> Result<Outcome, MigrationError> {
        let preparing = |source| self.database("preparing the table wharf_migrations", source);
        if self.space.dialect() == Dialect::Postgres {
            let lock = Statement::new(
                "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '/wharf_migrations', 0))",
                Vec::new(),
            );
            self.space.execute(on, &lock).await.map_err(preparing)?;
        }
        self.space.execute_raw(on, TABLE).await.map_err(preparing)?;
        // Another node may have run them while this one waited.
        let before = applied(&self.space, on)
            .await
            .map_err(|source| self.database("reading applied migrations", source))?;
        let todo = self.decide(&before, older_is_alive)?;
        let mut outcome = Outcome {
            applied: Vec::new(),
            waiting: todo.waiting,
        };
        for migration in todo.run.iter().filter_map(|place| self.declared.get(*place)) {
            self.apply(on, migration, before.len() + outcome.applied.len()).await?;
            outcome.applied.push(migration.name.clone());
        }
        Ok(outcome)
    }

    async fn apply(&self, on: On, migration: &Migration, position: usize) -> Result<(), MigrationError> {
        for (place, statement) in migration.statements.iter().enumerate() {
            self.space
                .execute_raw(on, statement)
                .await
                .map_err(|source| MigrationError::Statement {
                    module: self.module.clone(),
                    migration: migration.name.clone(),
                    number: place + 1,
                    of: migration.statements.len(),
                    source: Box::new(source),
                })?;
        }
        let row = Statement::new(
            insert(self.space.dialect()),
            vec![
                Value::text(&migration.name),
                Value::int(i64::try_from(position).unwrap_or(i64::MAX)),
                Value::text(migration.kind.name()),
                Value::text(migration.checksum()),
                Value::int(i64::from(migration.compatible)),
                Value::text(&self.version),
                Value::text(Timestamp::now().to_string()),
            ],
        );
        self.space
            .execute(on, &row)
            .await
            .map_err(|source| self.database("recording a migration", source))?;
        self.pass("migrations.written").await
    }

    async fn pass(&self, place: &'static str) -> Result<(), MigrationError> {
        let injected = |told: failpoint::Injected| DbError::new(DbErrorKind::Unavailable, told.to_string());
        failpoint::hit(place).await.map_err(|told| self.database(place, injected(told)))
    }

    fn decide(&self, applied: &[Applied], older_is_alive: bool) -> Result<Todo, MigrationError> {
        decide(&self.declared, applied, &self.version, older_is_alive).map_err(|refusal| MigrationError::Refused {
            module: self.module.clone(),
            refusal: Box::new(refusal),
        })
    }

    fn database(&self, doing: &'static str, source: DbError) -> MigrationError {
        MigrationError::Database {
            module: self.module.clone(),
            doing,
            source: Box::new(source),
        }
    }
}

/// Both databases understand it.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS wharf_migrations (name TEXT PRIMARY KEY, position BIGINT NOT NULL, kind TEXT NOT NULL, \
     checksum TEXT NOT NULL, compatible BIGINT NOT NULL, version TEXT NOT NULL, applied_at TEXT NOT NULL)";

fn insert(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "INSERT INTO wharf_migrations (name, position, kind, checksum, compatible, version, applied_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
        }
        Dialect::Postgres => {
            "INSERT INTO wharf_migrations (name, position, kind, checksum, compatible, version, applied_at) VALUES ($1, $2, $3, $4, $5, $6, $7)"
        }
    }
}

/// What a space remembers, oldest first.
///
/// # Errors
/// What the database says.
pub async fn applied(space: &Arc<dyn Space>, on: On) -> Result<Vec<Applied>, DbError> {
    let exists = Statement {
        sql: match space.dialect() {
            Dialect::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'wharf_migrations'",
            Dialect::Postgres => "SELECT to_regclass('wharf_migrations')::text WHERE to_regclass('wharf_migrations') IS NOT NULL",
        }
        .to_owned(),
        args: Vec::new(),
        kinds: vec![Kind::TEXT],
    };
    if space.query(on, &exists).await?.is_empty() {
        return Ok(Vec::new());
    }
    let all = Statement {
        sql: "SELECT name, kind, checksum, compatible, version, applied_at FROM wharf_migrations ORDER BY position, name".to_owned(),
        args: Vec::new(),
        kinds: vec![Kind::TEXT, Kind::TEXT, Kind::TEXT, Kind::I64, Kind::TEXT, Kind::TEXT],
    };
    let rows = space.query(on, &all).await?;
    let text = |value: Option<&Value>| value.and_then(Value::as_text).unwrap_or_default().to_owned();
    Ok(rows
        .iter()
        .map(|row| Applied {
            name: text(row.first()),
            kind: text(row.get(1)),
            checksum: text(row.get(2)),
            compatible: row.get(3).and_then(Value::as_int) == Some(1),
            version: text(row.get(4)),
            applied_at: text(row.get(5)),
        })
        .collect())
}

/// What a build declares for one kind of database.
///
/// # Errors
/// [`Refusal::Invalid`] for a kind of migration this host does not know.
pub fn declared(module: &str, export: &MigrationsExport, dialect: Dialect) -> Result<Vec<Migration>, MigrationError> {
    let declared = export.migrations.iter().map(|declared| read(declared, dialect));
    declared.collect::<Result<_, _>>().map_err(|refusal| MigrationError::Refused {
        module: module.to_owned(),
        refusal,
    })
}

fn read(declared: &DeclaredMigration, dialect: Dialect) -> Result<Migration, Box<Refusal>> {
    let kind = match declared.kind {
        Declared::EXPAND => MigrationKind::Expand,
        Declared::CONTRACT => MigrationKind::Contract,
        Declared(other) => {
            return Err(Box::new(Refusal::Invalid {
                name: declared.name.to_string(),
                why: format!("found kind {other}, expected 1 (expand) or 2 (contract); the module was built for a newer host"),
            }));
        }
    };
    let statements = match dialect {
        Dialect::Sqlite => &declared.sqlite,
        Dialect::Postgres => &declared.postgres,
    };
    Ok(Migration {
        name: declared.name.to_string(),
        kind,
        compatible: declared.compatible,
        statements: statements.iter().map(ToString::to_string).collect(),
    })
}

#[cfg(test)]
mod tests;

//! How the tables of a module come to be: a list of statements that the host runs. No code of the module runs meanwhile.

mod split;

#[cfg(feature = "database")]
mod statements;

#[cfg(feature = "database")]
pub use statements::SchemaStatement;

use wharf_plugin_api::exports::migrations::{DeclaredMigration, MigrationKind, MigrationsExport};

/// The migrations of a module, oldest first. A migration that was shipped is never edited: the host refuses it by its
/// checksum. Write another one.
///
/// ```
/// use wharf_sdk::{Migration, Migrations};
///
/// fn migrations() -> Migrations {
///     Migrations::new()
///         .then(
///             Migration::expand("0001_posts")
///                 .sqlite("CREATE TABLE post (id INTEGER PRIMARY KEY, title TEXT NOT NULL)")
///                 .postgres("CREATE TABLE post (id BIGSERIAL PRIMARY KEY, title TEXT NOT NULL)"),
///         )
///         .then(Migration::expand("0002_slugs").both("ALTER TABLE post ADD COLUMN slug TEXT"))
/// }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Migrations(Vec<Migration>);

/// One migration, in both dialects.
#[derive(Clone, Debug)]
#[must_use]
pub struct Migration {
    name: String,
    kind: MigrationKind,
    compatible: bool,
    sqlite: Vec<String>,
    postgres: Vec<String>,
}

impl Migrations {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one at the end.
    pub fn then(mut self, migration: Migration) -> Self {
        self.0.push(migration);
        self
    }

    /// What crosses.
    pub(crate) fn export(self) -> MigrationsExport {
        let list = |statements: Vec<String>| statements.into_iter().map(Into::into).collect();
        MigrationsExport {
            migrations: self
                .0
                .into_iter()
                .map(|migration| DeclaredMigration {
                    name: migration.name.into(),
                    kind: migration.kind,
                    compatible: migration.compatible,
                    sqlite: list(migration.sqlite),
                    postgres: list(migration.postgres),
                })
                .collect(),
        }
    }
}

impl Migration {
    fn new(name: impl Into<String>, kind: MigrationKind) -> Self {
        Self {
            name: name.into(),
            kind,
            compatible: false,
            sqlite: Vec::new(),
            postgres: Vec::new(),
        }
    }

    /// One that adds: tables, columns that may be null or have a default, indexes. The previous version of the module runs on
    /// its result, and does so while this one is taken in.
    pub fn expand(name: impl Into<String>) -> Self {
        Self::new(name, MigrationKind::EXPAND)
    }

    /// One that takes away or narrows. It runs only when no older version of the module is alive on any node: with the first
    /// start after that, so not in the release that stops using what it takes away, but in the next.
    pub fn contract(name: impl Into<String>) -> Self {
        Self::new(name, MigrationKind::CONTRACT)
    }

    /// Builds that do not know this migration run on its result all the same: what makes going back to them possible.
    pub fn compatible(mut self) -> Self {
        self.compatible = true;
        self
    }

    /// Statements for SQLite, separated by `;`.
    pub fn sqlite(mut self, sql: &str) -> Self {
        self.sqlite.extend(split::statements(sql));
        self
    }

    /// Statements for PostgreSQL, separated by `;`.
    pub fn postgres(mut self, sql: &str) -> Self {
        self.postgres.extend(split::statements(sql));
        self
    }

    /// Statements that both understand, separated by `;`.
    pub fn both(self, sql: &str) -> Self {
        self.sqlite(sql).postgres(sql)
    }
}

//! Migrations from statements of sea-query and from entities, rendered for both dialects.

use sea_orm::sea_query::{
    IndexCreateStatement, IndexDropStatement, PostgresQueryBuilder, SqliteQueryBuilder, TableAlterStatement, TableCreateStatement,
    TableDropStatement, TableRenameStatement,
};
use sea_orm::{DbBackend, EntityTrait, Schema};

use super::Migration;

/// A statement about tables that both databases understand.
pub trait SchemaStatement {
    /// As SQLite wants it.
    fn sqlite(&self) -> String;
    /// As PostgreSQL wants it.
    fn postgres(&self) -> String;
}

macro_rules! schema_statements {
    ($($type:ty),*) => {
        $(impl SchemaStatement for $type {
            fn sqlite(&self) -> String {
                self.to_string(SqliteQueryBuilder)
            }

            fn postgres(&self) -> String {
                self.to_string(PostgresQueryBuilder)
            }
        })*
    };
}

schema_statements!(
    TableCreateStatement,
    TableAlterStatement,
    TableDropStatement,
    TableRenameStatement,
    IndexCreateStatement,
    IndexDropStatement
);

impl Migration {
    /// A statement of sea-query: `Table::alter()...`, `Index::create()...`, rendered for both dialects.
    pub fn statement(mut self, statement: &impl SchemaStatement) -> Self {
        self.sqlite.push(statement.sqlite());
        self.postgres.push(statement.postgres());
        self
    }

    /// The table of an entity as it is now, with its indexes, and on PostgreSQL the enums it uses.
    ///
    /// Its text follows the entity: once this migration was shipped, a change of the entity changes its checksum, and the host
    /// refuses it. Write the difference into a new migration and give the old one the statements it had; `wharf migrate plan`
    /// shows them.
    pub fn create_table<E: EntityTrait>(mut self, entity: E) -> Self {
        let sqlite = Schema::new(DbBackend::Sqlite);
        self.sqlite
            .push(sqlite.create_table_from_entity(entity).to_string(SqliteQueryBuilder));
        for index in sqlite.create_index_from_entity(entity) {
            self.sqlite.push(index.to_string(SqliteQueryBuilder));
        }
        let postgres = Schema::new(DbBackend::Postgres);
        for kind in postgres.create_enum_from_entity(entity) {
            self.postgres.push(kind.to_string(PostgresQueryBuilder));
        }
        self.postgres
            .push(postgres.create_table_from_entity(entity).to_string(PostgresQueryBuilder));
        for index in postgres.create_index_from_entity(entity) {
            self.postgres.push(index.to_string(PostgresQueryBuilder));
        }
        self
    }
}

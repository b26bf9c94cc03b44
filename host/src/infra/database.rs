//! Databases: the host's own tables, in SQLite or PostgreSQL, and the spaces of modules.

mod migrations;
#[cfg(feature = "postgres")]
mod postgres_state;
#[cfg(test)]
mod queue_tests;
mod space;
mod sqlite_state;
mod state_tables;

#[cfg(feature = "postgres")]
pub use postgres_state::PostgresState;
pub use space::{Durability, Limits, SqliteSpaces};
#[cfg(feature = "postgres")]
pub use space::{PgSettings, PgSpaces, Roles};
pub use sqlite_state::SqliteState;

//! The host's own tables, in SQLite or PostgreSQL.

mod migrations;
#[cfg(feature = "postgres")]
mod postgres_state;
mod sqlite_state;
mod state_tables;

#[cfg(feature = "postgres")]
pub use postgres_state::PostgresState;
pub use sqlite_state::SqliteState;

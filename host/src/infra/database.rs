//! The host's own tables, in SQLite.

mod migrations;
mod sqlite_state;

pub use sqlite_state::SqliteState;

//! Databases: the host's own tables, and the spaces of modules.

mod migrations;
mod space;
mod sqlite_state;

pub use space::{Durability, Limits, SqliteSpaces};
pub use sqlite_state::SqliteState;

//! What operators see of a space.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A space that was used since the host started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SpaceStatus {
    /// Id of the module it belongs to.
    pub module: String,
    /// `sqlite` or `postgres`.
    pub dialect: String,
    /// The file, or the schema.
    pub place: String,
    /// What keeps other modules out of it, in a few words.
    pub kept_by: String,
    /// How large it is; none when the database does not say.
    pub size_bytes: Option<u64>,
    /// Connections somebody has.
    pub connections_in_use: u32,
    /// Connections that are open and free.
    pub connections_idle: u32,
    /// Connections there may be.
    pub connections_limit: u32,
    /// Statements that wait for a connection.
    pub waiting: u32,
    /// Transactions and savepoints that are open.
    pub transactions: u64,
    /// Cursors that are open.
    pub cursors: u64,
    /// Statements since the host started.
    pub statements: u64,
    /// Those that failed.
    pub errors: u64,
    /// Those that took longer than `database.modules.slow_query`.
    pub slow: u64,
}

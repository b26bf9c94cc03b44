//! The databases: the host's own, and the spaces of modules.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::units::{ByteSize, Period, Secret};

/// How modules use the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Spaces {
    /// Connections of one module to PostgreSQL. An SQLite file has one that writes, whatever this says.
    pub connections: u32,
    /// Connections of one module that only read: beside the writer of an SQLite file, or to the replica.
    pub readers: u32,
    /// A read replica of `database.url`, for queries that ask for one; without it they run on the primary, reading only.
    pub replica_url: Option<Secret>,
    /// What the names of schemas and roles in PostgreSQL begin with; the module's id follows. Decided before the first start.
    pub prefix: String,
    /// How PostgreSQL keeps a module in its schema.
    pub roles: SpaceRoles,
    /// What a commit to an SQLite file survives.
    pub durability: SpaceDurability,
    /// How long a statement waits for a connection.
    pub acquire_timeout: Period,
    /// How long one statement may run.
    pub statement_timeout: Period,
    /// How old a transaction or cursor may become before it is rolled back.
    pub transaction_age: Period,
    /// How long an instance may keep a transaction or cursor that was opened outside of a call, in a task for one.
    pub handle_age: Period,
    /// A connection that nobody used for so long is closed.
    pub idle_timeout: Period,
    /// A statement that took longer is logged, with its text and without its arguments.
    pub slow_query: Period,
    /// Arguments of one statement, and rows of one answer, together; more rows are for cursors.
    pub max_bytes: ByteSize,
    /// How large the SQLite file of one module may become. 0 B: as large as the disk.
    pub max_size: ByteSize,
}

/// How PostgreSQL keeps a module in its schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SpaceRoles {
    /// `login` where the server lets it, else `set`, else `off`; `wharf db status` says which.
    #[default]
    Auto,
    /// The host logs in as the module's own role: a wall.
    Login,
    /// The host logs in as itself and takes the module's role: a guard rail.
    Set,
    /// Modules work as the host's user, in their own schema by `search_path`: a guard rail.
    Off,
}

/// What a commit to an SQLite file survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SpaceDurability {
    /// The death of the process at any moment; a power cut may cost the last commits, never the file.
    #[default]
    Process,
    /// A power cut too: each commit waits for the disk.
    Power,
}

impl Default for Spaces {
    fn default() -> Self {
        Self {
            connections: 8,
            readers: 4,
            replica_url: None,
            prefix: "wharf_".to_owned(),
            roles: SpaceRoles::default(),
            durability: SpaceDurability::default(),
            acquire_timeout: Period::secs(10),
            statement_timeout: Period::secs(30),
            transaction_age: Period::secs(300),
            handle_age: Period::secs(60),
            idle_timeout: Period::secs(300),
            slow_query: Period(std::time::Duration::from_millis(500)),
            max_bytes: ByteSize::mib(64),
            max_size: ByteSize(0),
        }
    }
}

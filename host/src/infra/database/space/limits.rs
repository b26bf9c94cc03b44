//! How much of a database one module may take.

use std::time::Duration;

use wharf_plugin_api::sql::Value;

use super::engine::Op;
use crate::ports::database::{DbError, DbErrorKind};

/// How much of a database one module may take. A space has its own connections, so a module starves only itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections that may read and write; SQLite has one writer, whatever this says.
    pub connections: u32,
    /// Connections that only read: on SQLite those beside the writer, on PostgreSQL those for [`On::Replica`](crate::ports::database::On).
    pub readers: u32,
    /// How long a statement waits for a connection, or for its own transaction while a cursor of it is open.
    pub acquire_timeout: Duration,
    /// How long one statement may run.
    pub statement_timeout: Duration,
    /// How old a transaction or cursor may become; then it is rolled back.
    pub transaction_age: Duration,
    /// A connection that nobody used for so long is closed.
    pub idle_timeout: Duration,
    /// A statement that took longer is logged, with its text and without its arguments.
    pub slow: Duration,
    /// Longest text of a statement, in bytes.
    pub max_sql: usize,
    /// All arguments of a statement together, in bytes.
    pub max_args: usize,
    /// All rows of one answer together, in bytes; larger ones are for cursors.
    pub max_rows: usize,
    /// How large an SQLite file may become, in bytes.
    pub max_size: Option<u64>,
}

impl Limits {
    /// Refuses a statement that is too large.
    pub(super) fn check(&self, op: Op<'_>) -> Result<(), DbError> {
        let sql = op.sql().len();
        if sql > self.max_sql {
            return Err(too_large("text of the statement", sql, self.max_sql));
        }
        let args = match op {
            Op::Query(statement) | Op::Execute(statement) => statement.args.iter().map(size_of_value).sum(),
            Op::Raw(_) => 0,
        };
        if args > self.max_args {
            return Err(too_large("arguments", args, self.max_args));
        }
        Ok(())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 8,
            readers: 4,
            acquire_timeout: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(30),
            transaction_age: Duration::from_secs(300),
            idle_timeout: Duration::from_secs(300),
            slow: Duration::from_millis(500),
            max_sql: 1 << 20,
            max_args: 64 << 20,
            max_rows: 64 << 20,
            max_size: None,
        }
    }
}

/// About how many bytes a value takes.
pub(super) fn size_of_value(value: &Value) -> usize {
    let inside = match value {
        Value::Text(_, text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Enum(_, text) => text.as_ref().map_or(0, String::len),
        Value::Array(_, values) => values.iter().flatten().map(size_of_value).sum(),
        _ => 0,
    };
    inside + 16
}

pub(super) fn too_large(what: &str, found: usize, limit: usize) -> DbError {
    let message = format!("found {found} bytes of {what}, expected at most {limit}");
    DbError::new(DbErrorKind::Refused, message)
}

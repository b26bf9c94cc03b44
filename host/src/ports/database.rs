//! Database spaces: each module has one of its own, and the host keeps its tables for that module (outbox, deliveries, jobs,
//! mail) in the same one, so that they commit together.
//!
//! The core service `database` gives this to modules across the ABI; events, scheduler and notifier use it directly.

#[cfg(test)]
pub(crate) mod contract;

mod status;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use status::SpaceStatus;
use wharf_plugin_api::sql::{Done, Rows, Statement};

/// A boxed future, so that the traits can be objects. Dropping one that executes a statement may leave the statement done or
/// undone; a transaction it belongs to stays as it is.
pub type DbFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, DbError>> + Send + 'a>>;

/// Which database answers: SQL that differs is chosen by this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// SQLite 3.35 or newer.
    Sqlite,
    /// PostgreSQL 13 or newer.
    Postgres,
}

/// A transaction or savepoint of a space, unique in the process and never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TxId(pub u64);

/// A cursor of a space, unique in the process and never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CursorId(pub u64);

/// Where a statement runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// Any connection of the pool, by itself. On SQLite a statement that writes waits for the one writer.
    Pool,
    /// A read replica where there is one, else as [`On::Pool`]. Refused when it writes.
    Replica,
    /// In this transaction.
    Tx(TxId),
}

/// Isolation of a transaction. SQLite has only [`Isolation::Serializable`] and gives that for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// What the database does by default.
    #[default]
    Default,
    /// READ COMMITTED (READ UNCOMMITTED is the same on PostgreSQL).
    ReadCommitted,
    /// REPEATABLE READ.
    RepeatableRead,
    /// SERIALIZABLE.
    Serializable,
}

/// How a transaction begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Begin {
    /// A savepoint in this one, instead of a transaction of its own.
    pub within: Option<TxId>,
    /// Isolation; only for a transaction of its own.
    pub isolation: Isolation,
    /// Refuses writes. On SQLite it then takes a reader instead of the one writer.
    pub read_only: bool,
}

/// What is open in a space right now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Transactions and savepoints.
    pub transactions: usize,
    /// Cursors.
    pub cursors: usize,
    /// Connections somebody has.
    pub in_use: u32,
    /// Connections that are open and free.
    pub idle: u32,
    /// Connections there may be.
    pub limit: u32,
    /// Statements that wait for a connection.
    pub waiting: u32,
}

/// A space: one SQLite file, or one schema in PostgreSQL.
pub trait Space: Send + Sync + 'static {
    /// Which database this is.
    fn dialect(&self) -> Dialect;

    /// Whether this text does more than read; one that is refused does nothing.
    fn writes(&self, sql: &str) -> bool;

    /// Runs a statement that gives rows.
    fn query<'a>(&'a self, on: On, statement: &'a Statement) -> DbFuture<'a, Rows>;

    /// Runs a statement that gives none.
    fn execute<'a>(&'a self, on: On, statement: &'a Statement) -> DbFuture<'a, Done>;

    /// Runs several statements without arguments, separated by `;`.
    fn execute_raw<'a>(&'a self, on: On, sql: &'a str) -> DbFuture<'a, Done>;

    /// Begins a transaction, or a savepoint in one. On SQLite a transaction that may write waits for the one writer.
    fn begin(&self, begin: Begin) -> DbFuture<'_, TxId>;

    /// Commits. With a savepoint inside still open it rolls back and fails.
    fn commit(&self, tx: TxId) -> DbFuture<'_, ()>;

    /// Rolls back, with everything inside. One that has ended already is no error.
    fn rollback(&self, tx: TxId) -> DbFuture<'_, ()>;

    /// As [`Space::rollback`], soon, without waiting: for places that cannot.
    fn abandon(&self, tx: TxId);

    /// Opens a cursor. The connection is the cursor's until it is closed.
    fn open<'a>(&'a self, on: On, statement: &'a Statement) -> DbFuture<'a, CursorId>;

    /// The next rows, at most `limit`; an empty answer is the end, and closes it.
    fn fetch(&self, cursor: CursorId, limit: u32) -> DbFuture<'_, Rows>;

    /// Closes a cursor soon, without waiting. One that has ended already is no error.
    fn close(&self, cursor: CursorId);

    /// What is open right now.
    fn usage(&self) -> Usage {
        Usage::default()
    }
}

/// All spaces of a host.
pub trait Databases: Send + Sync + 'static {
    /// Which database these are in.
    fn dialect(&self) -> Dialect;

    /// Modules that have a space, whether it was used or not since the host started. Nothing is made.
    fn known(&self) -> DbFuture<'_, Vec<String>>;

    /// The space of a module, made when it is not there yet.
    fn space<'a>(&'a self, module: &'a str) -> DbFuture<'a, Arc<dyn Space>>;

    /// Every space that was used, by module.
    fn status(&self) -> DbFuture<'_, Vec<SpaceStatus>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// What kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DbErrorKind {
    /// A unique or primary key exists already.
    Unique,
    /// A foreign key points nowhere, or something points here.
    ForeignKey,
    /// A column that must not be null is.
    NotNull,
    /// A check failed.
    Check,
    /// Another transaction was in the way: the whole transaction may be tried again.
    Conflict,
    /// It took longer than allowed.
    Timeout,
    /// No connection was free in time.
    Busy,
    /// The database does not answer.
    Unavailable,
    /// A value does not have the type that was asked for, or does not fit into it.
    Type,
    /// It may not be done here: outside its space, a write where only reads are, a forbidden statement.
    Refused,
    /// The transaction or cursor is not there (any more).
    Gone,
    /// The disk is full.
    Full,
    /// The database did not understand it, or anything else.
    Other,
}

impl DbErrorKind {
    /// In a word, as metrics and spans show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unique => "unique",
            Self::ForeignKey => "foreign_key",
            Self::NotNull => "not_null",
            Self::Check => "check",
            Self::Conflict => "conflict",
            Self::Timeout => "timeout",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::Type => "type",
            Self::Refused => "refused",
            Self::Gone => "gone",
            Self::Full => "full",
            Self::Other => "other",
        }
    }
}

/// What a database says when it does not do what it was asked.
#[derive(Clone, Debug)]
pub struct DbError {
    /// What kind.
    pub kind: DbErrorKind,
    /// SQLSTATE or SQLite's extended code; may be empty.
    pub code: String,
    /// Name of the constraint, or its columns on SQLite; may be empty.
    pub constraint: String,
    /// What happened, in a sentence. Never contains arguments.
    pub message: String,
}

impl DbError {
    /// Without code and constraint.
    #[must_use]
    pub fn new(kind: DbErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: String::new(),
            constraint: String::new(),
            message: message.into(),
        }
    }

    /// Whether doing the whole transaction again may help.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            DbErrorKind::Conflict | DbErrorKind::Timeout | DbErrorKind::Busy | DbErrorKind::Unavailable
        )
    }
}

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for DbError {}

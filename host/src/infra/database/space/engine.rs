//! What the executor needs to know about one database.

use std::future::Future;

use tokio::sync::mpsc;
use wharf_plugin_api::sql::{Done, Rows, Statement};

use crate::ports::database::{Begin, DbError, DbErrorKind, Dialect};

/// Which connections of a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Those that may write.
    Writer,
    /// Those that only read.
    Reader,
}

/// What a statement does, found by looking at its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It reads.
    Read,
    /// It changes rows.
    Change,
    /// It changes the schema, or nobody knows.
    Define,
}

/// What is known of a text before it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// One a statement.
    pub(super) effects: Vec<Effect>,
    /// It leaves something behind in the connection (a setting, a temporary table): the connection is not used again.
    pub(super) stains: bool,
}

/// A statement to run.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op<'a> {
    /// For its rows.
    Query(&'a Statement),
    /// For what it did.
    Execute(&'a Statement),
    /// Several, without arguments.
    Raw(&'a str),
}

/// What a statement gave.
#[derive(Debug)]
pub(super) enum Answer {
    Rows(Rows),
    Done(Done),
}

/// A step of a transaction.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Begin(Begin),
    Commit,
    Rollback,
    Savepoint(usize),
    Release(usize),
    /// Back to a savepoint, and out of it.
    RollbackTo(usize),
}

/// One database.
pub(super) trait Engine: Send + Sync + 'static {
    /// A connection. Dropping it closes it.
    type Conn: Send + 'static;

    /// Which.
    const DIALECT: Dialect;

    /// Whether a statement that fails leaves its transaction unusable up to the last savepoint.
    const ERRORS_POISON: bool;

    /// Whether reading has connections of its own, and there is one that writes.
    const READS_APART: bool;

    /// Opens a connection.
    fn connect(&self, lane: Lane) -> impl Future<Output = Result<Self::Conn, DbError>> + Send;

    /// Looks at a text: refuses what a module may not do, and tells what the rest does.
    fn plan(&self, sql: &str) -> Result<Plan, DbError>;

    /// Runs a statement.
    fn run<'c>(&'c self, conn: &'c mut Self::Conn, op: Op<'c>, plan: &'c Plan)
    -> impl Future<Output = Result<Answer, DbError>> + Send + 'c;

    /// Runs a statement and sends its rows on until there are no more, or nobody listens; gives the error it ended with.
    fn stream<'c>(
        &'c self,
        conn: &'c mut Self::Conn,
        statement: &'c Statement,
        to: &'c mpsc::Sender<Result<Rows, DbError>>,
    ) -> impl Future<Output = Option<DbError>> + Send + 'c;

    /// Takes a step of a transaction.
    fn step<'c>(&'c self, conn: &'c mut Self::Conn, step: Step) -> impl Future<Output = Result<(), DbError>> + Send + 'c;

    /// Ends what a dropped future left running. `may_stop`: it may be interrupted. False: the connection is of no use any more.
    fn settle<'c>(&'c self, conn: &'c mut Self::Conn, may_stop: bool) -> impl Future<Output = bool> + Send + 'c;

    /// Whether the database itself ended the transaction on this connection.
    fn lost_transaction(&self, conn: &Self::Conn) -> bool;

    /// Where it is, and what keeps others out.
    fn place(&self) -> (String, String);

    /// How large it is, where the database says so.
    fn size(&self) -> impl Future<Output = Option<u64>> + Send;

    /// Whether a connection that was idle is still good.
    fn alive<'c>(&'c self, conn: &'c mut Self::Conn) -> impl Future<Output = bool> + Send + 'c;
}

impl Plan {
    /// Whether any statement does more than read.
    pub(super) fn writes(&self) -> bool {
        self.effects.iter().any(|effect| *effect != Effect::Read)
    }
}

impl Op<'_> {
    pub(super) fn sql(&self) -> &str {
        match self {
            Self::Query(statement) | Self::Execute(statement) => &statement.sql,
            Self::Raw(sql) => sql,
        }
    }
}

impl Answer {
    pub(super) fn rows(self) -> Result<Rows, DbError> {
        match self {
            Self::Rows(rows) => Ok(rows),
            Self::Done(_) => Err(DbError::new(DbErrorKind::Other, "the engine gave no rows")),
        }
    }

    pub(super) fn done(self) -> Result<Done, DbError> {
        match self {
            Self::Done(done) => Ok(done),
            Self::Rows(_) => Err(DbError::new(DbErrorKind::Other, "the engine gave rows nobody asked for")),
        }
    }
}

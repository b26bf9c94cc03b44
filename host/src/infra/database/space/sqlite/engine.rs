//! How one SQLite file is opened and used.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Either, Executor, SqliteConnection};
use tokio::sync::mpsc;
use wharf_plugin_api::sql::{Done, Rows, Statement};

use super::super::cursor::BATCH_ROWS;
use super::super::engine::{Answer, Effect, Engine, Lane, Op, Plan, Step};
use super::super::limits::{Limits, size_of_value, too_large};
use super::watch::Watch;
use super::{Durability, Passing, bind, fault, read};
use crate::ports::database::{DbError, Dialect};

/// One file.
pub(super) struct SqliteEngine {
    pub(super) file: PathBuf,
    /// Stays as long as the file is used.
    pub(super) _folder: Option<Arc<Passing>>,
    pub(super) durability: Durability,
    pub(super) limits: Limits,
    /// Two first connections at once would both try to make the file a write-ahead one.
    pub(super) connecting: tokio::sync::Mutex<()>,
}

/// A connection to it.
pub(super) struct SqliteConn {
    conn: SqliteConnection,
    watch: Arc<Watch>,
    /// Several statements run as one, in a transaction nobody else knows of.
    wrapped: bool,
}

/// How long another process may have the file.
const BUSY: Duration = Duration::from_secs(5);

/// SQLite's own sizes of a page, and of a file in pages.
const PAGE: u64 = 4_096;
const MOST_PAGES: u64 = 4_294_967_294;

/// Larger write-ahead logs are cut back once they are folded into the file.
const WAL_LIMIT: &str = "67108864";

impl Engine for SqliteEngine {
    type Conn = SqliteConn;

    const DIALECT: Dialect = Dialect::Sqlite;
    const ERRORS_POISON: bool = false;
    const READS_APART: bool = true;

    async fn connect(&self, lane: Lane) -> Result<SqliteConn, DbError> {
        let _one = self.connecting.lock().await;
        let options = SqliteConnectOptions::new()
            .filename(&self.file)
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(match self.durability {
                Durability::Process => SqliteSynchronous::Normal,
                Durability::Power => SqliteSynchronous::Full,
                Durability::None => SqliteSynchronous::Off,
            })
            .busy_timeout(BUSY)
            .foreign_keys(true)
            .row_buffer_size(BATCH_ROWS)
            .pragma("trusted_schema", "OFF")
            .pragma("temp_store", "MEMORY")
            .pragma("journal_size_limit", WAL_LIMIT)
            .pragma(
                "max_page_count",
                self.limits.max_size.map_or(MOST_PAGES, |bytes| (bytes / PAGE).max(1)).to_string(),
            )
            .pragma("query_only", if lane == Lane::Reader { "ON" } else { "OFF" })
            .disable_statement_logging();
        let mut conn = options.connect().await.map_err(|error| fault::of(error, false))?;
        let watch = Watch::over(&mut conn).await.map_err(|error| fault::of(error, false))?;
        Ok(SqliteConn {
            conn,
            watch,
            wrapped: false,
        })
    }

    fn plan(&self, sql: &str) -> Result<Plan, DbError> {
        super::plan::plan(sql)
    }

    async fn run<'c>(&'c self, conn: &'c mut SqliteConn, op: Op<'c>, plan: &'c Plan) -> Result<Answer, DbError> {
        conn.watch.allow(self.limits.statement_timeout);
        let result = match op {
            Op::Query(statement) => self.query(conn, statement).await.map(Answer::Rows),
            Op::Execute(statement) => execute(conn, statement, plan).await.map(Answer::Done),
            Op::Raw(sql) => raw(conn, sql, plan).await.map(Answer::Done),
        };
        conn.watch.allow_all();
        result
    }

    async fn stream<'c>(
        &'c self,
        conn: &'c mut SqliteConn,
        statement: &'c Statement,
        to: &'c mpsc::Sender<Result<Rows, DbError>>,
    ) -> Option<DbError> {
        stream(conn, statement, to).await.err()
    }

    async fn step<'c>(&'c self, conn: &'c mut SqliteConn, step: Step) -> Result<(), DbError> {
        let sql = match step {
            Step::Begin(begin) if begin.read_only => "BEGIN DEFERRED".to_owned(),
            Step::Begin(_) => "BEGIN IMMEDIATE".to_owned(),
            Step::Commit => "COMMIT".to_owned(),
            Step::Rollback => "ROLLBACK".to_owned(),
            Step::Savepoint(depth) => format!("SAVEPOINT w{depth}"),
            Step::Release(depth) => format!("RELEASE w{depth}"),
            Step::RollbackTo(depth) => format!("ROLLBACK TO w{depth}; RELEASE w{depth}"),
        };
        match step {
            Step::Commit => conn.watch.ending(),
            Step::Rollback if conn.watch.has_lost() => {
                conn.watch.alone();
                return Ok(());
            }
            Step::Rollback => conn.watch.ending(),
            _ => {}
        }
        let result = conn.say(sql).await;
        match (step, &result) {
            (Step::Begin(_), Ok(())) => conn.watch.opened(),
            (Step::Commit | Step::Rollback, Ok(())) => conn.watch.alone(),
            (Step::Commit | Step::Rollback, Err(_)) => conn.watch.still_open(),
            _ => {}
        }
        result
    }

    async fn settle<'c>(&'c self, conn: &'c mut SqliteConn, may_stop: bool) -> bool {
        if may_stop {
            conn.watch.stop();
        }
        // It waits in line behind whatever runs.
        let answers = conn.conn.ping().await.is_ok();
        conn.watch.allow_all();
        if answers && std::mem::take(&mut conn.wrapped) {
            // Without a transaction there is nothing to roll back, and SQLite says so.
            drop(conn.say("ROLLBACK".to_owned()).await);
        }
        answers
    }

    fn lost_transaction(&self, conn: &SqliteConn) -> bool {
        conn.watch.has_lost()
    }

    async fn alive<'c>(&'c self, _conn: &'c mut SqliteConn) -> bool {
        true
    }

    fn place(&self) -> (String, String) {
        (
            self.file.display().to_string(),
            "a file of its own, and checks of each statement".to_owned(),
        )
    }

    async fn size(&self) -> Option<u64> {
        let log = self.file.with_extension("sqlite-wal");
        let log = tokio::fs::metadata(log).await.map_or(0, |found| found.len());
        tokio::fs::metadata(&self.file).await.ok().map(|found| found.len() + log)
    }
}

impl SqliteEngine {
    async fn query(&self, conn: &mut SqliteConn, statement: &Statement) -> Result<Rows, DbError> {
        let watch = Arc::clone(&conn.watch);
        let query = sqlx::query_with(AssertSqlSafe(statement.sql.as_str()), bind::arguments(&statement.args)?);
        let mut found = query.fetch(&mut conn.conn);
        let (mut rows, mut size) = (Rows::default(), 0);
        while let Some(row) = found.next().await {
            let row = row.map_err(|error| fault::of(error, watch.is_late()))?;
            let before = rows.values.len();
            read::read(&row, &statement.kinds, &mut rows)?;
            size += rows.values.iter().skip(before).map(size_of_value).sum::<usize>();
            if size > self.limits.max_rows {
                return Err(too_large("rows, which is what a cursor is for", size, self.limits.max_rows));
            }
        }
        Ok(rows)
    }
}

impl SqliteConn {
    /// Statements of the host's own.
    async fn say(&mut self, sql: String) -> Result<(), DbError> {
        let done = self.conn.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await;
        done.map(drop).map_err(|error| fault::of(error, false))
    }
}

async fn execute(conn: &mut SqliteConn, statement: &Statement, plan: &Plan) -> Result<Done, DbError> {
    let query = sqlx::query_with(AssertSqlSafe(statement.sql.as_str()), bind::arguments(&statement.args)?);
    let done = query.execute(&mut conn.conn).await;
    let done = done.map_err(|error| fault::of(error, conn.watch.is_late()))?;
    // What changes no rows leaves the count of the statement before.
    let changed = plan.effects.first() == Some(&Effect::Change);
    Ok(Done {
        affected: if changed { done.rows_affected() } else { 0 },
        last_id: done.last_insert_rowid(),
    })
}

/// Several statements; those outside of a transaction are one, as they are on PostgreSQL.
async fn raw(conn: &mut SqliteConn, sql: &str, plan: &Plan) -> Result<Done, DbError> {
    conn.wrapped = conn.watch.is_alone() && plan.writes() && plan.effects.len() > 1;
    if conn.wrapped {
        conn.say("BEGIN IMMEDIATE".to_owned()).await?;
    }
    let result = raw_inner(conn, sql, plan).await;
    if conn.wrapped {
        let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = conn.say(end.to_owned()).await;
        if let (Ok(_), Err(error)) = (&result, ended) {
            drop(conn.say("ROLLBACK".to_owned()).await);
            conn.wrapped = false;
            return Err(error);
        }
        conn.wrapped = false;
    }
    result
}

async fn raw_inner(conn: &mut SqliteConn, sql: &str, plan: &Plan) -> Result<Done, DbError> {
    let watch = Arc::clone(&conn.watch);
    let mut effects = plan.effects.iter();
    let mut answers = conn.conn.fetch_many(sqlx::raw_sql(AssertSqlSafe(sql)));
    let mut done = Done::default();
    while let Some(answer) = answers.next().await {
        let Either::Left(one) = answer.map_err(|error| fault::of(error, watch.is_late()))? else {
            continue;
        };
        if effects.next() == Some(&Effect::Change) {
            done.affected += one.rows_affected();
        }
        done.last_id = one.last_insert_rowid();
    }
    Ok(done)
}

async fn stream(conn: &mut SqliteConn, statement: &Statement, to: &mpsc::Sender<Result<Rows, DbError>>) -> Result<(), DbError> {
    let query = sqlx::query_with(AssertSqlSafe(statement.sql.as_str()), bind::arguments(&statement.args)?);
    let mut found = query.fetch(&mut conn.conn);
    let mut rows = Rows::default();
    while let Some(row) = found.next().await {
        read::read(&row.map_err(|error| fault::of(error, false))?, &statement.kinds, &mut rows)?;
        if rows.len() >= BATCH_ROWS {
            let next = Rows {
                columns: rows.columns.clone(),
                values: Vec::with_capacity(rows.values.len()),
            };
            if to.send(Ok(std::mem::replace(&mut rows, next))).await.is_err() {
                return Ok(());
            }
        }
    }
    if !rows.is_empty() {
        drop(to.send(Ok(rows)).await);
    }
    Ok(())
}

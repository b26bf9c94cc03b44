//! How one schema is reached and used.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Either, Executor, PgConnection};
use tokio::sync::mpsc;
use wharf_plugin_api::sql::{Done, Rows, Statement};

use super::super::cursor::BATCH_ROWS;
use super::super::engine::{Answer, Effect, Engine, Lane, Op, Plan, Step};
use super::super::limits::{Limits, size_of_value, too_large};
use super::{bind, fault, read};
use crate::ports::database::{Begin, DbError, DbErrorKind, Dialect, Isolation};

/// One schema.
pub(super) struct PgEngine {
    /// To the primary, as the module.
    pub(super) primary: PgConnectOptions,
    /// For reading only: to the replica where there is one, else to the primary.
    pub(super) reading: PgConnectOptions,
    pub(super) has_replica: bool,
    pub(super) limits: Limits,
    /// Name of the schema.
    pub(super) schema: String,
    /// What keeps others out.
    pub(super) kept_by: String,
}

/// A connection to it.
pub(super) struct PgConn {
    conn: PgConnection,
    /// Of the server's process, to stop what it does.
    pid: i32,
    lane: Lane,
    in_transaction: bool,
}

/// A server that cannot be reached is given up after this.
const CONNECT: Duration = Duration::from_secs(5);

/// Rows that are asked of a cursor of the server at once.
const FETCHED: usize = 4 * BATCH_ROWS;

/// Cursors of the server have names of their own.
static NEXT_CURSOR: AtomicU64 = AtomicU64::new(1);

/// What a dropped future left running may take so long before it is stopped.
const QUIET: Duration = Duration::from_millis(100);

impl Engine for PgEngine {
    type Conn = PgConn;

    const DIALECT: Dialect = Dialect::Postgres;
    const ERRORS_POISON: bool = true;
    const READS_APART: bool = false;

    async fn connect(&self, lane: Lane) -> Result<PgConn, DbError> {
        let conn = connect(self.options(lane)).await;
        let conn = conn.inspect_err(|error| tracing::debug!(error = %error, "no connection to PostgreSQL"));
        let mut conn = conn.map_err(|error| self.of_lane(lane, error))?;
        let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
            .fetch_one(&mut conn)
            .await
            .map_err(fault::of)?;
        Ok(PgConn {
            conn,
            pid,
            lane,
            in_transaction: false,
        })
    }

    fn plan(&self, sql: &str) -> Result<Plan, DbError> {
        super::plan::plan(sql)
    }

    async fn run<'c>(&'c self, conn: &'c mut PgConn, op: Op<'c>, plan: &'c Plan) -> Result<Answer, DbError> {
        let result = self.run_once(conn, op, plan).await;
        match result {
            Err(error) if fault::is_stale_plan(&error) => {
                conn.conn.clear_cached_statements().await.map_err(fault::of)?;
                if conn.in_transaction {
                    // The transaction is lost with it, and may be done again.
                    return Err(DbError {
                        kind: DbErrorKind::Conflict,
                        ..error
                    });
                }
                self.run_once(conn, op, plan).await
            }
            result => result.map_err(|error| self.of_lane(conn.lane, error)),
        }
    }

    async fn stream<'c>(
        &'c self,
        conn: &'c mut PgConn,
        statement: &'c Statement,
        to: &'c mpsc::Sender<Result<Rows, DbError>>,
    ) -> Option<DbError> {
        // What a server has begun to send must be read to its end, unless it is stopped; that would end a transaction.
        if conn.in_transaction && self.plan(&statement.sql).is_ok_and(|plan| !plan.writes()) {
            return walk(conn, statement, to).await.err();
        }
        stream(conn, statement, to).await.err().map(|error| self.of_lane(conn.lane, error))
    }

    async fn step<'c>(&'c self, conn: &'c mut PgConn, step: Step) -> Result<(), DbError> {
        let sql = match step {
            Step::Begin(begin) => begin_sql(begin),
            Step::Commit => "COMMIT".to_owned(),
            Step::Rollback => "ROLLBACK".to_owned(),
            Step::Savepoint(depth) => format!("SAVEPOINT w{depth}"),
            Step::Release(depth) => format!("RELEASE SAVEPOINT w{depth}"),
            Step::RollbackTo(depth) => format!("ROLLBACK TO SAVEPOINT w{depth}; RELEASE SAVEPOINT w{depth}"),
        };
        conn.conn.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.map_err(fault::of)?;
        match step {
            Step::Begin(_) => conn.in_transaction = true,
            Step::Commit | Step::Rollback => conn.in_transaction = false,
            _ => {}
        }
        Ok(())
    }

    async fn settle<'c>(&'c self, conn: &'c mut PgConn, may_stop: bool) -> bool {
        // In a transaction that goes on it may not be stopped: that would end the transaction.
        let patience = if may_stop { QUIET } else { self.limits.statement_timeout };
        match tokio::time::timeout(patience, conn.conn.ping()).await {
            Ok(answer) => answer.is_ok(),
            Err(_) if may_stop => self.stop(conn).await,
            Err(_) => false,
        }
    }

    fn lost_transaction(&self, _conn: &PgConn) -> bool {
        false
    }

    async fn alive<'c>(&'c self, conn: &'c mut PgConn) -> bool {
        let answer = tokio::time::timeout(Duration::from_secs(2), conn.conn.ping()).await;
        matches!(answer, Ok(Ok(())))
    }

    fn place(&self) -> (String, String) {
        (format!("schema {}", self.schema), self.kept_by.clone())
    }

    async fn size(&self) -> Option<u64> {
        let ask = async {
            let mut conn = connect(&self.primary).await.ok()?;
            let all = "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class WHERE relnamespace = to_regnamespace($1)::oid AND relkind IN ('r', 'm')";
            let size: i64 = sqlx::query_scalar(all)
                .bind(format!("\"{}\"", self.schema))
                .fetch_one(&mut conn)
                .await
                .ok()?;
            u64::try_from(size).ok()
        };
        tokio::time::timeout(CONNECT, ask).await.ok().flatten()
    }
}

impl PgEngine {
    const fn options(&self, lane: Lane) -> &PgConnectOptions {
        match lane {
            Lane::Writer => &self.primary,
            Lane::Reader => &self.reading,
        }
    }

    /// Says of an error that it is the replica's.
    fn of_lane(&self, lane: Lane, error: DbError) -> DbError {
        if lane == Lane::Reader && self.has_replica {
            fault::of_replica(error)
        } else {
            error
        }
    }

    /// Has the server stop what a connection is at.
    async fn stop(&self, conn: &mut PgConn) -> bool {
        let cancel = async {
            let mut other = connect(self.options(conn.lane)).await.ok()?;
            let query = sqlx::query("SELECT pg_cancel_backend($1)").bind(conn.pid);
            other.execute(query).await.ok()?;
            conn.conn.ping().await.ok()
        };
        matches!(tokio::time::timeout(CONNECT, cancel).await, Ok(Some(())))
    }

    async fn run_once(&self, conn: &mut PgConn, op: Op<'_>, plan: &Plan) -> Result<Answer, DbError> {
        match op {
            Op::Query(statement) => self.query(conn, statement).await.map(Answer::Rows),
            Op::Execute(statement) => execute(conn, statement, plan).await.map(Answer::Done),
            Op::Raw(sql) => raw(conn, sql, plan).await.map(Answer::Done),
        }
    }

    async fn query(&self, conn: &mut PgConn, statement: &Statement) -> Result<Rows, DbError> {
        let query = sqlx::query_with(AssertSqlSafe(statement.sql.as_str()), bind::arguments(&statement.args)?);
        let mut found = query.fetch(&mut conn.conn);
        let (mut rows, mut size) = (Rows::default(), 0);
        while let Some(row) = found.next().await {
            let before = rows.values.len();
            read::read(&row.map_err(fault::of)?, &statement.kinds, &mut rows)?;
            size += rows.values.iter().skip(before).map(size_of_value).sum::<usize>();
            if size > self.limits.max_rows {
                return Err(too_large("rows, which is what a cursor is for", size, self.limits.max_rows));
            }
        }
        Ok(rows)
    }
}

/// A connection within the time for it.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, DbError> {
    let made = tokio::time::timeout(CONNECT, options.connect()).await;
    made.map_err(|_| {
        DbError::new(
            DbErrorKind::Unavailable,
            format!("PostgreSQL did not answer within {} ms", CONNECT.as_millis()),
        )
    })?
    .map_err(fault::of)
}

fn begin_sql(begin: Begin) -> String {
    let isolation = match begin.isolation {
        Isolation::Default => "",
        Isolation::ReadCommitted => " ISOLATION LEVEL READ COMMITTED",
        Isolation::RepeatableRead => " ISOLATION LEVEL REPEATABLE READ",
        Isolation::Serializable => " ISOLATION LEVEL SERIALIZABLE",
    };
    format!("BEGIN{isolation}{}", if begin.read_only { " READ ONLY" } else { "" })
}

async fn execute(conn: &mut PgConn, statement: &Statement, plan: &Plan) -> Result<Done, DbError> {
    let query = sqlx::query_with(AssertSqlSafe(statement.sql.as_str()), bind::arguments(&statement.args)?);
    let done = query.execute(&mut conn.conn).await.map_err(fault::of)?;
    let changed = plan.effects.first() == Some(&Effect::Change);
    Ok(Done {
        affected: if changed { done.rows_affected() } else { 0 },
        last_id: 0,
    })
}

/// The simple protocol: several statements are one transaction there.
async fn raw(conn: &mut PgConn, sql: &str, plan: &Plan) -> Result<Done, DbError> {
    let mut effects = plan.effects.iter();
    let mut answers = conn.conn.fetch_many(sqlx::raw_sql(AssertSqlSafe(sql)));
    let mut done = Done::default();
    while let Some(answer) = answers.next().await {
        let Either::Left(one) = answer.map_err(fault::of)? else { continue };
        if effects.next() == Some(&Effect::Change) {
            done.affected += one.rows_affected();
        }
    }
    Ok(done)
}

async fn stream(conn: &mut PgConn, statement: &Statement, to: &mpsc::Sender<Result<Rows, DbError>>) -> Result<(), DbError> {
    let query = sqlx::query_with(AssertSqlSafe(statement.sql.as_str()), bind::arguments(&statement.args)?);
    let mut found = query.fetch(&mut conn.conn);
    let mut rows = Rows::default();
    while let Some(row) = found.next().await {
        read::read(&row.map_err(fault::of)?, &statement.kinds, &mut rows)?;
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

/// Reads through a cursor of the server, which may be left at any row.
async fn walk(conn: &mut PgConn, statement: &Statement, to: &mpsc::Sender<Result<Rows, DbError>>) -> Result<(), DbError> {
    let name = format!("w{}", NEXT_CURSOR.fetch_add(1, Ordering::Relaxed));
    let declare = format!("DECLARE {name} NO SCROLL CURSOR FOR {}", statement.sql);
    let declare = sqlx::query_with(AssertSqlSafe(declare), bind::arguments(&statement.args)?).persistent(false);
    declare.execute(&mut conn.conn).await.map_err(fault::of)?;
    loop {
        let fetch = sqlx::query(AssertSqlSafe(format!("FETCH {FETCHED} FROM {name}"))).persistent(false);
        let found = fetch.fetch_all(&mut conn.conn).await.map_err(fault::of)?;
        for batch in found.chunks(BATCH_ROWS) {
            let mut rows = Rows::default();
            for row in batch {
                read::read(row, &statement.kinds, &mut rows)?;
            }
            if to.send(Ok(rows)).await.is_err() {
                break;
            }
        }
        if found.len() < FETCHED || to.is_closed() {
            break;
        }
    }
    let close = conn.conn.execute(sqlx::raw_sql(AssertSqlSafe(format!("CLOSE {name}")))).await;
    close.map(drop).map_err(fault::of)
}

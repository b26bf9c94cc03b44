//! One space: finds the connection for each statement.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio_util::sync::CancellationToken;
use wharf_plugin_api::sql::{Done, Rows, Statement};

use super::cursor::{Cursor, Owner};
use super::engine::{Answer, Engine, Lane, Op, Plan};
use super::finish::Finish;
use super::holdings::{Id, Inner, NEXT};
use super::limits::Limits;
use crate::ports::database::{Begin, CursorId, DbError, DbErrorKind, DbFuture, Dialect, On, Space, SpaceStatus, TxId, Usage};
use crate::telemetry::Metrics;

/// One space over one engine.
pub(super) struct Executor<E: Engine> {
    inner: Arc<Inner<E>>,
}

impl<E: Engine> Executor<E> {
    /// Opens nothing yet. Must be called in a runtime, which then brings dropped work to its end.
    pub(super) fn new(engine: E, module: &str, limits: Limits, metrics: Option<&Metrics>) -> Self {
        Self {
            inner: Inner::new(engine, module, limits, metrics),
        }
    }

    async fn run(&self, on: On, op: Op<'_>) -> Result<Answer, DbError> {
        let began = Instant::now();
        let result = self.run_unseen(on, op).await;
        self.inner.sight.ended(op.sql(), began, &result);
        result
    }

    async fn run_unseen(&self, on: On, op: Op<'_>) -> Result<Answer, DbError> {
        let inner = &self.inner;
        let plan = inner.plan(on, op)?;
        match on {
            On::Tx(tx) => {
                let mut seated = inner.seat(tx).await?;
                seated.innermost(tx)?;
                let (result, left) = seated.run(op, &plan, inner.patience()).await;
                inner.settle(left, result.as_ref().err());
                result
            }
            On::Pool | On::Replica => {
                let lane = lane_of::<E>(on, &plan);
                let result = inner.lease(lane).await?.run(op, &plan, inner.patience()).await;
                match result {
                    // It writes and did not look like it: a function with effects, for one.
                    Err(error) if lane == Lane::Reader && on == On::Pool && error.kind == DbErrorKind::Refused && error.code == "8" => {
                        inner.lease(Lane::Writer).await?.run(op, &plan, inner.patience()).await
                    }
                    result => result,
                }
            }
        }
    }

    /// What operators see of it.
    pub(super) async fn status(&self) -> SpaceStatus {
        let inner = &self.inner;
        let ((place, kept_by), usage, counted) = (inner.engine.place(), inner.usage(), inner.sight.counted());
        SpaceStatus {
            module: inner.module.clone(),
            dialect: match E::DIALECT {
                Dialect::Sqlite => "sqlite",
                Dialect::Postgres => "postgres",
            }
            .to_owned(),
            place,
            kept_by,
            size_bytes: inner.engine.size().await,
            connections_in_use: usage.in_use,
            connections_idle: usage.idle,
            connections_limit: usage.limit,
            waiting: usage.waiting,
            transactions: usage.transactions as u64,
            cursors: usage.cursors as u64,
            statements: counted.statements,
            errors: counted.errors,
            slow: counted.slow,
        }
    }

    /// Runs to its end also when nobody waits any more: half a commit is no state to leave a connection in.
    fn to_the_end<T: Send + 'static>(&self, work: impl Future<Output = Result<T, DbError>> + Send + 'static) -> DbFuture<'_, T> {
        Box::pin(Finish::surely(&self.inner.runtime, work))
    }
}

impl<E: Engine> Space for Executor<E> {
    fn dialect(&self) -> Dialect {
        E::DIALECT
    }

    fn writes(&self, sql: &str) -> bool {
        self.inner.engine.plan(sql).is_ok_and(|plan| plan.writes())
    }

    fn query<'a>(&'a self, on: On, statement: &'a Statement) -> DbFuture<'a, Rows> {
        Box::pin(async move { self.run(on, Op::Query(statement)).await?.rows() })
    }

    fn execute<'a>(&'a self, on: On, statement: &'a Statement) -> DbFuture<'a, Done> {
        Box::pin(async move { self.run(on, Op::Execute(statement)).await?.done() })
    }

    fn execute_raw<'a>(&'a self, on: On, sql: &'a str) -> DbFuture<'a, Done> {
        Box::pin(async move { self.run(on, Op::Raw(sql)).await?.done() })
    }

    fn begin(&self, begin: Begin) -> DbFuture<'_, TxId> {
        let inner = Arc::clone(&self.inner);
        let work = async move {
            let begun = match begin.within {
                Some(outer) => inner.begin_within(outer).await,
                None => inner.begin_alone(begin).await,
            };
            if let Err(error) = &begun {
                inner.sight.failed(error);
            }
            begun
        };
        let inner = Arc::clone(&self.inner);
        // Nobody is there to end it.
        let undo = move |begun: Result<TxId, DbError>| async move {
            if let Ok(unclaimed) = begun {
                inner.rollback(unclaimed).await;
            }
        };
        Box::pin(Finish::or_undo(&self.inner.runtime, work, undo))
    }

    fn commit(&self, tx: TxId) -> DbFuture<'_, ()> {
        let inner = Arc::clone(&self.inner);
        self.to_the_end(async move { inner.commit(tx).await })
    }

    fn rollback(&self, tx: TxId) -> DbFuture<'_, ()> {
        let inner = Arc::clone(&self.inner);
        self.to_the_end(async move {
            inner.rollback(tx).await;
            Ok(())
        })
    }

    fn abandon(&self, tx: TxId) {
        let Ok(root) = self.inner.root(tx) else { return };
        root.doom(tx);
        let inner = Arc::clone(&self.inner);
        self.inner.runtime.spawn(async move { inner.rollback(tx).await });
    }

    fn open<'a>(&'a self, on: On, statement: &'a Statement) -> DbFuture<'a, CursorId> {
        Box::pin(async move {
            let inner = &self.inner;
            let plan = inner.plan(on, Op::Query(statement))?;
            let (owner, stop) = match on {
                On::Tx(tx) => {
                    let mut seated = inner.seat(tx).await?;
                    seated.innermost(tx)?;
                    (Owner::Transaction(seated), inner.root(tx)?.cursors())
                }
                On::Pool | On::Replica => {
                    let lease = inner.lease(lane_of::<E>(on, &plan)).await?;
                    (Owner::Pool(Box::new(lease)), CancellationToken::new())
                }
            };
            let id = CursorId(NEXT.fetch_add(1, Ordering::Relaxed));
            let cursor = Cursor::start(owner, statement.clone(), stop, &inner.runtime);
            inner.open().cursors.insert(id, Arc::new(cursor));
            Ok(id)
        })
    }

    fn fetch(&self, cursor: CursorId, limit: u32) -> DbFuture<'_, Rows> {
        Box::pin(async move {
            let open = self.inner.open().cursors.get(&cursor).cloned();
            let Some(open) = open else {
                return Err(self.inner.why_gone(Id::Cursor(cursor)));
            };
            let rows = open.fetch(limit as usize).await;
            if rows.as_ref().map_or(true, Rows::is_empty) && self.inner.open().cursors.remove(&cursor).is_none() {
                // It was ended while we waited: what looks like the end is not.
                return Err(self.inner.why_gone(Id::Cursor(cursor)));
            }
            rows
        })
    }

    fn close(&self, cursor: CursorId) {
        let closed = self.inner.open().cursors.remove(&cursor);
        if let Some(cursor) = closed {
            cursor.stop();
        }
    }

    fn usage(&self) -> Usage {
        self.inner.usage()
    }
}

impl<E: Engine> Drop for Executor<E> {
    fn drop(&mut self) {
        self.inner.writers.close();
        self.inner.readers.close();
        let mut open = self.inner.open();
        open.transactions.clear();
        for (_, cursor) in open.cursors.drain() {
            cursor.stop();
        }
    }
}

fn lane_of<E: Engine>(on: On, plan: &Plan) -> Lane {
    match on {
        On::Replica => Lane::Reader,
        _ if E::READS_APART && !plan.writes() => Lane::Reader,
        _ => Lane::Writer,
    }
}

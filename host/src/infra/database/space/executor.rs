//! One space: finds the connection for each statement, and knows which transactions and cursors are open.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use wharf_plugin_api::sql::{Done, Rows, Statement};

use super::cursor::{Cursor, Owner};
use super::engine::{Answer, Engine, Lane, Op, Plan, Step};
use super::limits::Limits;
use super::pool::{Lease, Pool};
use super::sight::Sight;
use super::transaction::{Left, Root, Seated, ended};
use crate::ports::database::{Begin, CursorId, DbError, DbErrorKind, DbFuture, Dialect, On, Space, SpaceStatus, TxId, Usage};
use crate::telemetry::Metrics;

/// One space over one engine.
pub(super) struct Executor<E: Engine> {
    inner: Arc<Inner<E>>,
}

struct Inner<E: Engine> {
    engine: Arc<E>,
    module: String,
    sight: Sight,
    limits: Limits,
    writers: Arc<Pool<E>>,
    readers: Arc<Pool<E>>,
    runtime: Handle,
    open: Mutex<Open<E>>,
}

/// What is open.
struct Open<E: Engine> {
    transactions: HashMap<TxId, Arc<Root<E>>>,
    cursors: HashMap<CursorId, Arc<Cursor>>,
    /// Why some have ended without being asked; the oldest are forgotten.
    ended: VecDeque<(Id, DbError)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Id {
    Tx(TxId),
    Cursor(CursorId),
}

/// Handles are unique in the process.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// How many ends are remembered.
const REMEMBERED: usize = 256;

/// What the database is given beyond its own limits before its connection is given up.
const PATIENCE: Duration = Duration::from_secs(5);

impl<E: Engine> Executor<E> {
    /// Opens nothing yet. Must be called in a runtime, which then brings dropped work to its end.
    pub(super) fn new(engine: E, module: &str, limits: Limits, metrics: Option<&Metrics>) -> Self {
        let (engine, runtime) = (Arc::new(engine), Handle::current());
        let pool = |lane, size: u32| {
            let engine = Arc::clone(&engine);
            Pool::new(
                engine,
                lane,
                size.max(1),
                limits.acquire_timeout,
                limits.idle_timeout,
                runtime.clone(),
            )
        };
        let writers = if E::READS_APART { 1 } else { limits.connections };
        let inner = Arc::new(Inner {
            writers: pool(Lane::Writer, writers),
            readers: pool(Lane::Reader, limits.readers),
            engine,
            sight: Sight::new(module, limits.slow, metrics),
            module: module.to_owned(),
            limits,
            runtime: runtime.clone(),
            open: Mutex::new(Open {
                transactions: HashMap::new(),
                cursors: HashMap::new(),
                ended: VecDeque::new(),
            }),
        });
        runtime.spawn(sweep(Arc::downgrade(&inner)));
        Self { inner }
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
        let work = self.inner.runtime.spawn(work);
        Box::pin(async move {
            work.await
                .unwrap_or_else(|_| Err(DbError::new(DbErrorKind::Unavailable, "the host is stopping")))
        })
    }
}

impl<E: Engine> Space for Executor<E> {
    fn dialect(&self) -> Dialect {
        E::DIALECT
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
        let (claim, claimed) = oneshot::channel();
        let inner = Arc::clone(&self.inner);
        let work = async move {
            let begun = match begin.within {
                Some(outer) => inner.begin_within(outer).await,
                None => inner.begin_alone(begin).await,
            };
            if let Err(error) = &begun {
                inner.sight.failed(error);
            }
            // Nobody is there to end it.
            if let Err(Ok(unclaimed)) = claim.send(begun) {
                inner.rollback(unclaimed).await;
            }
        };
        Box::pin(async move {
            self.inner.runtime.spawn(work);
            claimed
                .await
                .unwrap_or_else(|_| Err(DbError::new(DbErrorKind::Unavailable, "the host is stopping")))
        })
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

impl<E: Engine> Inner<E> {
    /// Looks at a statement before it runs.
    fn plan(&self, on: On, op: Op<'_>) -> Result<Plan, DbError> {
        self.limits.check(op)?;
        let plan = self.engine.plan(op.sql())?;
        if !matches!(op, Op::Raw(_)) && plan.effects.len() != 1 {
            return Err(DbError::new(
                DbErrorKind::Refused,
                format!("found {} statements, expected one: use execute_raw for several", plan.effects.len()),
            ));
        }
        if on == On::Replica && plan.writes() {
            return Err(DbError::new(
                DbErrorKind::Refused,
                "a replica only reads: run this statement on the pool or in a transaction",
            ));
        }
        Ok(plan)
    }

    fn usage(&self) -> Usage {
        let (transactions, cursors) = {
            let open = self.open();
            (open.transactions.len(), open.cursors.len())
        };
        Usage {
            transactions,
            cursors,
            in_use: self.writers.in_use() + self.readers.in_use(),
            idle: self.writers.idle() + self.readers.idle(),
            limit: self.writers.size() + self.readers.size(),
            waiting: self.writers.waiting() + self.readers.waiting(),
        }
    }

    fn patience(&self) -> Duration {
        self.limits.statement_timeout + PATIENCE
    }

    async fn lease(&self, lane: Lane) -> Result<Lease<E>, DbError> {
        match lane {
            Lane::Writer => self.writers.lease().await,
            Lane::Reader => self.readers.lease().await,
        }
    }

    async fn begin_alone(&self, begin: Begin) -> Result<TxId, DbError> {
        let lane = if begin.read_only && E::READS_APART {
            Lane::Reader
        } else {
            Lane::Writer
        };
        let mut lease = self.lease(lane).await?;
        lease.in_transaction = true;
        if let Err(error) = lease.step(Step::Begin(begin), self.patience()).await {
            lease.in_transaction = false;
            return Err(error);
        }
        let id = TxId(NEXT.fetch_add(1, Ordering::Relaxed));
        self.open().transactions.insert(id, Arc::new(Root::new(lease, id)));
        Ok(id)
    }

    async fn begin_within(&self, outer: TxId) -> Result<TxId, DbError> {
        let mut seated = self.seat(outer).await?;
        seated.innermost(outer)?;
        let id = TxId(NEXT.fetch_add(1, Ordering::Relaxed));
        let result = seated.savepoint(id, self.patience()).await;
        self.settle(seated.after(result.as_ref().err()), result.as_ref().err());
        result?;
        let root = self.root(outer)?;
        self.open().transactions.insert(id, root);
        Ok(id)
    }

    async fn commit(&self, tx: TxId) -> Result<(), DbError> {
        self.root(tx)?.end_cursors();
        let mut seated = self.seat(tx).await?;
        let (result, left) = seated.commit(tx, self.patience()).await;
        self.settle(left, None);
        result
    }

    async fn rollback(&self, tx: TxId) {
        let Ok(root) = self.root(tx) else { return };
        root.end_cursors();
        // However long it takes: the statement before has its own limit.
        let Ok(mut seated) = root.sit(self.patience(), &self.runtime).await else {
            return;
        };
        let left = seated.rollback(tx, self.patience()).await;
        self.settle(left, None);
    }

    /// Its turn in a transaction, after what was given up in it has been rolled back.
    async fn seat(&self, tx: TxId) -> Result<Seated<E>, DbError> {
        let root = self.root(tx)?;
        let mut seated = root.sit(self.limits.acquire_timeout, &self.runtime).await?;
        for doomed in root.take_doomed() {
            let left = seated.rollback(doomed, self.patience()).await;
            self.settle(left, None);
        }
        self.settle(seated.after(None), None);
        if seated.depth(tx).is_none() {
            self.open().transactions.remove(&tx);
            return Err(self.why_gone(Id::Tx(tx)));
        }
        Ok(seated)
    }

    /// Forgets what has ended; `because` when nobody asked for it.
    fn settle(&self, left: Left, because: Option<&DbError>) {
        let Left::Ended(ids) = left else { return };
        let mut open = self.open();
        for id in ids {
            open.transactions.remove(&id);
            if let Some(error) = because {
                let message = format!("the transaction has ended, since a statement in it failed: {}", error.message);
                open.remember(Id::Tx(id), DbError::new(DbErrorKind::Gone, message));
            }
        }
    }

    fn root(&self, tx: TxId) -> Result<Arc<Root<E>>, DbError> {
        let root = self.open().transactions.get(&tx).cloned();
        root.ok_or_else(|| self.why_gone(Id::Tx(tx)))
    }

    fn why_gone(&self, id: Id) -> DbError {
        let open = self.open();
        let known = open.ended.iter().find(|(one, _)| *one == id).map(|(_, error)| error.clone());
        known.unwrap_or_else(|| match id {
            Id::Tx(_) => ended(),
            Id::Cursor(_) => DbError::new(DbErrorKind::Gone, "the cursor has ended"),
        })
    }

    fn open(&self) -> MutexGuard<'_, Open<E>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends what is too old, and closes connections that nobody uses.
    fn end_old(self: &Arc<Self>) {
        let (limit, now) = (self.limits.transaction_age, Instant::now());
        let mut roots: Vec<Arc<Root<E>>> = Vec::new();
        {
            let mut open = self.open();
            let old: Vec<TxId> = open
                .transactions
                .iter()
                .filter(|(_, root)| now.duration_since(root.since) > limit)
                .map(|(id, _)| *id)
                .collect();
            for id in old {
                let Some(root) = open.transactions.remove(&id) else { continue };
                tracing::warn!(
                    module = self.module,
                    transaction = id.0,
                    age_ms = root.since.elapsed().as_millis() as u64,
                    "a transaction was open for too long and is rolled back"
                );
                self.sight.aged();
                open.remember(Id::Tx(id), too_old("transaction", limit));
                if !roots.iter().any(|one| Arc::ptr_eq(one, &root)) {
                    roots.push(root);
                }
            }
            let old: Vec<CursorId> = open
                .cursors
                .iter()
                .filter(|(_, cursor)| now.duration_since(cursor.since) > limit)
                .map(|(id, _)| *id)
                .collect();
            for id in old {
                let Some(cursor) = open.cursors.remove(&id) else { continue };
                tracing::warn!(module = self.module, cursor = id.0, "a cursor was open for too long and is closed");
                self.sight.aged();
                open.remember(Id::Cursor(id), too_old("cursor", limit));
                cursor.stop();
            }
        }
        for root in roots {
            root.end_cursors();
            let inner = Arc::clone(self);
            self.runtime.spawn(async move {
                if let Ok(mut seated) = root.sit(inner.patience(), &inner.runtime).await {
                    seated.rollback_all(inner.patience()).await;
                }
            });
        }
        self.writers.sweep();
        self.readers.sweep();
        self.sight.observe(self.usage());
    }
}

impl<E: Engine> Open<E> {
    fn remember(&mut self, id: Id, why: DbError) {
        if self.ended.len() >= REMEMBERED {
            self.ended.pop_front();
        }
        self.ended.push_back((id, why));
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

fn too_old(what: &str, limit: Duration) -> DbError {
    let message = format!(
        "the {what} was open for more than {} ms and was ended: keep it shorter, or raise database.modules.transaction_age",
        limit.as_millis()
    );
    DbError::new(DbErrorKind::Gone, message)
}

async fn sweep<E: Engine>(inner: Weak<Inner<E>>) {
    loop {
        let Some(every) = inner
            .upgrade()
            .map(|inner| (inner.limits.transaction_age / 4).clamp(Duration::from_millis(10), Duration::from_secs(1)))
        else {
            return;
        };
        tokio::time::sleep(every).await;
        let Some(inner) = inner.upgrade() else { return };
        inner.end_old();
    }
}

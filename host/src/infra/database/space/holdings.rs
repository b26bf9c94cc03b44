//! What one space has: connections, transactions, cursors, and how each of them ends.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::cursor::Cursor;
use super::engine::{Engine, Lane, Op, Plan, Step};
use super::limits::Limits;
use super::pool::{Lease, Pool};
use super::sight::Sight;
use super::transaction::{Left, Root, Seated, ended};
use crate::ports::database::{Begin, CursorId, DbError, DbErrorKind, On, TxId, Usage};
use crate::telemetry::Metrics;

/// What one space has: its connections, and what is open on them.
pub(super) struct Inner<E: Engine> {
    pub(super) engine: Arc<E>,
    pub(super) module: String,
    pub(super) sight: Sight,
    pub(super) limits: Limits,
    pub(super) writers: Arc<Pool<E>>,
    pub(super) readers: Arc<Pool<E>>,
    pub(super) runtime: Handle,
    open: Mutex<Open<E>>,
}

/// What is open.
pub(super) struct Open<E: Engine> {
    pub(super) transactions: HashMap<TxId, Arc<Root<E>>>,
    pub(super) cursors: HashMap<CursorId, Arc<Cursor>>,
    /// Why some have ended without being asked; the oldest are forgotten.
    ended: VecDeque<(Id, DbError)>,
}

/// A handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Id {
    Tx(TxId),
    Cursor(CursorId),
}

/// Handles are unique in the process.
pub(super) static NEXT: AtomicU64 = AtomicU64::new(1);

/// How many ends are remembered.
const REMEMBERED: usize = 256;

/// What the database is given beyond its own limits before its connection is given up.
const PATIENCE: Duration = Duration::from_secs(5);

impl<E: Engine> Inner<E> {
    /// Opens nothing yet. Must be called in a runtime, which then brings dropped work to its end.
    pub(super) fn new(engine: E, module: &str, limits: Limits, metrics: Option<&Metrics>) -> Arc<Self> {
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
        let inner = Arc::new(Self {
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
        inner
    }

    /// Looks at a statement before it runs.
    pub(super) fn plan(&self, on: On, op: Op<'_>) -> Result<Plan, DbError> {
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

    pub(super) fn usage(&self) -> Usage {
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

    pub(super) fn patience(&self) -> Duration {
        self.limits.statement_timeout + PATIENCE
    }

    pub(super) async fn lease(&self, lane: Lane) -> Result<Lease<E>, DbError> {
        match lane {
            Lane::Writer => self.writers.lease().await,
            Lane::Reader => self.readers.lease().await,
        }
    }

    pub(super) async fn begin_alone(&self, begin: Begin) -> Result<TxId, DbError> {
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

    pub(super) async fn begin_within(&self, outer: TxId) -> Result<TxId, DbError> {
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

    pub(super) async fn commit(&self, tx: TxId) -> Result<(), DbError> {
        self.root(tx)?.end_cursors();
        let mut seated = self.seat(tx).await?;
        let (result, left) = seated.commit(tx, self.patience()).await;
        self.settle(left, None);
        result
    }

    pub(super) async fn rollback(&self, tx: TxId) {
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
    pub(super) async fn seat(&self, tx: TxId) -> Result<Seated<E>, DbError> {
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
    pub(super) fn settle(&self, left: Left, because: Option<&DbError>) {
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

    pub(super) fn root(&self, tx: TxId) -> Result<Arc<Root<E>>, DbError> {
        let root = self.open().transactions.get(&tx).cloned();
        root.ok_or_else(|| self.why_gone(Id::Tx(tx)))
    }

    pub(super) fn why_gone(&self, id: Id) -> DbError {
        let open = self.open();
        let known = open.ended.iter().find(|(one, _)| *one == id).map(|(_, error)| error.clone());
        known.unwrap_or_else(|| match id {
            Id::Tx(_) => ended(),
            Id::Cursor(_) => DbError::new(DbErrorKind::Gone, "the cursor has ended"),
        })
    }

    pub(super) fn open(&self) -> MutexGuard<'_, Open<E>> {
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

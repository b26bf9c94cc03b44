//! Connections of one lane of a space: handed out in the order in which they were asked for.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::engine::{Answer, Engine, Lane, Op, Plan, Step};
use crate::ports::database::{DbError, DbErrorKind};

/// Connections of one lane.
pub(super) struct Pool<E: Engine> {
    engine: Arc<E>,
    lane: Lane,
    permits: Arc<Semaphore>,
    size: u32,
    idle: Mutex<Vec<Idle<E::Conn>>>,
    acquire_timeout: Duration,
    idle_timeout: Duration,
    waiting: AtomicU32,
    opened: AtomicU64,
    runtime: Handle,
}

/// A connection somebody has. When it is dropped it goes back; one that is in the middle of something is first brought to its end.
pub(super) struct Lease<E: Engine> {
    conn: Option<E::Conn>,
    pool: Arc<Pool<E>>,
    permit: Option<OwnedSemaphorePermit>,
    /// A statement is running on it.
    pub(super) busy: bool,
    /// A transaction is open on it.
    pub(super) in_transaction: bool,
    /// It is of no use to anybody.
    pub(super) spent: bool,
    /// Something was left behind in it: it is of no use to others.
    stained: bool,
}

struct Idle<C> {
    conn: C,
    since: Instant,
}

/// Counts who waits, also when the waiting is given up.
struct Waiting<'a>(&'a AtomicU32);

/// One that was idle for longer is looked at before it is used.
const LOOK_AFTER: Duration = Duration::from_secs(1);

impl<E: Engine> Pool<E> {
    /// Opens nothing yet.
    pub(super) fn new(
        engine: Arc<E>,
        lane: Lane,
        size: u32,
        acquire_timeout: Duration,
        idle_timeout: Duration,
        runtime: Handle,
    ) -> Arc<Self> {
        Arc::new(Self {
            engine,
            lane,
            permits: Arc::new(Semaphore::new(size as usize)),
            size,
            idle: Mutex::new(Vec::new()),
            acquire_timeout,
            idle_timeout,
            waiting: AtomicU32::new(0),
            opened: AtomicU64::new(0),
            runtime,
        })
    }

    /// A connection, after those who asked before. Dropping the future leaves the queue.
    pub(super) async fn lease(self: &Arc<Self>) -> Result<Lease<E>, DbError> {
        let within = tokio::time::timeout(self.acquire_timeout, self.lease_in_time());
        within.await.unwrap_or_else(|_| Err(self.nobody_left()))
    }

    async fn lease_in_time(self: &Arc<Self>) -> Result<Lease<E>, DbError> {
        let permit = match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _waiting = Waiting::new(&self.waiting);
                Arc::clone(&self.permits).acquire_owned().await.map_err(|_| closed())?
            }
        };
        let mut lease = Lease {
            conn: None,
            pool: Arc::clone(self),
            permit: Some(permit),
            busy: false,
            in_transaction: false,
            spent: false,
            stained: false,
        };
        while let Some(idle) = self.pop() {
            let mut conn = idle.conn;
            if idle.since.elapsed() < LOOK_AFTER || self.engine.alive(&mut conn).await {
                lease.conn = Some(conn);
                return Ok(lease);
            }
        }
        lease.conn = Some(self.engine.connect(self.lane).await?);
        self.opened.fetch_add(1, Ordering::Relaxed);
        Ok(lease)
    }

    fn pop(&self) -> Option<Idle<E::Conn>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Closes what nobody used for a while.
    pub(super) fn sweep(&self) {
        let old = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let (old, young) = std::mem::take(&mut *idle)
                .into_iter()
                .partition(|one: &Idle<E::Conn>| one.since.elapsed() > self.idle_timeout);
            *idle = young;
            old
        };
        // Outside of the lock: closing may take a while.
        drop::<Vec<_>>(old);
    }

    /// Gives no connection any more, and closes those that are idle.
    pub(super) fn close(&self) {
        self.permits.close();
        drop(std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner)));
    }

    /// How many are in use.
    pub(super) fn in_use(&self) -> u32 {
        self.size
            .saturating_sub(u32::try_from(self.permits.available_permits()).unwrap_or(u32::MAX))
    }

    /// How many are open and free.
    pub(super) fn idle(&self) -> u32 {
        u32::try_from(self.idle.lock().unwrap_or_else(PoisonError::into_inner).len()).unwrap_or(u32::MAX)
    }

    /// How many there may be.
    pub(super) const fn size(&self) -> u32 {
        self.size
    }

    /// How many wait for one.
    pub(super) fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    fn nobody_left(&self) -> DbError {
        let lane = match self.lane {
            Lane::Writer if self.size == 1 => "the one connection that writes",
            Lane::Writer => "a connection",
            Lane::Reader => "a connection that reads",
        };
        DbError::new(
            DbErrorKind::Busy,
            format!(
                "waited {} ms for {lane}: {} of {} are in use; end transactions and cursors sooner, or raise the limits in [database.modules]",
                self.acquire_timeout.as_millis(),
                self.in_use(),
                self.size
            ),
        )
    }

    /// Brings a connection to rest, and says whether it is good for others.
    async fn calm(&self, conn: &mut E::Conn, in_transaction: bool) -> bool {
        if !self.engine.settle(conn, true).await {
            return false;
        }
        !in_transaction || self.engine.step(conn, Step::Rollback).await.is_ok()
    }

    fn put_back(&self, conn: E::Conn) {
        if self.permits.is_closed() {
            return;
        }
        let idle = Idle {
            conn,
            since: Instant::now(),
        };
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(idle);
    }
}

impl<E: Engine> Lease<E> {
    /// The connection. Always there until the lease is dropped.
    pub(super) fn conn(&mut self) -> Result<(&E, &mut E::Conn), DbError> {
        let conn = self.conn.as_mut().ok_or_else(closed)?;
        Ok((&self.pool.engine, conn))
    }

    /// Runs a statement.
    pub(super) async fn run(&mut self, op: Op<'_>, plan: &Plan, patience: Duration) -> Result<Answer, DbError> {
        self.busy = true;
        self.stained |= plan.stains;
        let (engine, conn) = self.conn()?;
        let result = patiently(patience, engine.run(conn, op, plan)).await;
        self.rest(&result);
        result
    }

    /// Takes a step of a transaction.
    pub(super) async fn step(&mut self, step: Step, patience: Duration) -> Result<(), DbError> {
        self.busy = true;
        let (engine, conn) = self.conn()?;
        let result = patiently(patience, engine.step(conn, step)).await;
        self.rest(&result);
        result
    }

    /// Nothing runs on it any more. One that does not answer is not used again.
    fn rest<T>(&mut self, result: &Result<T, DbError>) {
        self.busy = false;
        self.spent |= matches!(result, Err(error) if error.kind == DbErrorKind::Unavailable);
    }

    /// Brings it to rest after a future was dropped. A transaction stays open, unless the connection is of no use.
    pub(super) async fn settle(&mut self, may_stop: bool) {
        let Some(conn) = self.conn.as_mut() else { return };
        if !self.pool.engine.settle(conn, may_stop).await {
            self.spent = true;
        }
        self.busy = false;
    }

    /// Whether the database ended the transaction by itself.
    pub(super) fn lost_transaction(&self) -> bool {
        self.conn.as_ref().is_none_or(|conn| self.pool.engine.lost_transaction(conn))
    }
}

impl<E: Engine> Drop for Lease<E> {
    fn drop(&mut self) {
        let Some(mut conn) = self.conn.take() else { return };
        if self.spent {
            // What happened to it most likely happened to the others too.
            drop(std::mem::take(&mut *self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner)));
            return;
        }
        if self.stained && !self.busy && !self.in_transaction {
            return;
        }
        if !self.busy && !self.in_transaction {
            self.pool.put_back(conn);
            return;
        }
        let (pool, permit, in_transaction, stained) = (Arc::clone(&self.pool), self.permit.take(), self.in_transaction, self.stained);
        let runtime = pool.runtime.clone();
        runtime.spawn(async move {
            if pool.calm(&mut conn, in_transaction).await && !stained {
                pool.put_back(conn);
            }
            drop(permit);
        });
    }
}

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Gives up on a database that does not answer at all; its own limits are shorter.
async fn patiently<T>(patience: Duration, work: impl Future<Output = Result<T, DbError>>) -> Result<T, DbError> {
    let done = tokio::time::timeout(patience, work).await;
    done.unwrap_or_else(|_| {
        let message = format!("the database did not answer within {} ms", patience.as_millis());
        Err(DbError::new(DbErrorKind::Unavailable, message))
    })
}

fn closed() -> DbError {
    DbError::new(DbErrorKind::Unavailable, "the space is closed")
}

//! Transactions: one connection, a stack of savepoints, one operation at a time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use super::engine::{Answer, Engine, Op, Plan, Step};
use super::pool::Lease;
use crate::ports::database::{DbError, DbErrorKind, TxId};

/// A transaction with the savepoints in it.
pub(super) struct Root<E: Engine> {
    seat: Arc<tokio::sync::Mutex<Seat<E>>>,
    /// Ended by somebody who could not wait: rolled back before anything else is done.
    doomed: Mutex<Vec<TxId>>,
    /// Ends the cursors that are open in it.
    cursors: Mutex<CancellationToken>,
    pub(super) since: Instant,
}

/// What one operation at a time has.
pub(super) struct Seat<E: Engine> {
    lease: Option<Lease<E>>,
    /// The transaction, and the savepoints in it from the outside in.
    stack: Vec<TxId>,
    /// A statement failed this deep, and the database takes no more until it is rolled back.
    failed_at: Option<usize>,
    /// The statement that runs may be stopped without harm to the transaction.
    may_stop: bool,
}

/// The right to do one operation. Dropped in the middle of one, it waits for the end of that before the next may begin.
pub(super) struct Seated<E: Engine> {
    guard: Option<OwnedMutexGuard<Seat<E>>>,
    runtime: Handle,
}

/// What is left of a transaction after an operation.
#[derive(Debug)]
pub(super) enum Left {
    /// It goes on.
    Open,
    /// These have ended.
    Ended(Vec<TxId>),
}

impl<E: Engine> Root<E> {
    /// Of a connection on which a transaction has just begun.
    pub(super) fn new(lease: Lease<E>, id: TxId) -> Self {
        Self {
            seat: Arc::new(tokio::sync::Mutex::new(Seat {
                lease: Some(lease),
                stack: vec![id],
                failed_at: None,
                may_stop: false,
            })),
            doomed: Mutex::new(Vec::new()),
            cursors: Mutex::new(CancellationToken::new()),
            since: Instant::now(),
        }
    }

    /// Waits for its turn.
    pub(super) async fn sit(&self, timeout: Duration, runtime: &Handle) -> Result<Seated<E>, DbError> {
        let turn = tokio::time::timeout(timeout, Arc::clone(&self.seat).lock_owned());
        let guard = turn.await.map_err(|_| {
            DbError::new(
                DbErrorKind::Busy,
                format!(
                    "waited {} ms for the transaction: a cursor or another statement of it is still open; close it first",
                    timeout.as_millis()
                ),
            )
        })?;
        Ok(Seated {
            guard: Some(guard),
            runtime: runtime.clone(),
        })
    }

    /// Notes that it is to be rolled back before anything else.
    pub(super) fn doom(&self, tx: TxId) {
        self.doomed.lock().unwrap_or_else(PoisonError::into_inner).push(tx);
    }

    pub(super) fn take_doomed(&self) -> Vec<TxId> {
        std::mem::take(&mut *self.doomed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends when the cursors of this transaction shall.
    pub(super) fn cursors(&self) -> CancellationToken {
        self.cursors.lock().unwrap_or_else(PoisonError::into_inner).child_token()
    }

    /// Ends the cursors that are open in it.
    pub(super) fn end_cursors(&self) {
        let fresh = CancellationToken::new();
        std::mem::replace(&mut *self.cursors.lock().unwrap_or_else(PoisonError::into_inner), fresh).cancel();
    }
}

impl<E: Engine> Seated<E> {
    fn seat(&mut self) -> Result<&mut Seat<E>, DbError> {
        self.guard.as_deref_mut().ok_or_else(ended)
    }

    /// How deep this one is: 0 is the transaction itself.
    pub(super) fn depth(&self, tx: TxId) -> Option<usize> {
        self.guard.as_ref()?.stack.iter().position(|one| *one == tx)
    }

    /// Refuses to work outside while a savepoint inside is open: what is done then would belong to the inside.
    pub(super) fn innermost(&mut self, tx: TxId) -> Result<(), DbError> {
        match self.depth(tx) {
            None => Err(ended()),
            Some(depth) if depth + 1 < self.seat()?.stack.len() => Err(DbError::new(
                DbErrorKind::Refused,
                "a savepoint inside of this transaction is open: commit it or roll it back first, or use it",
            )),
            Some(_) => Ok(()),
        }
    }

    /// The connection, for a cursor.
    pub(super) fn lease(&mut self) -> Result<&mut Lease<E>, DbError> {
        let seat = self.seat()?;
        seat.may_stop = true;
        seat.lease.as_mut().ok_or_else(ended)
    }

    /// Runs a statement.
    pub(super) async fn run(&mut self, op: Op<'_>, plan: &Plan, patience: Duration) -> (Result<Answer, DbError>, Left) {
        let result = self.run_inner(op, plan, patience).await;
        let left = self.after(result.as_ref().err());
        (result, left)
    }

    async fn run_inner(&mut self, op: Op<'_>, plan: &Plan, patience: Duration) -> Result<Answer, DbError> {
        let seat = self.seat()?;
        seat.may_stop = !plan.writes();
        seat.lease.as_mut().ok_or_else(ended)?.run(op, plan, patience).await
    }

    /// What an operation did to the transaction: an error may have poisoned it, or ended it.
    pub(super) fn after(&mut self, error: Option<&DbError>) -> Left {
        let Ok(seat) = self.seat() else { return Left::Open };
        if error.is_some_and(|error| E::ERRORS_POISON && !error.code.is_empty()) && seat.failed_at.is_none() {
            seat.failed_at = Some(seat.stack.len().saturating_sub(1));
        }
        if seat.lease.as_ref().is_some_and(|lease| lease.spent || lease.lost_transaction()) {
            return seat.end();
        }
        Left::Open
    }

    /// Opens a savepoint.
    pub(super) async fn savepoint(&mut self, id: TxId, patience: Duration) -> Result<(), DbError> {
        let depth = self.seat()?.stack.len();
        self.step(Step::Savepoint(depth), patience).await?;
        self.seat()?.stack.push(id);
        Ok(())
    }

    /// Commits. Whatever fails, it has ended afterwards.
    pub(super) async fn commit(&mut self, tx: TxId, patience: Duration) -> (Result<(), DbError>, Left) {
        let Some(depth) = self.depth(tx) else {
            return (Err(ended()), Left::Open);
        };
        let refused = self.may_not_commit(depth);
        let result = match (refused, depth) {
            (Some(error), _) => Err(error),
            (None, 0) => self.step(Step::Commit, patience).await,
            (None, depth) => self.step(Step::Release(depth), patience).await,
        };
        match result {
            Ok(()) => (Ok(()), self.leave(depth)),
            Err(error) => (Err(error), self.rollback(tx, patience).await),
        }
    }

    fn may_not_commit(&mut self, depth: usize) -> Option<DbError> {
        let seat = self.guard.as_ref()?;
        if depth + 1 < seat.stack.len() {
            return Some(DbError::new(
                DbErrorKind::Refused,
                "a savepoint inside was still open at commit, so all of it was rolled back: end it before",
            ));
        }
        seat.failed_at.filter(|failed| depth <= *failed).map(|_| {
            DbError::new(
                DbErrorKind::Refused,
                "a statement of this transaction failed before, so it was rolled back instead of committed",
            )
        })
    }

    /// Rolls back, with everything inside. What has ended already is left alone.
    pub(super) async fn rollback(&mut self, tx: TxId, patience: Duration) -> Left {
        let Some(depth) = self.depth(tx) else {
            return Left::Open;
        };
        let step = if depth == 0 { Step::Rollback } else { Step::RollbackTo(depth) };
        if self.step(step, patience).await.is_err() {
            // Nobody knows what it is in the middle of: closing the connection rolls back.
            return self.seat().map_or(Left::Open, |seat| {
                if let Some(lease) = seat.lease.as_mut() {
                    lease.spent = true;
                }
                seat.end()
            });
        }
        self.leave(depth)
    }

    /// Rolls back whatever is open.
    pub(super) async fn rollback_all(&mut self, patience: Duration) {
        let root = self.guard.as_ref().and_then(|seat| seat.stack.first().copied());
        if let Some(root) = root {
            self.rollback(root, patience).await;
        }
    }

    /// Takes this depth and all deeper ones off the stack.
    fn leave(&mut self, depth: usize) -> Left {
        let Ok(seat) = self.seat() else { return Left::Open };
        if depth == 0 {
            if let Some(lease) = seat.lease.as_mut() {
                lease.in_transaction = false;
            }
            return seat.end();
        }
        if seat.failed_at.is_some_and(|failed| depth <= failed) {
            seat.failed_at = None;
        }
        Left::Ended(seat.stack.split_off(depth))
    }

    async fn step(&mut self, step: Step, patience: Duration) -> Result<(), DbError> {
        let seat = self.seat()?;
        seat.may_stop = false;
        seat.lease.as_mut().ok_or_else(ended)?.step(step, patience).await
    }
}

impl<E: Engine> Seat<E> {
    /// Gives the connection back; one that is still in a transaction rolls it back on its way.
    fn end(&mut self) -> Left {
        drop(self.lease.take());
        Left::Ended(std::mem::take(&mut self.stack))
    }
}

impl<E: Engine> Drop for Seated<E> {
    fn drop(&mut self) {
        let Some(mut guard) = self.guard.take() else { return };
        if !guard.lease.as_ref().is_some_and(|lease| lease.busy) {
            return;
        }
        self.runtime.spawn(async move {
            let may_stop = guard.may_stop;
            if let Some(lease) = guard.lease.as_mut() {
                lease.settle(may_stop).await;
            }
        });
    }
}

pub(super) fn ended() -> DbError {
    DbError::new(DbErrorKind::Gone, "the transaction has ended")
}

//! What the executor knows of a connection while SQLite works on it in a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::SqliteConnection;

/// Nothing is open: each statement commits itself.
const ALONE: u8 = 0;
/// A transaction is open: nothing but its own end may commit.
const OPEN: u8 = 1;
/// A transaction is being ended.
const ENDING: u8 = 2;

/// SQLite asks after so many of its steps whether it shall go on.
const STEPS: i32 = 1_000;

/// Shared with SQLite's callbacks.
#[derive(Debug)]
pub(super) struct Watch {
    born: Instant,
    /// Nanoseconds after `born` at which a statement is ended; 0: never.
    deadline: AtomicU64,
    stop: AtomicBool,
    phase: AtomicU8,
    lost: AtomicBool,
}

impl Watch {
    /// Watches a connection.
    pub(super) async fn over(conn: &mut SqliteConnection) -> Result<Arc<Self>, sqlx::Error> {
        let watch = Arc::new(Self {
            born: Instant::now(),
            deadline: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            phase: AtomicU8::new(ALONE),
            lost: AtomicBool::new(false),
        });
        let mut handle = conn.lock_handle().await?;
        let (ask, commits, rolls) = (Arc::clone(&watch), Arc::clone(&watch), Arc::clone(&watch));
        handle.set_progress_handler(STEPS, move || !ask.stop.load(Ordering::Acquire) && !ask.is_late());
        // A transaction that SQLite ended by itself (disk full, `ON CONFLICT ROLLBACK`) would make the rest of it commit statement by statement.
        handle.set_commit_hook(move || commits.phase.load(Ordering::Acquire) != OPEN);
        handle.set_rollback_hook(move || {
            if rolls.phase.load(Ordering::Acquire) == OPEN {
                rolls.lost.store(true, Ordering::Release);
            }
        });
        drop(handle);
        Ok(watch)
    }

    /// The next statement may take so long.
    pub(super) fn allow(&self, time: Duration) {
        let deadline = self.born.elapsed() + time;
        self.deadline
            .store(u64::try_from(deadline.as_nanos()).unwrap_or(u64::MAX), Ordering::Release);
    }

    /// It has ended, or may take as long as it likes.
    pub(super) fn allow_all(&self) {
        self.deadline.store(0, Ordering::Release);
        self.stop.store(false, Ordering::Release);
    }

    /// Whatever runs shall end.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// Whether the statement has used up its time.
    pub(super) fn is_late(&self) -> bool {
        let deadline = self.deadline.load(Ordering::Acquire);
        deadline != 0 && self.born.elapsed().as_nanos() > u128::from(deadline)
    }

    pub(super) fn opened(&self) {
        self.lost.store(false, Ordering::Release);
        self.phase.store(OPEN, Ordering::Release);
    }

    pub(super) fn ending(&self) {
        self.phase.store(ENDING, Ordering::Release);
    }

    /// The end did not come about.
    pub(super) fn still_open(&self) {
        self.phase.store(OPEN, Ordering::Release);
    }

    pub(super) fn alone(&self) {
        self.phase.store(ALONE, Ordering::Release);
        self.lost.store(false, Ordering::Release);
    }

    pub(super) fn is_alone(&self) -> bool {
        self.phase.load(Ordering::Acquire) == ALONE
    }

    /// Whether SQLite ended the transaction by itself.
    pub(super) fn has_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }
}

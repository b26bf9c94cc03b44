//! Signals kept in the host's state database: polled, and woken faster where somebody can.

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::ports::signals::{Board, EpochStore, SignalError, SignalFuture, SignalWaker, Signals, Watch};
use crate::ports::state::StateError;

#[cfg(feature = "postgres")]
pub use postgres::PostgresWaker;
#[cfg(feature = "redis")]
pub use redis::RedisWaker;

/// How often every node asks the store, woken or not.
const POLL: Duration = Duration::from_millis(500);
/// How long nudges are gathered after some were written.
const GATHER: Duration = Duration::from_millis(10);

/// Signals in a store that all nodes share. Its tasks end when it is dropped.
pub struct StoredSignals {
    inner: Arc<Inner>,
    _tasks: JoinSet<()>,
}

struct Inner {
    store: Arc<dyn EpochStore>,
    board: Board,
    wakers: Vec<Arc<dyn SignalWaker>>,
    /// Names to be raised by the task that does that.
    nudged: Mutex<BTreeSet<String>>,
    nudge: Notify,
}

impl StoredSignals {
    /// Begins to ask and to listen. Must be called inside a tokio runtime.
    #[must_use]
    pub fn start(store: Arc<dyn EpochStore>, wakers: Vec<Arc<dyn SignalWaker>>) -> Self {
        let inner = Arc::new(Inner {
            store,
            board: Board::default(),
            wakers,
            nudged: Mutex::default(),
            nudge: Notify::new(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(poll(inner.clone()));
        tasks.spawn(raise_nudged(inner.clone()));
        for waker in inner.wakers.clone() {
            let board = inner.board.clone();
            tasks.spawn(async move { waker.listen(&board).await });
        }
        Self { inner, _tasks: tasks }
    }
}

impl Signals for StoredSignals {
    fn bump<'a>(&'a self, name: &'a str) -> SignalFuture<'a, u64> {
        Box::pin(async move { self.inner.raise(name).await.map_err(unavailable("raise an epoch")) })
    }

    fn nudge(&self, name: &str) {
        self.inner.board.nudge(name);
        self.inner
            .nudged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned());
        self.inner.nudge.notify_one();
    }

    fn epoch<'a>(&'a self, name: &'a str) -> SignalFuture<'a, u64> {
        Box::pin(async move {
            let epoch = self.inner.store.epoch(name).await.map_err(unavailable("read an epoch"))?;
            self.inner.board.learn(name, epoch);
            Ok(epoch)
        })
    }

    fn watch(&self, names: &[&str]) -> Watch {
        self.inner.board.watch(names)
    }
}

impl Inner {
    async fn raise(&self, name: &str) -> Result<u64, StateError> {
        let epoch = self.store.raise(name).await?;
        self.board.learn(name, epoch);
        for waker in &self.wakers {
            waker.announce(name, epoch).await;
        }
        Ok(epoch)
    }
}

impl std::fmt::Debug for StoredSignals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredSignals")
            .field("store", &self.inner.store)
            .field("wakers", &self.inner.wakers)
            .finish_non_exhaustive()
    }
}

async fn poll(inner: Arc<Inner>) {
    let mut interval = tokio::time::interval(POLL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        interval.tick().await;
        match inner.store.epochs().await {
            Ok(epochs) => {
                if failing {
                    tracing::info!("signals are read again");
                }
                failing = false;
                epochs.iter().for_each(|(name, epoch)| inner.board.learn(name, *epoch));
            }
            // Once, not twice a second.
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(
                    error = &error as &(dyn Error + 'static),
                    "signals cannot be read: what other nodes change is seen later"
                );
            }
            Err(_) => {}
        }
    }
}

async fn raise_nudged(inner: Arc<Inner>) {
    loop {
        inner.nudge.notified().await;
        let names = std::mem::take(&mut *inner.nudged.lock().unwrap_or_else(PoisonError::into_inner));
        let mut pause = GATHER;
        for name in names {
            if inner.raise(&name).await.is_err() {
                // The poll says that the store is away; this is tried again.
                inner.nudged.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
                inner.nudge.notify_one();
                pause = POLL;
            }
        }
        tokio::time::sleep(pause).await;
    }
}

fn unavailable(doing: &'static str) -> impl Fn(StateError) -> SignalError {
    move |source| SignalError::Unavailable {
        doing,
        source: source.into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::infra::database::SqliteState;
    use crate::ports::signals::contract;

    #[tokio::test]
    async fn two_nodes_on_one_sqlite_file_keep_the_contract() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("host.sqlite");
        let one = StoredSignals::start(Arc::new(SqliteState::open(&file).await.unwrap()), Vec::new());
        let two = StoredSignals::start(Arc::new(SqliteState::open(&file).await.unwrap()), Vec::new());
        contract::check(&one, &two).await;
    }

    #[tokio::test]
    async fn many_nudges_are_few_writes() {
        let folder = tempfile::tempdir().unwrap();
        let signals = StoredSignals::start(Arc::new(SqliteState::open(&folder.path().join("s")).await.unwrap()), Vec::new());
        let mut watch = signals.watch(&["queue.blog"]);
        for _ in 0..1_000 {
            signals.nudge("queue.blog");
        }
        while watch.epoch("queue.blog") == 0 {
            tokio::time::timeout(Duration::from_secs(5), watch.changed()).await.unwrap();
        }
        assert!(signals.epoch("queue.blog").await.unwrap() <= 3);
    }
}

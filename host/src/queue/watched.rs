//! Spaces that say when a transaction has committed in which work was put, so that nobody has to poll for it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use wharf_plugin_api::sql::{Done, Rows, Statement};

use crate::ports::database::{Begin, CursorId, Databases, DbFuture, Dialect, On, Space, SpaceStatus, TxId, Usage};

type Woken = Arc<dyn Fn(&str) + Send + Sync>;

/// All spaces, watched. Everything that commits must go through it: it stands in front of the adapter for everybody.
pub struct WatchedDatabases {
    inner: Arc<dyn Databases>,
    watches: Mutex<HashMap<String, Arc<Watch>>>,
    woken: OnceLock<Woken>,
}

/// Which open transactions of one space have work in them.
pub(crate) struct Watch {
    module: String,
    open: Mutex<OpenTxs>,
    woken: OnceLock<Woken>,
}

#[derive(Default)]
struct OpenTxs {
    with_work: HashSet<TxId>,
    /// The transaction a savepoint is in.
    parents: HashMap<TxId, TxId>,
}

struct WatchedSpace {
    inner: Arc<dyn Space>,
    watch: Arc<Watch>,
}

impl WatchedDatabases {
    /// Around an adapter.
    #[must_use]
    pub fn new(inner: Arc<dyn Databases>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            watches: Mutex::default(),
            woken: OnceLock::new(),
        })
    }

    /// Who is told the module whose transaction has committed with work in it. Only the first one counts.
    pub(super) fn on_work(&self, woken: Woken) {
        let _ = self.woken.set(woken);
    }

    pub(super) fn watch(&self, module: &str) -> Arc<Watch> {
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let watch = watches.entry(module.to_owned()).or_insert_with(|| {
            Arc::new(Watch {
                module: module.to_owned(),
                open: Mutex::default(),
                woken: OnceLock::new(),
            })
        });
        if let Some(woken) = self.woken.get() {
            let _ = watch.woken.set(woken.clone());
        }
        watch.clone()
    }
}

impl Databases for WatchedDatabases {
    fn dialect(&self) -> Dialect {
        self.inner.dialect()
    }

    fn known(&self) -> DbFuture<'_, Vec<String>> {
        self.inner.known()
    }

    fn space<'a>(&'a self, module: &'a str) -> DbFuture<'a, Arc<dyn Space>> {
        Box::pin(async move {
            let inner = self.inner.space(module).await?;
            let space: Arc<dyn Space> = Arc::new(WatchedSpace {
                inner,
                watch: self.watch(module),
            });
            Ok(space)
        })
    }

    fn status(&self) -> DbFuture<'_, Vec<SpaceStatus>> {
        self.inner.status()
    }
}

impl Watch {
    fn open(&self) -> MutexGuard<'_, OpenTxs> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This transaction has work in it.
    pub(crate) fn note(&self, tx: TxId) {
        self.open().with_work.insert(tx);
    }

    fn began(&self, tx: TxId, within: Option<TxId>) {
        if let Some(parent) = within {
            self.open().parents.insert(tx, parent);
        }
    }

    /// A savepoint's work is its parent's; a transaction's is there.
    fn committed(&self, tx: TxId) {
        let has_work = {
            let mut open = self.open();
            let parent = open.parents.remove(&tx);
            let had_work = open.with_work.remove(&tx);
            match parent {
                Some(parent) if had_work => {
                    open.with_work.insert(parent);
                    false
                }
                _ => had_work,
            }
        };
        if has_work && let Some(woken) = self.woken.get() {
            woken(&self.module);
        }
    }

    fn ended(&self, tx: TxId) {
        let mut open = self.open();
        open.with_work.remove(&tx);
        open.parents.remove(&tx);
    }
}

impl Space for WatchedSpace {
    fn dialect(&self) -> Dialect {
        self.inner.dialect()
    }

    fn writes(&self, sql: &str) -> bool {
        self.inner.writes(sql)
    }

    fn query<'a>(&'a self, on: On, statement: &'a Statement) -> DbFuture<'a, Rows> {
        self.inner.query(on, statement)
    }

    fn execute<'a>(&'a self, on: On, statement: &'a Statement) -> DbFuture<'a, Done> {
        self.inner.execute(on, statement)
    }

    fn execute_raw<'a>(&'a self, on: On, sql: &'a str) -> DbFuture<'a, Done> {
        self.inner.execute_raw(on, sql)
    }

    fn begin(&self, begin: Begin) -> DbFuture<'_, TxId> {
        Box::pin(async move {
            let tx = self.inner.begin(begin).await?;
            self.watch.began(tx, begin.within);
            Ok(tx)
        })
    }

    fn commit(&self, tx: TxId) -> DbFuture<'_, ()> {
        Box::pin(async move {
            let committed = self.inner.commit(tx).await;
            match &committed {
                Ok(()) => self.watch.committed(tx),
                Err(_) => self.watch.ended(tx),
            }
            committed
        })
    }

    fn rollback(&self, tx: TxId) -> DbFuture<'_, ()> {
        self.watch.ended(tx);
        self.inner.rollback(tx)
    }

    fn abandon(&self, tx: TxId) {
        self.watch.ended(tx);
        self.inner.abandon(tx);
    }

    fn open<'a>(&'a self, on: On, statement: &'a Statement) -> DbFuture<'a, CursorId> {
        self.inner.open(on, statement)
    }

    fn fetch(&self, cursor: CursorId, limit: u32) -> DbFuture<'_, Rows> {
        self.inner.fetch(cursor, limit)
    }

    fn close(&self, cursor: CursorId) {
        self.inner.close(cursor);
    }

    fn usage(&self) -> Usage {
        self.inner.usage()
    }
}

impl std::fmt::Debug for WatchedDatabases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WatchedDatabases")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn work_of_a_savepoint_is_told_when_the_whole_commits() {
        let told = Arc::new(AtomicU32::new(0));
        let watch = Watch {
            module: "m".to_owned(),
            open: Mutex::default(),
            woken: OnceLock::new(),
        };
        let count = told.clone();
        let _ = watch.woken.set(Arc::new(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
        }));
        watch.began(TxId(2), Some(TxId(1)));
        watch.note(TxId(2));
        watch.committed(TxId(2));
        assert_eq!(told.load(Ordering::SeqCst), 0);
        watch.committed(TxId(1));
        assert_eq!(told.load(Ordering::SeqCst), 1);
        watch.note(TxId(3));
        watch.ended(TxId(3));
        watch.committed(TxId(4));
        assert_eq!(told.load(Ordering::SeqCst), 1);
        assert!(watch.open().with_work.is_empty() && watch.open().parents.is_empty());
    }
}

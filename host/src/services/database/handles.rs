//! Who owns transactions and cursors, and what becomes of them when the owner ends.
//!
//! A handle belongs to the call it was opened in, or, opened outside of one, to the instance, which may keep it for a while.
//! Whatever its owner ends by, the handle is rolled back or closed then.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::runtime::Handle as Runtime;

use crate::ports::database::{CursorId, DbError, DbErrorKind, Space, TxId};

/// Handles of one instance.
pub(crate) struct Handles {
    space: Arc<dyn Space>,
    max_age: Duration,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    handles: HashMap<u64, Held>,
    /// Once the instance has ended nothing is taken in any more.
    is_over: bool,
    is_swept: bool,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    kind: HeldKind,
    /// It has the one connection that writes, where a space has only one.
    writes: bool,
    /// The transaction it is inside of.
    within: Option<u64>,
    /// When it is ended, for one that belongs to the instance.
    until: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HeldKind {
    Tx,
    /// A transaction of the host, which ends it.
    Lent,
    Cursor,
}

/// Handles of one call. Dropping it ends them.
pub(super) struct CallHandles {
    owner: Weak<Handles>,
    ids: Mutex<Vec<u64>>,
    /// A transaction of the host that was lent for this call, which does not end it.
    lent: Option<u64>,
}

/// A transaction of the host that an instance may use until this is dropped.
#[derive(Debug)]
pub(crate) struct Loan {
    owner: Weak<Handles>,
    id: u64,
}

/// Whose a handle is that is being opened.
#[derive(Clone)]
pub(super) enum Owner {
    Call(Weak<CallHandles>),
    Instance,
}

/// What is being taken in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opened {
    id: u64,
    kind: HeldKind,
    within: Option<u64>,
    writes: bool,
}

impl Opened {
    /// A transaction, or a savepoint in one.
    pub(super) const fn tx(tx: TxId, within: Option<u64>) -> Self {
        Self {
            id: tx.0,
            kind: HeldKind::Tx,
            within,
            writes: false,
        }
    }

    pub(super) const fn cursor(cursor: CursorId, within: Option<u64>) -> Self {
        Self {
            id: cursor.0,
            kind: HeldKind::Cursor,
            within,
            writes: false,
        }
    }

    /// It has the one connection that writes.
    pub(super) const fn writing(mut self, writes: bool) -> Self {
        self.writes = writes;
        self
    }
}

impl Handles {
    pub(super) fn new(space: Arc<dyn Space>, max_age: Duration) -> Arc<Self> {
        Arc::new(Self {
            space,
            max_age,
            open: Mutex::default(),
        })
    }

    pub(super) fn for_call(self: &Arc<Self>) -> CallHandles {
        CallHandles {
            owner: Arc::downgrade(self),
            ids: Mutex::default(),
            lent: None,
        }
    }

    /// For the handling of an event, to which this was lent.
    pub(super) fn for_loan(self: &Arc<Self>, loan: &Loan) -> CallHandles {
        let mut handles = self.for_call();
        handles.lent = Some(loan.id);
        handles
    }

    /// Takes in what was opened for `owner`. One whose owner has ended meanwhile is ended at once.
    pub(super) fn take_in(self: &Arc<Self>, opened: Opened, owner: &Owner, runtime: &Runtime) -> Result<u64, DbError> {
        let Opened { id, kind, within, writes } = opened;
        let call = match owner {
            Owner::Call(call) => Some(call.upgrade()),
            Owner::Instance => None,
        };
        let mut open = lock(&self.open);
        if open.is_over || matches!(call, Some(None)) {
            drop(open);
            self.end(id, kind);
            return Err(gone("its call ended while it was opened"));
        }
        let until = call.is_none().then(|| Instant::now() + self.max_age);
        let held = Held {
            kind,
            writes,
            within,
            until,
        };
        open.handles.insert(id, held);
        if until.is_some() && !open.is_swept {
            open.is_swept = true;
            runtime.spawn(sweep(Arc::downgrade(self), self.max_age));
        }
        drop(open);
        if let Some(Some(call)) = call {
            lock(&call.ids).push(id);
        }
        Ok(id)
    }

    /// A transaction this instance may use.
    pub(super) fn tx(&self, id: u64) -> Result<TxId, DbError> {
        match lock(&self.open).handles.get(&id) {
            Some(held) if held.kind != HeldKind::Cursor => Ok(TxId(id)),
            _ => Err(no_handle("transaction", id, self.max_age)),
        }
    }

    /// A transaction this instance may end; none when it has ended.
    pub(super) fn own_tx(&self, id: u64) -> Result<Option<TxId>, DbError> {
        match lock(&self.open).handles.get(&id).map(|held| held.kind) {
            Some(HeldKind::Tx) => Ok(Some(TxId(id))),
            Some(HeldKind::Lent) => Err(DbError::new(
                DbErrorKind::Refused,
                "this transaction is the host's: it commits when the handler has succeeded and rolls back when it fails; use a savepoint (`tx.begin()`) for what may be undone alone",
            )),
            _ => Ok(None),
        }
    }

    pub(super) fn cursor(&self, id: u64) -> Result<CursorId, DbError> {
        match lock(&self.open).handles.get(&id).map(|held| held.kind) {
            Some(HeldKind::Cursor) => Ok(CursorId(id)),
            _ => Err(no_handle("stream", id, self.max_age)),
        }
    }

    /// Forgets a handle and all inside of it: the space has ended them.
    pub(super) fn forget(&self, id: u64) {
        let mut open = lock(&self.open);
        let mut ended = vec![id];
        while let Some(id) = ended.pop() {
            open.handles.remove(&id);
            let inside = open.handles.iter().filter(|(_, held)| held.within == Some(id));
            ended.extend(inside.map(|(id, _)| *id));
        }
    }

    /// Forgets and ends one, soon. Of the host's own only what is inside of them ends.
    pub(super) fn let_go(&self, id: u64) {
        let held = lock(&self.open).handles.get(&id).copied();
        if let Some(held) = held {
            self.forget(id);
            self.end(id, held.kind);
        }
    }

    fn end(&self, id: u64, kind: HeldKind) {
        match kind {
            HeldKind::Tx => self.space.abandon(TxId(id)),
            HeldKind::Cursor => self.space.close(CursorId(id)),
            HeldKind::Lent => {}
        }
    }

    /// Lends a transaction of the host.
    pub(crate) fn lend(self: &Arc<Self>, tx: TxId) -> Loan {
        let held = Held {
            kind: HeldKind::Lent,
            writes: true,
            within: None,
            until: None,
        };
        lock(&self.open).handles.insert(tx.0, held);
        Loan {
            owner: Arc::downgrade(self),
            id: tx.0,
        }
    }

    /// Ends all of them; what is opened from now on is ended at once.
    pub(super) fn end_all(&self, is_over: bool) {
        let mut open = lock(&self.open);
        open.is_over |= is_over;
        let handles = std::mem::take(&mut open.handles);
        drop(open);
        for (id, held) in handles {
            self.end(id, held.kind);
        }
    }

    /// How many are open, for status and tests.
    pub(crate) fn count(&self) -> usize {
        lock(&self.open).handles.len()
    }
}

impl CallHandles {
    /// Whether it has the one connection that writes right now.
    pub(super) fn has_writer(&self) -> bool {
        let Some(owner) = self.owner.upgrade() else { return false };
        let (open, ids) = (lock(&owner.open), lock(&self.ids));
        let mut mine = ids.iter().chain(&self.lent);
        mine.any(|id| open.handles.get(id).is_some_and(|held| held.writes))
    }
}

impl Drop for CallHandles {
    fn drop(&mut self) {
        let ids = std::mem::take(&mut *lock(&self.ids));
        if let Some(owner) = self.owner.upgrade() {
            for id in ids {
                owner.let_go(id);
            }
        }
    }
}

impl Loan {
    /// What the module knows it by.
    pub(crate) const fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let Some(owner) = self.owner.upgrade() else { return };
        let inside: Vec<(u64, HeldKind)> = {
            let open = lock(&owner.open);
            let inside = open.handles.iter().filter(|(_, held)| held.within == Some(self.id));
            inside.map(|(id, held)| (*id, held.kind)).collect()
        };
        // Savepoints and cursors that a handler left open go before the host ends its transaction.
        for (id, kind) in inside {
            owner.end(id, kind);
        }
        owner.forget(self.id);
    }
}

/// Ends what an instance has kept for too long outside of calls. Runs while there is something to look at.
async fn sweep(handles: Weak<Handles>, max_age: Duration) {
    let tick = (max_age / 4).clamp(Duration::from_millis(50), Duration::from_secs(5));
    loop {
        tokio::time::sleep(tick).await;
        let Some(handles) = handles.upgrade() else { return };
        let now = Instant::now();
        let late: Vec<u64> = {
            let mut open = lock(&handles.open);
            if !open.handles.values().any(|held| held.until.is_some()) {
                open.is_swept = false;
                return;
            }
            let late = open.handles.iter().filter(|(_, held)| held.until.is_some_and(|until| until <= now));
            late.map(|(id, _)| *id).collect()
        };
        for id in late {
            tracing::warn!(
                handle = id,
                max_age_ms = u64::try_from(max_age.as_millis()).unwrap_or(u64::MAX),
                "a transaction or stream that a module opened outside of a call was open for too long and is ended"
            );
            handles.let_go(id);
        }
    }
}

fn gone(why: &str) -> DbError {
    DbError::new(DbErrorKind::Gone, format!("the transaction or stream is not there any more: {why}"))
}

fn no_handle(what: &str, id: u64, max_age: Duration) -> DbError {
    DbError::new(
        DbErrorKind::Gone,
        format!(
            "{what} {id} is not there any more: it was ended, the call it was opened in has ended, or it was open outside of a call for more than {} s",
            max_age.as_secs_f32()
        ),
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;

//! The queues of all modules: opened once, looked after, woken.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::OnceCell;
use uuid::Uuid;
use wharf_plugin_api::sql::Value;

use super::item::State;
use super::schema;
use super::store::{Inner, Queue};
use super::watched::WatchedDatabases;
use crate::ports::clock::Clock;
use crate::ports::database::{Databases, DbError, Dialect, On};
use crate::ports::signals::{Signals, Watch};

/// How often somebody looks for work of other nodes that nobody told of, and for leases that have ended.
const LOOK: Duration = Duration::from_millis(500);
/// Where nobody else writes, only lost leases of this process are to be found.
const LOOK_ALONE: Duration = Duration::from_secs(2);

/// The queues of all modules of a host.
pub struct Queues {
    databases: Arc<WatchedDatabases>,
    clock: Arc<dyn Clock>,
    node: String,
    boot: String,
    signals: Arc<dyn Signals>,
    open: Mutex<HashMap<String, Arc<OnceCell<Queue>>>>,
    runtime: tokio::runtime::Handle,
}

impl Queues {
    /// None is open yet. Must be called inside a tokio runtime.
    #[must_use]
    pub fn new(databases: Arc<WatchedDatabases>, clock: Arc<dyn Clock>, node: &str, signals: Arc<dyn Signals>) -> Arc<Self> {
        let queues = Arc::new(Self {
            databases,
            clock,
            node: node.replace(['%', '_', '/'], "-"),
            boot: Uuid::now_v7().simple().to_string(),
            signals,
            open: Mutex::default(),
            runtime: tokio::runtime::Handle::current(),
        });
        let weak = Arc::downgrade(&queues);
        queues.databases.on_work(Arc::new(move |module| {
            if let Some(queues) = weak.upgrade() {
                queues.woken_here(module);
            }
        }));
        queues
    }

    /// The queue of a module. The first time its tables are made, and what an earlier process of this node had leased is
    /// taken back.
    ///
    /// # Errors
    /// What the database says; the next call tries again.
    pub async fn of(self: &Arc<Self>, module: &str) -> Result<Queue, DbError> {
        let cell = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.entry(module.to_owned()).or_default().clone()
        };
        cell.get_or_try_init(|| self.open(module)).await.cloned()
    }

    async fn open(self: &Arc<Self>, module: &str) -> Result<Queue, DbError> {
        let space = self.databases.space(module).await?;
        schema::migrate(&space).await?;
        // Where only this process writes, nobody else has to be woken.
        let others = (space.dialect() == Dialect::Postgres).then(|| self.signals.clone());
        let queue = Queue(Arc::new(Inner {
            module: module.to_owned(),
            space,
            clock: self.clock.clone(),
            owner: format!("{}/{}", self.node, self.boot),
            node: self.node.clone(),
            leases: AtomicU64::new(1),
            bells: Mutex::default(),
            on_commit: self.databases.watch(module),
            others,
        }));
        queue.reclaim_own().await?;
        if queue.0.others.is_some() {
            let watch = self.signals.watch(&[&signal(module)]);
            self.runtime.spawn(listen(Arc::downgrade(&queue.0), watch));
        }
        self.runtime.spawn(look_after(Arc::downgrade(&queue.0)));
        Ok(queue)
    }

    /// Those that are open, by module.
    #[must_use]
    pub fn all(&self) -> Vec<Queue> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut queues: Vec<Queue> = open.values().filter_map(|cell| cell.get().cloned()).collect();
        queues.sort_by(|a, b| a.module().cmp(b.module()));
        queues
    }

    fn woken_here(&self, module: &str) {
        let queue = {
            let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.get(module).and_then(|cell| cell.get().cloned())
        };
        if let Some(queue) = queue {
            queue.wake();
            queue.wake_others();
        }
    }

    /// What time it is.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }
}

impl Queue {
    /// Tells other nodes that there is work.
    pub(crate) fn wake_others(&self) {
        if let Some(signals) = &self.0.others {
            signals.nudge(&signal(self.module()));
        }
    }

    /// Takes back lost leases, and rings where something is due: the way back from whatever nobody was told of.
    async fn look(&self) -> Result<(), DbError> {
        self.reclaim().await?;
        let sql = "SELECT DISTINCT kind, name FROM wharf_queue WHERE state = $1 AND due_ms <= $2";
        let args = vec![Value::text(State::Waiting.name()), Value::int(self.now_ms())];
        let rows = self.0.space.query(On::Pool, &self.statement(sql, args)).await?;
        let bells = self.0.bells.lock().unwrap_or_else(PoisonError::into_inner);
        for row in rows.iter() {
            let [kind, name] = row else { continue };
            for ((of, called), bell) in bells.iter() {
                if kind.as_text() == Some(*of) && name.as_text() == Some(called.as_str()) {
                    bell.notify_one();
                }
            }
        }
        Ok(())
    }
}

/// The signal that a module has work.
fn signal(module: &str) -> String {
    format!("queue.{module}")
}

/// Wakes who waits here when another node says that there is work, until the queue is gone.
async fn listen(queue: Weak<Inner>, mut watch: Watch) {
    loop {
        watch.changed().await;
        let Some(inner) = queue.upgrade() else { return };
        Queue(inner).wake();
    }
}

/// Looks until the queue is gone. Says once when the database does not answer, and once when it does again.
async fn look_after(queue: Weak<Inner>) {
    let mut is_failing = false;
    loop {
        let Some(inner) = queue.upgrade() else { return };
        let queue_now = Queue(inner);
        match queue_now.look().await {
            Ok(()) if is_failing => {
                is_failing = false;
                tracing::info!(module.id = queue_now.module(), "the queue of the module answers again");
                queue_now.wake();
            }
            Ok(()) => {}
            Err(error) if !is_failing => {
                is_failing = true;
                tracing::warn!(module.id = queue_now.module(), error = %error, "the queue of the module does not answer; it is tried again");
            }
            Err(_) => {}
        }
        let pause = match queue_now.space().dialect() {
            Dialect::Postgres => LOOK,
            Dialect::Sqlite => LOOK_ALONE,
        };
        drop(queue_now);
        tokio::time::sleep(pause).await;
    }
}

impl std::fmt::Debug for Queues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queues").field("node", &self.node).finish_non_exhaustive()
    }
}

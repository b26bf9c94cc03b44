//! The loop that leases and works: one for each name of a kind.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::backoff::Backoff;
use super::item::{Item, Kind, Verdict};
use super::store::Queue;
use crate::ports::database::DbError;

/// Pause after the database did not answer.
const PAUSE: Duration = Duration::from_secs(1);
/// Pause after nothing of a lease could be tried.
const NOT_NOW: Duration = Duration::from_millis(200);
/// An empty queue is looked at by the lane itself only after this: everything else rings.
const IDLE: Duration = Duration::from_secs(30);

/// A boxed future of a [`Work`].
pub type WorkFuture<'a> = Pin<Box<dyn Future<Output = Vec<Verdict>> + Send + 'a>>;

/// What is done with leased items.
pub trait Work: Send + Sync + 'static {
    /// Works on items of one lease, in their order, and says of each what became of it, in the same order; those without a
    /// verdict were not tried. Dropping the future cuts the work; what has not ended then is handed over.
    fn run(&self, items: Vec<Item>) -> WorkFuture<'_>;
}

/// How a lane works.
#[derive(Clone, Debug)]
pub struct LaneSettings {
    /// What sort of work.
    pub kind: Kind,
    /// Which name of it.
    pub name: String,
    /// Whether items of one key wait for each other.
    pub is_ordered: bool,
    /// Items in one lease, at most.
    pub batch: usize,
    /// Leases at a time.
    pub concurrency: usize,
    /// How long a lease lasts when it is not renewed; it is, as long as the work goes on.
    pub lease: Duration,
    /// Delays between tries.
    pub backoff: Backoff,
    /// Whether items that are done are kept.
    pub keep: bool,
}

/// A running lane. Dropping it cuts its work and leaves what was leased to the end of the lease; [`Lane::drain`] ends it well.
#[must_use = "dropping it cuts its work"]
pub struct Lane {
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

struct Shared {
    queue: Queue,
    settings: LaneSettings,
    work: Arc<dyn Work>,
    leases: Mutex<HashSet<String>>,
}

impl LaneSettings {
    /// One item at a time, ordered by key, leases of 30 seconds.
    #[must_use]
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
            is_ordered: true,
            batch: 1,
            concurrency: 1,
            lease: Duration::from_secs(30),
            backoff: Backoff::default(),
            keep: false,
        }
    }
}

impl Lane {
    /// Begins to lease. Must be called inside a tokio runtime.
    pub fn start(queue: Queue, settings: LaneSettings, work: Arc<dyn Work>) -> Self {
        let (stop, stopping) = watch::channel(false);
        let shared = Arc::new(Shared {
            queue,
            settings,
            work,
            leases: Mutex::default(),
        });
        Self {
            stop,
            task: Some(tokio::spawn(run(shared.clone(), stopping))),
            shared,
        }
    }

    /// Leases nothing new from now on; what runs goes on.
    pub fn stop_leasing(&self) {
        self.stop.send_replace(true);
    }

    /// Waits for what runs, at most so long; then cuts it and hands it over to whoever leases next. `false` when it was cut.
    pub async fn drain(mut self, time: Duration) -> bool {
        self.stop_leasing();
        let Some(mut task) = self.task.take() else { return true };
        if tokio::time::timeout(time, &mut task).await.is_ok() {
            return true;
        }
        task.abort();
        // Its end is waited for, so that nothing is worked on any more when it is handed over.
        drop(task.await);
        let leases = std::mem::take(&mut *self.shared.leases.lock().unwrap_or_else(PoisonError::into_inner));
        for lease in leases {
            if let Err(error) = self.shared.queue.hand_over(&lease).await {
                tracing::warn!(module.id = self.shared.queue.module(), error = %error, "a lease could not be handed over; it ends by itself");
            }
        }
        self.shared
            .queue
            .bell(self.shared.settings.kind, &self.shared.settings.name)
            .notify_one();
        false
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane")
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}

async fn run(shared: Arc<Shared>, mut stopping: watch::Receiver<bool>) {
    let settings = &shared.settings;
    let bell = shared.queue.bell(settings.kind, &settings.name);
    let mut running = JoinSet::new();
    let mut is_failing = false;
    while !*stopping.borrow() {
        while running.try_join_next().is_some() {}
        if running.len() >= settings.concurrency.max(1) {
            tokio::select! {
                _ = running.join_next() => {}
                _ = stopping.changed() => {}
            }
            continue;
        }
        let leased = shared
            .queue
            .lease(
                settings.kind,
                &settings.name,
                settings.is_ordered,
                settings.batch.max(1),
                settings.lease,
            )
            .await;
        match leased {
            Ok(items) if items.is_empty() => {
                is_failing = false;
                let wait = wait_for_work(&shared, &bell);
                tokio::select! {
                    () = wait => {}
                    _ = running.join_next(), if !running.is_empty() => {}
                    _ = stopping.changed() => {}
                }
            }
            Ok(items) => {
                is_failing = false;
                if let Some(first) = items.first() {
                    shared
                        .leases
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(first.lease.clone());
                }
                running.spawn(work_on(shared.clone(), items));
            }
            Err(error) => {
                say_once(&shared, &error, &mut is_failing);
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    _ = stopping.changed() => {}
                }
            }
        }
    }
    while running.join_next().await.is_some() {}
}

async fn wait_for_work(shared: &Shared, bell: &tokio::sync::Notify) {
    let settings = &shared.settings;
    let due = shared.queue.next_due(settings.kind, &settings.name).await.ok().flatten();
    let clock = shared.queue.clock();
    tokio::select! {
        () = bell.notified() => {}
        () = tokio::time::sleep(IDLE) => {}
        () = async { match due {
            Some(due) => clock.sleep_until(due).await,
            None => std::future::pending().await,
        } } => {}
    }
}

fn say_once(shared: &Shared, error: &DbError, is_failing: &mut bool) {
    if !std::mem::replace(is_failing, true) {
        tracing::warn!(
            module.id = shared.queue.module(),
            lane = shared.settings.name,
            error = %error,
            "nothing can be leased; it is tried again every second"
        );
    }
}

/// Works on one lease and ends it.
async fn work_on(shared: Arc<Shared>, items: Vec<Item>) {
    let Some(lease) = items.first().map(|item| item.lease.clone()) else {
        return;
    };
    let work = shared.work.run(items.clone());
    let verdicts = tokio::select! {
        verdicts = work => verdicts,
        () = keep_renewing(&shared, &lease) => {
            tracing::warn!(module.id = shared.queue.module(), lane = shared.settings.name, "a lease was lost; its work was cut");
            forget(&shared, &lease);
            return;
        }
    };
    if let Err(error) = settle(&shared, &items, verdicts).await {
        // The lease ends by itself, and then the items are tried again.
        tracing::warn!(module.id = shared.queue.module(), lane = shared.settings.name, error = %error, "the end of a piece of work could not be recorded");
    }
    forget(&shared, &lease);
}

fn forget(shared: &Shared, lease: &str) {
    shared.leases.lock().unwrap_or_else(PoisonError::into_inner).remove(lease);
}

/// Ready only when the lease is lost.
async fn keep_renewing(shared: &Shared, lease: &str) {
    let time = shared.settings.lease;
    loop {
        tokio::time::sleep(time / 3).await;
        match shared.queue.renew(lease, time).await {
            Ok(true) => {}
            // All of it may have ended just now, by the work itself: then the work ends too.
            Ok(false) => {
                tokio::time::sleep(time / 3).await;
                return;
            }
            Err(error) => tracing::debug!(error = %error, "a lease could not be renewed; it is tried again"),
        }
    }
}

async fn settle(shared: &Shared, items: &[Item], verdicts: Vec<Verdict>) -> Result<(), DbError> {
    let queue = &shared.queue;
    if verdicts.iter().all(|verdict| *verdict == Verdict::NotTried) {
        // Whoever works cannot now, and would be asked again at once.
        tokio::time::sleep(NOT_NOW).await;
    }
    let mut verdicts = verdicts.into_iter();
    let mut done = Vec::new();
    for item in items {
        match verdicts.next().unwrap_or(Verdict::NotTried) {
            Verdict::Done => done.push(item),
            Verdict::Ended => {}
            Verdict::Failed(error) => {
                queue.fail(item, &error, Some(shared.settings.backoff.after(item.attempts))).await?;
            }
            Verdict::Hopeless(error) => {
                queue.fail(item, &error, None).await?;
            }
            Verdict::NotTried => queue.give_back(&item.lease, &[item]).await?,
        }
    }
    if !done.is_empty() && !queue.end(crate::ports::database::On::Pool, &done, shared.settings.keep).await? {
        tracing::warn!(
            module.id = queue.module(),
            lane = shared.settings.name,
            "a lease was lost before its end was recorded; its work may be done again"
        );
    }
    Ok(())
}

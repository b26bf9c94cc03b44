//! A lock that is renewed while it is held.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use wharf_plugin_api::services::cache::{CacheRef, LockToken};
use wharf_plugin_api::{Fault, FaultCode};

use super::{Cache, millis};
use crate::bridge::core::Core;

/// First and longest pause of whoever waits for a lock.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));

/// A lock that is held: renewed in the background, given back when this is dropped.
///
/// A lock with a lease keeps out whoever asks for it; it cannot stop a holder that was paused past its lease. Where a late
/// write would do harm, send [`Lock::fence`] along and let the receiver refuse a lower one than it has seen.
#[must_use = "dropping it gives the lock back"]
pub struct Lock {
    held: Arc<Held>,
}

struct Held {
    service: CacheRef,
    name: String,
    token: LockToken,
    /// Until when the store keeps it for us; none: it is lost.
    until: watch::Sender<Option<Instant>>,
}

impl Cache {
    /// Takes a lock if nobody holds it. `lease` is how long others wait after this node died: 10 ms to a day, some seconds mostly.
    ///
    /// # Errors
    /// `unavailable` when the cache is away: without it nobody gets a lock. `undeclared` with `runtime = "none"` and no `runtime = 1`
    /// under `[services]`, since a lock is renewed by a task.
    pub async fn try_lock(&self, name: &str, lease: Duration) -> Result<Option<Lock>, Fault> {
        let core = self.core.upgrade().ok_or_else(ended)?;
        if !core.can_spawn() {
            return Err(needs_runtime());
        }
        let asked = Instant::now();
        let name = self.full(name).into_owned();
        let token = self.state.service.lock(name.as_str().into(), millis(Some(lease))).get().await?;
        Ok(token.into_option().map(|token| {
            let held = Arc::new(Held {
                service: self.state.service.clone(),
                name,
                token,
                until: watch::channel(Some(asked + lease)).0,
            });
            Core::spawn(&core, keep(Arc::downgrade(&core), Arc::downgrade(&held), lease));
            Lock { held }
        }))
    }

    /// Takes a lock, and waits for it so long.
    ///
    /// # Errors
    /// `busy` when somebody else held it all the time, and as [`Cache::try_lock`].
    pub async fn lock(&self, name: &str, lease: Duration, wait: Duration) -> Result<Lock, Fault> {
        let deadline = Instant::now() + wait;
        let mut pause = PAUSES.0;
        loop {
            if let Some(lock) = self.try_lock(name, lease).await? {
                return Ok(lock);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let message = format!("lock {name:?} was held by somebody else for {} ms", wait.as_millis());
                return Err(Fault::new(FaultCode::BUSY, message));
            }
            let core = self.core.upgrade().ok_or_else(ended)?;
            core.sleep(pause.min(left)).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }
}

impl Lock {
    /// Greater than that of every earlier holder: the fencing token. It grows over restarts of the store as long as clocks do.
    #[must_use]
    pub fn fence(&self) -> u64 {
        self.held.token.fence
    }

    /// Whether it is still held, as far as this node knows.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held.until.borrow().is_some_and(|until| until > Instant::now())
    }

    /// Ready when it was lost: the store went away for longer than the lease, or forgot it. Stop what was done under it.
    pub async fn lost(&self) {
        let mut until = self.held.until.subscribe();
        // The sender lives in `self`.
        drop(until.wait_for(Option::is_none).await);
    }

    /// Gives it back and waits for that; false when it was lost before.
    ///
    /// # Errors
    /// `unavailable` when the cache is away; its lease ends it.
    pub async fn release(self) -> Result<bool, Fault> {
        self.held
            .service
            .unlock(self.held.name.as_str().into(), self.held.token)
            .get()
            .await
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // After `release` this finds nothing.
        self.held.service.unlock_soon(self.held.name.as_str().into(), self.held.token);
    }
}

impl std::fmt::Debug for Lock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lock")
            .field("name", &self.held.name)
            .field("fence", &self.held.token.fence)
            .finish_non_exhaustive()
    }
}

/// Renews a lock three times in each lease, until it was given back or lost.
async fn keep(core: Weak<Core>, held: Weak<Held>, lease: Duration) {
    loop {
        let Some(core) = core.upgrade() else { return };
        core.sleep(lease / 3).await;
        drop(core);
        let Some(held) = held.upgrade() else { return };
        let asked = Instant::now();
        let renewed = held
            .service
            .renew(held.name.as_str().into(), held.token, millis(Some(lease)))
            .get()
            .await;
        let is_over = held.until.borrow().is_none_or(|until| until <= Instant::now());
        match renewed {
            Ok(true) => drop(held.until.send_replace(Some(asked + lease))),
            // The store may come back before the lease is over.
            Err(_) if !is_over => {}
            Ok(false) | Err(_) => {
                held.until.send_replace(None);
                tracing::warn!(lock = held.name, "a lock was lost while it was held");
                return;
            }
        }
    }
}

pub(super) fn needs_runtime() -> Fault {
    Fault::new(
        FaultCode::UNDECLARED,
        "locks with runtime = \"none\" need `runtime = 1` under [services] in wharf.toml: a task renews them",
    )
}

fn ended() -> Fault {
    Fault::new(FaultCode::STOPPED, "this instance was stopped")
}

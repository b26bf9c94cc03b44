//! What the host knows of one instance while it lives: who it is, what it counts, what went wrong with it.

mod rules;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::Notify;
use wharf_plugin_api::module::HealthState;

pub use rules::{Gate, Limits, Who};

use crate::domain::status::Message;
use crate::telemetry::ModuleLog;

const MESSAGES: usize = 32;

/// One instance, as the host sees it. Shared by its endpoint, its services, the watchdog and the supervisor.
#[derive(Debug)]
pub struct Standing {
    /// Who it is.
    pub who: Who,
    /// Its limits.
    pub limits: Limits,
    /// Calls that failed in it.
    pub errors: AtomicU64,
    /// Panics in it.
    pub panics: AtomicU64,
    /// Calls that came in, and calls that went: the difference is in flight. Two counters, so that a call adds to each once
    /// and its number comes for nothing.
    came: AtomicU64,
    went: AtomicU64,
    /// Calls that came and were not taken.
    refused: AtomicU64,
    threads: AtomicU32,
    gate: AtomicU32,
    retired: AtomicBool,
    stuck: AtomicBool,
    slow: AtomicBool,
    recent_panics: Mutex<VecDeque<Instant>>,
    waiting: Mutex<Vec<Waker>>,
    pending: Mutex<HashMap<u64, Waker>>,
    next_pending: AtomicU64,
    idle: Notify,
    alarm: Notify,
    messages: Mutex<VecDeque<Message>>,
    checks: Mutex<BTreeMap<String, (HealthState, String)>>,
    log: OnceLock<ModuleLog>,
}

/// A call in flight: counted from its start to the end of its response body.
#[derive(Debug)]
pub struct InFlight(Arc<Standing>);

impl Standing {
    /// A fresh one, with its gate open.
    #[must_use]
    pub fn new(who: Who, limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            who,
            limits,
            errors: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            came: AtomicU64::new(0),
            went: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            threads: AtomicU32::new(0),
            gate: AtomicU32::new(Gate::Open.code()),
            retired: AtomicBool::new(false),
            stuck: AtomicBool::new(false),
            slow: AtomicBool::new(false),
            recent_panics: Mutex::default(),
            waiting: Mutex::default(),
            pending: Mutex::default(),
            next_pending: AtomicU64::new(0),
            idle: Notify::new(),
            alarm: Notify::new(),
            messages: Mutex::default(),
            checks: Mutex::default(),
            log: OnceLock::new(),
        })
    }

    /// Says which host's stream its events go to. Only the first one counts.
    pub(crate) fn set_log(&self, log: ModuleLog) {
        let _ = self.log.set(log);
    }

    /// Where its events go.
    pub(crate) fn log(&self) -> Option<&ModuleLog> {
        self.log.get()
    }

    /// Whether it is an instance of code that is linked into the program.
    pub(crate) fn is_linked(&self) -> bool {
        self.who.generation == 0
    }

    /// The gate now.
    #[must_use]
    pub fn gate(&self) -> Gate {
        match self.gate.load(Ordering::SeqCst) {
            0 => Gate::Open,
            1 => Gate::Draining,
            2 => Gate::Cut,
            _ => Gate::Quarantined,
        }
    }

    /// Moves the gate and wakes whoever has to know.
    pub fn set_gate(&self, gate: Gate) {
        self.gate.store(gate.code(), Ordering::SeqCst);
        if gate != Gate::Open {
            self.wake_waiting();
            self.wake_pending();
            self.idle.notify_waiters();
        }
    }

    /// Counts a call in, if the gate is open and there is room. Whoever gets an `Ok` calls [`Standing::leave`] once.
    #[inline]
    pub(super) fn enter(&self) -> Result<(), Gate> {
        let before = self.came.fetch_add(1, Ordering::SeqCst);
        // Counted before the gate is read: whoever closes the gate and then reads the count misses no call.
        let is_open = self.gate.load(Ordering::SeqCst) == 0;
        if !is_open || before.saturating_sub(self.went.load(Ordering::Relaxed)) >= self.limits.in_flight {
            self.refused.fetch_add(1, Ordering::Relaxed);
            self.leave();
            return Err(self.gate());
        }
        Ok(())
    }

    #[inline]
    pub(super) fn leave(&self) {
        self.went.fetch_add(1, Ordering::SeqCst);
        if self.gate.load(Ordering::SeqCst) != 0 && self.in_flight() == 0 {
            self.idle.notify_waiters();
        }
    }

    /// Calls since it was made.
    #[must_use]
    pub fn calls(&self) -> u64 {
        let refused = self.refused.load(Ordering::Relaxed);
        self.came.load(Ordering::Relaxed).saturating_sub(refused)
    }

    /// Calls under way. Never too few: what went is read first.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        let went = self.went.load(Ordering::SeqCst);
        self.came.load(Ordering::SeqCst).saturating_sub(went)
    }

    /// Resolves when no call is under way. The gate must be closed.
    pub async fn idle(&self) {
        loop {
            let notified = self.idle.notified();
            if self.in_flight() == 0 {
                return;
            }
            notified.await;
        }
    }

    /// Takes a place for this thread inside the module; false when all are taken, and then `waker` is woken later.
    #[inline]
    pub(super) fn take_thread(&self, waker: Option<&Waker>) -> bool {
        if self.threads.fetch_add(1, Ordering::SeqCst) < self.limits.threads {
            return true;
        }
        self.wait_for_thread(waker)
    }

    #[cold]
    fn wait_for_thread(&self, waker: Option<&Waker>) -> bool {
        let Some(waker) = waker else { return true };
        lock(&self.waiting).push(waker.clone());
        // Whoever leaves now sees the waker, or has left before and there is a place.
        if self.threads.fetch_sub(1, Ordering::SeqCst) <= self.limits.threads {
            self.wake_waiting();
        }
        false
    }

    #[inline]
    pub(super) fn give_thread(&self) {
        if self.threads.fetch_sub(1, Ordering::SeqCst) >= self.limits.threads {
            self.wake_waiting();
        }
    }

    fn wake_waiting(&self) {
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        waiting.into_iter().for_each(Waker::wake);
    }

    fn wake_pending(&self) {
        let pending: Vec<Waker> = lock(&self.pending).values().cloned().collect();
        pending.into_iter().for_each(Waker::wake);
    }

    /// Whether the instance is over: its services answer `Stopped`.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    /// Ends all services of the instance.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    /// Counts a panic; too many in the window quarantine the module.
    pub fn panicked(&self, message: &str, place: &str) {
        self.panics.fetch_add(1, Ordering::Relaxed);
        self.message("error", format!("panicked at {place}: {message}"));
        let now = Instant::now();
        let mut recent = lock(&self.recent_panics);
        recent.push_back(now);
        while recent
            .front()
            .is_some_and(|first| now.duration_since(*first) > self.limits.panic_window)
        {
            recent.pop_front();
        }
        let many = recent.len() >= self.limits.panics;
        let count = recent.len();
        drop(recent);
        if many && self.gate() == Gate::Open {
            self.quarantine(format!(
                "{count} panics within {} s; mend the module and reload it, or enable it again",
                self.limits.panic_window.as_secs()
            ));
        }
    }

    /// A poll of it has gone on for `time`. Called by the watchdog every few milliseconds while it lasts.
    pub(super) fn polling_for(&self, time: Duration) {
        if time >= self.limits.stuck_poll && !self.stuck.swap(true, Ordering::Relaxed) {
            self.quarantine(format!(
                "a call blocks its thread for more than {} s without yielding; it cannot be ended, only kept from getting more",
                time.as_secs()
            ));
        } else if time >= self.limits.slow_poll && !self.slow.swap(true, Ordering::Relaxed) {
            self.message(
                "warn",
                format!(
                    "a poll took more than {} ms without yielding; use spawn_blocking or yield",
                    self.limits.slow_poll.as_millis()
                ),
            );
        }
    }

    /// The poll that was slow has ended.
    pub(super) fn polled(&self) {
        self.slow.store(false, Ordering::Relaxed);
    }

    /// Whether a thread of the host is stuck in it.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Relaxed)
    }

    fn quarantine(&self, why: String) {
        tracing::error!(
            module.id = self.who.module,
            module.instance = self.who.instance,
            reason = why,
            "module is quarantined"
        );
        self.message("error", format!("quarantined: {why}"));
        self.set_gate(Gate::Quarantined);
        self.alarm.notify_one();
    }

    /// Resolves when the instance was quarantined.
    pub async fn alarmed(&self) {
        self.alarm.notified().await;
    }

    /// Counts a call that was dropped at its deadline. One that was only slow is not worth a message each.
    #[cold]
    pub(super) fn late(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        const TEXT: &str = "a call did not answer within its deadline and was dropped";
        if lock(&self.messages).back().is_none_or(|last| last.text != TEXT) {
            self.message("warn", TEXT);
        }
    }

    /// Adds to the list of what happened; the oldest go.
    pub fn message(&self, level: &str, text: impl Into<String>) {
        let mut messages = lock(&self.messages);
        if messages.len() >= MESSAGES {
            messages.pop_front();
        }
        messages.push_back(Message {
            at: Timestamp::now(),
            level: level.to_owned(),
            text: text.into(),
        });
    }

    /// What happened, oldest first.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        lock(&self.messages).iter().cloned().collect()
    }

    /// Sets a named check.
    pub fn set_check(&self, name: &str, state: HealthState, detail: &str) {
        let mut checks = lock(&self.checks);
        if checks.len() < 64 || checks.contains_key(name) {
            checks.insert(name.to_owned(), (state, detail.to_owned()));
        }
    }

    /// The worst check.
    #[must_use]
    pub fn worst_check(&self) -> Option<(String, HealthState, String)> {
        lock(&self.checks)
            .iter()
            .max_by_key(|(_, (state, _))| state.0)
            .map(|(name, (state, detail))| (name.clone(), *state, detail.clone()))
    }
}

/// A pending call or stream that is woken when the gate moves.
#[derive(Debug, Default)]
pub(super) struct GateWatch {
    known: Option<(u64, Waker)>,
}

impl GateWatch {
    /// Called whenever the call is pending; takes a lock only when the task has changed.
    pub(super) fn pending(&mut self, standing: &Standing, waker: &Waker) {
        match &self.known {
            Some((_, known)) if known.will_wake(waker) => {}
            known => {
                let key = known
                    .as_ref()
                    .map_or_else(|| standing.next_pending.fetch_add(1, Ordering::Relaxed), |(key, _)| *key);
                lock(&standing.pending).insert(key, waker.clone());
                self.known = Some((key, waker.clone()));
            }
        }
    }

    /// Called when it has ended.
    pub(super) fn end(&mut self, standing: &Standing) {
        if let Some((key, _)) = self.known.take() {
            lock(&standing.pending).remove(&key);
        }
    }
}

impl InFlight {
    /// For a call that was counted already.
    pub(super) fn taken_over(standing: &Arc<Standing>) -> Self {
        Self(Arc::clone(standing))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.leave();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn standing(limits: Limits) -> Arc<Standing> {
        Standing::new(
            Who {
                module: "m".into(),
                version: "1.0.0".into(),
                generation: 1,
                instance: 1,
            },
            limits,
        )
    }

    #[tokio::test]
    async fn a_closed_gate_waits_for_calls_in_flight_and_takes_none() {
        let standing = standing(Limits::default());
        standing.enter().unwrap();
        standing.set_gate(Gate::Draining);
        assert_eq!(standing.enter().unwrap_err(), Gate::Draining);
        let waiting = tokio::spawn({
            let standing = standing.clone();
            async move { standing.idle().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        standing.leave();
        tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
    }

    #[test]
    fn too_many_panics_quarantine() {
        let standing = standing(Limits {
            panics: 3,
            ..Limits::default()
        });
        standing.panicked("a", "x.rs:1");
        standing.panicked("b", "x.rs:1");
        assert_eq!(standing.gate(), Gate::Open);
        standing.panicked("c", "x.rs:1");
        assert_eq!(standing.gate(), Gate::Quarantined);
        assert!(standing.messages().iter().any(|m| m.text.contains("quarantined: 3 panics")));
    }

    #[test]
    fn a_full_module_refuses_and_recovers() {
        let standing = standing(Limits {
            in_flight: 1,
            ..Limits::default()
        });
        standing.enter().unwrap();
        assert_eq!(standing.enter().unwrap_err(), Gate::Open);
        assert_eq!((standing.in_flight(), standing.calls()), (1, 1));
        drop(InFlight::taken_over(&standing));
        assert!(standing.enter().is_ok());
        assert_eq!((standing.in_flight(), standing.calls()), (1, 2));
    }
}

//! What all clients count together, and what counts as a failure.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

/// Failures that are kept in words; more are only counted.
const KEPT: usize = 20;

/// Who answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) version: String,
    pub(super) instance: u64,
    /// Bytes the module received.
    #[serde(default)]
    pub(super) bytes: u64,
}

/// Shared by all clients of one run.
#[derive(Debug)]
pub(super) struct Tally {
    requests: u64,
    started: AtomicU64,
    finished: AtomicU64,
    /// The number of finished requests that somebody waits for.
    awaited: AtomicU64,
    reached: Notify,
    /// Swaps that were asked for, and of these the ones that are over.
    swaps_begun: AtomicU64,
    swaps_over: AtomicU64,
    /// Requests go on until all swaps are over, however many were planned.
    is_over: AtomicBool,
    /// The instance that the last finished swap put in place: no request that starts now may be answered by an older one.
    floor: AtomicU64,
    lost_connections: AtomicU64,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    failures: Vec<String>,
    failed: u64,
    /// The version of each instance, as the host said.
    versions: BTreeMap<u64, String>,
    /// The version of each instance, as it said itself.
    seen: BTreeMap<u64, String>,
}

/// What was true when a request began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    /// Which request this is, from 0.
    pub(super) number: u64,
    floor: u64,
}

impl Tally {
    pub(super) fn new(requests: u64, instance: u64, version: &str) -> Self {
        let kept = Kept {
            versions: BTreeMap::from([(instance, version.to_owned())]),
            ..Kept::default()
        };
        Self {
            requests,
            started: AtomicU64::new(0),
            finished: AtomicU64::new(0),
            awaited: AtomicU64::new(u64::MAX),
            reached: Notify::new(),
            swaps_begun: AtomicU64::new(0),
            swaps_over: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            floor: AtomicU64::new(instance),
            lost_connections: AtomicU64::new(0),
            kept: Mutex::new(kept),
        }
    }

    /// Begins the next request, if there is one left or a swap to come.
    pub(super) fn begin(&self) -> Option<Start> {
        let number = self.started.fetch_add(1, Ordering::SeqCst);
        (number < self.requests || !self.is_over.load(Ordering::SeqCst)).then(|| Start {
            number,
            floor: self.floor.load(Ordering::SeqCst),
        })
    }

    /// Ends a request and judges its answer.
    pub(super) fn end(&self, start: Start, what: &str, outcome: anyhow::Result<Answer>) {
        match outcome {
            Err(error) => self.fail(format!("request {} ({what}): {error:#}", start.number)),
            Ok(answer) if answer.instance < start.floor => self.fail(format!(
                "request {} ({what}): found an old answer of instance {}, expected one of instance {} or later",
                start.number, answer.instance, start.floor
            )),
            Ok(answer) => self.see(&answer),
        }
        if self.finished.fetch_add(1, Ordering::SeqCst) + 1 == self.awaited.load(Ordering::SeqCst) {
            self.reached.notify_one();
        }
    }

    /// Waits until so many requests have ended.
    pub(super) async fn wait_until_finished(&self, count: u64) {
        self.awaited.store(count, Ordering::SeqCst);
        while self.finished.load(Ordering::SeqCst) < count {
            self.reached.notified().await;
        }
    }

    /// A swap is about to be asked for.
    pub(super) fn swap_begins(&self) {
        self.swaps_begun.fetch_add(1, Ordering::SeqCst);
    }

    /// There will be no more swaps.
    pub(super) fn swaps_are_over(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }

    /// Swaps that were asked for so far.
    pub(super) fn swaps_begun(&self) -> u64 {
        self.swaps_begun.load(Ordering::SeqCst)
    }

    /// Swaps that are over.
    pub(super) fn swaps_over(&self) -> u64 {
        self.swaps_over.load(Ordering::SeqCst)
    }

    /// The host says that a swap is over.
    pub(super) fn swapped(&self, instance: u64, version: &str) {
        self.kept().versions.insert(instance, version.to_owned());
        self.floor.fetch_max(instance, Ordering::SeqCst);
        self.swaps_over.fetch_add(1, Ordering::SeqCst);
    }

    /// A connection ended although nobody wanted it to.
    pub(super) fn lost_connection(&self, why: &str) {
        if self.lost_connections.fetch_add(1, Ordering::SeqCst) < 3 {
            self.fail(format!("the host closed a connection: {why}"));
        }
    }

    pub(super) fn lost_connections(&self) -> u64 {
        self.lost_connections.load(Ordering::SeqCst)
    }

    /// Something that must not happen.
    pub(super) fn fail(&self, what: String) {
        let mut kept = self.kept();
        kept.failed += 1;
        if kept.failures.len() < KEPT {
            kept.failures.push(what);
        }
    }

    /// Requests that have ended.
    pub(super) fn finished(&self) -> u64 {
        self.finished.load(Ordering::SeqCst)
    }

    /// How many failures, the first of them in words, and how many instances were seen.
    pub(super) fn verdict(&self) -> (u64, Vec<String>, usize) {
        let kept = self.kept();
        (kept.failed, kept.failures.clone(), kept.seen.len())
    }

    /// Compares what instances said with what the host said. An instance that only the folder's watcher made is not known
    /// to the host's answers; it still has to keep to one version.
    fn see(&self, answer: &Answer) {
        let mut kept = self.kept();
        let known = kept.versions.get(&answer.instance).or_else(|| kept.seen.get(&answer.instance));
        if let Some(known) = known
            && *known != answer.version
        {
            let what = format!("instance {} answered version {}, expected {known}", answer.instance, answer.version);
            drop(kept);
            return self.fail(what);
        }
        kept.seen.entry(answer.instance).or_insert_with(|| answer.version.clone());
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Where reports of failures go beside the log.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

/// A failure that a module reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorEvent {
    /// When.
    pub at: Timestamp,
    /// Node it was reported on.
    pub node: String,
    /// Module that reported it.
    pub module: String,
    /// Its version.
    pub version: String,
    /// Stable, dotted, for grouping.
    pub kind: String,
    /// What happened.
    pub message: String,
    /// Its causes, outermost first.
    pub chain: Vec<String>,
    /// How many equal reports came since the last one that was passed on, and were not.
    pub repeated: u64,
}

/// Somewhere reports go beside the log: a file, an error tracker.
pub trait ErrorSink: Send + Sync + 'static {
    /// Takes one. Never blocks.
    fn report(&self, event: &ErrorEvent);
}

/// Keeps reports in memory: for tests.
#[derive(Debug, Default)]
pub struct MemoryErrors(Mutex<Vec<ErrorEvent>>);

impl MemoryErrors {
    /// No reports yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// All so far.
    #[must_use]
    pub fn all(&self) -> Vec<ErrorEvent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ErrorSink for MemoryErrors {
    fn report(&self, event: &ErrorEvent) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
    }
}

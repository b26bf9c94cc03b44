//! Who an instance is, what it may do, and whether it takes calls.

use std::time::Duration;

/// When a module is kept from running.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// So many panics within `panic_window` quarantine it.
    pub panics: usize,
    /// See `panics`.
    pub panic_window: Duration,
    /// Calls that may be in flight at once.
    pub in_flight: u64,
    /// Threads of the host that may be inside the module at once, so that others go on when it blocks them.
    pub threads: u32,
    /// A poll that takes longer is noted.
    pub slow_poll: Duration,
    /// A poll that takes longer quarantines the module.
    pub stuck_poll: Duration,
    /// How long a transaction or stream may be open that was opened outside of a call.
    pub handle_age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            panics: 5,
            panic_window: Duration::from_secs(60),
            in_flight: 4096,
            threads: 2,
            slow_poll: Duration::from_millis(100),
            stuck_poll: Duration::from_secs(5),
            handle_age: Duration::from_secs(60),
        }
    }
}

/// Who an instance is.
#[derive(Clone, Debug)]
pub struct Who {
    /// Module id.
    pub module: String,
    /// Version from the manifest.
    pub version: String,
    /// Which loaded build.
    pub generation: u64,
    /// Which instance.
    pub instance: u64,
}

/// Whether an instance takes calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It does.
    Open,
    /// It finishes what it has.
    Draining,
    /// It is over: calls in flight end at their next poll.
    Cut,
    /// It is kept from running.
    Quarantined,
}

impl Gate {
    pub(super) const fn code(self) -> u32 {
        match self {
            Self::Open => 0,
            Self::Draining => 1,
            Self::Cut => 2,
            Self::Quarantined => 3,
        }
    }
}

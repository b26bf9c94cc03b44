//! The outside systems behind the core services, chosen in the program's wiring.

use std::sync::Arc;

use crate::blobs::BlobStore;
use crate::infra::database::SqliteSpaces;
use crate::ports::cache::{CacheStore, MemoryCache};
use crate::ports::clock::{Clock, SystemClock};
use crate::ports::database::Databases;
use crate::ports::mail::{Mailer, MemoryMailer};
use crate::ports::rate::{MemoryRates, RateStore};
use crate::ports::secrets::Secrets;
use crate::ports::signals::{MemorySignals, Signals};

/// The outside systems behind the core services.
#[derive(Clone)]
pub struct Backends {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What all nodes must know within a second.
    pub signals: Arc<dyn Signals>,
    /// Blobs of modules.
    pub blobs: BlobStore,
    /// Sends mail.
    pub mailer: Arc<dyn Mailer>,
    /// Values that may be lost, counters and locks.
    pub cache: Arc<dyn CacheStore>,
    /// Counts calls.
    pub rates: Arc<dyn RateStore>,
    /// Limits of the cache that hold for every adapter.
    pub cache_limits: CacheLimits,
    /// Where secrets of modules come from.
    pub secrets: Secrets,
    /// Database spaces of modules.
    pub databases: Arc<dyn Databases>,
}

/// Limits of the cache that hold for every adapter.
#[derive(Clone, Copy, Debug)]
pub struct CacheLimits {
    /// Longest value.
    pub max_value_bytes: usize,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self { max_value_bytes: 8 << 20 }
    }
}

/// What a module may keep in a cache in memory, unless configuration says otherwise.
const CACHE_BYTES: u64 = 64 << 20;

impl Backends {
    /// Each in its in-memory form: for tests, and for programs that want nothing kept.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::in_memory_at(Arc::new(SystemClock))
    }

    /// The same, with a clock: whatever expires does so by it.
    #[must_use]
    pub fn in_memory_at(clock: Arc<dyn Clock>) -> Self {
        Self {
            signals: Arc::new(MemorySignals::new()),
            databases: Arc::new(SqliteSpaces::in_memory()),
            blobs: BlobStore::in_memory(),
            mailer: Arc::new(MemoryMailer::new()),
            cache: Arc::new(MemoryCache::new(clock.clone(), CACHE_BYTES)),
            rates: Arc::new(MemoryRates::new()),
            cache_limits: CacheLimits::default(),
            secrets: Secrets::default(),
            clock,
        }
    }
}

impl std::fmt::Debug for Backends {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Backends")
    }
}

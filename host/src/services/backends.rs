//! The outside systems behind the core services, chosen in the program's wiring.

use std::sync::Arc;

use crate::blobs::BlobStore;
use crate::infra::database::SqliteSpaces;
use crate::ports::clock::{Clock, SystemClock};
use crate::ports::database::Databases;
use crate::ports::signals::{MemorySignals, Signals};

/// The outside systems behind the core services.
#[derive(Clone)]
pub struct Backends {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What all nodes must know within a second.
    pub signals: Arc<dyn Signals>,
    /// Database spaces of modules.
    pub databases: Arc<dyn Databases>,
    /// Blobs of modules.
    pub blobs: BlobStore,
}

impl Backends {
    /// Each in its in-memory form: for tests, and for programs that want nothing kept.
    #[must_use]
    pub fn in_memory() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            signals: Arc::new(MemorySignals::new()),
            databases: Arc::new(SqliteSpaces::in_memory()),
            blobs: BlobStore::in_memory(),
        }
    }
}

impl std::fmt::Debug for Backends {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Backends")
    }
}

//! What the host adds to a store of blobs: limits and quotas a module, and signed addresses where the store has none.

mod address;
mod quota;
mod serve;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::ports::blobs::{Access, BlobError, Blobs, Key, MemoryBlobs};

pub use address::AddressSigner;
pub use quota::{QuotaBlobs, Quotas, count};
pub use serve::SignedBlobs;

/// How long a signed address may be good, as in the S3 API.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Blobs as modules get them.
#[derive(Clone)]
pub struct BlobStore {
    /// Where they are.
    pub port: Arc<dyn Blobs>,
    /// Signs addresses on the public listener.
    pub signer: Arc<AddressSigner>,
    /// Largest blob.
    pub max_size: u64,
    /// The same for single modules, by id.
    pub max_size_of: BTreeMap<String, u64>,
    /// What knows how much modules have; the same as `port` then. None where nobody has a quota.
    pub quotas: Option<Arc<QuotaBlobs>>,
}

impl BlobStore {
    /// In memory, with addresses that are good until the process ends.
    #[must_use]
    pub fn in_memory() -> Self {
        Self {
            port: Arc::new(MemoryBlobs::new()),
            signer: Arc::new(AddressSigner::with_random_key("http://127.0.0.1:8080")),
            max_size: 1024 * 1024 * 1024,
            max_size_of: BTreeMap::new(),
            quotas: None,
        }
    }

    /// Holds modules to what their blobs may be together.
    #[must_use]
    pub fn with_quotas(mut self, quotas: Quotas) -> Self {
        if quotas.all > 0 || !quotas.of.is_empty() {
            let held = Arc::new(QuotaBlobs::new(self.port, quotas));
            self.port = held.clone();
            self.quotas = Some(held);
        }
        self
    }

    /// The largest blob of a module.
    #[must_use]
    pub fn limit(&self, module: &str) -> u64 {
        self.max_size_of.get(module).copied().unwrap_or(self.max_size)
    }

    /// What all blobs of a module may be together; none: as much as there is room.
    #[must_use]
    pub fn quota(&self, module: &str) -> Option<u64> {
        self.quotas.as_ref().and_then(|quotas| quotas.quotas().quota(module))
    }

    /// Whether somebody has thought of this module.
    #[must_use]
    pub fn has_quota_of_its_own(&self, module: &str) -> bool {
        self.quotas.as_ref().is_some_and(|quotas| quotas.quotas().of.contains_key(module))
    }

    /// An address where anybody may do this for a time.
    ///
    /// # Errors
    /// [`BlobError::Invalid`] for a time of nothing or more than a week, or what the store says.
    pub async fn address(&self, module: &str, key: &Key, access: Access, time: Duration) -> Result<String, BlobError> {
        if time.is_zero() || time > LONGEST {
            return Err(BlobError::Invalid(format!("found {} s, expected 1 s to 7 days", time.as_secs())));
        }
        match self.port.presign(module, key, access, time).await? {
            Some(address) => Ok(address),
            None => Ok(self.signer.sign(module, key, access, time)),
        }
    }
}

impl fmt::Debug for BlobStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobStore")
            .field("port", &self.port)
            .field("max_size", &self.max_size)
            .finish_non_exhaustive()
    }
}

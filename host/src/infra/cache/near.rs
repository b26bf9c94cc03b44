//! What was read from Redis, kept in this process until Redis says that it changed.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use moka::Expiry;
use moka::sync::Cache;

/// Counters of changes: a key shares one with others, so that a change may be seen where there was none, never the reverse.
const SHARDS: usize = 1_024;

/// Values by their whole key in Redis.
pub(super) struct Near {
    values: Cache<String, Kept>,
    /// How often something changed, by shard of the key.
    changes: Vec<AtomicU64>,
    hasher: RandomState,
}

#[derive(Clone)]
struct Kept {
    bytes: Bytes,
    ttl: Option<Duration>,
}

/// What was known when a read began: if anything changed until its answer came, the answer is not kept.
#[derive(Clone, Copy)]
pub(super) struct Before(u64);

struct Lifetimes;

impl Expiry<String, Kept> for Lifetimes {
    fn expire_after_create(&self, _: &String, kept: &Kept, _: Instant) -> Option<Duration> {
        kept.ttl
    }

    fn expire_after_update(&self, _: &String, kept: &Kept, _: Instant, _: Option<Duration>) -> Option<Duration> {
        kept.ttl
    }
}

impl Near {
    pub(super) fn new(bytes: u64) -> Self {
        Self {
            values: Cache::builder()
                .max_capacity(bytes)
                .weigher(|key: &String, kept: &Kept| u32::try_from(key.len() + kept.bytes.len() + 128).unwrap_or(u32::MAX))
                .expire_after(Lifetimes)
                .build(),
            changes: (0..SHARDS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<Bytes> {
        self.values.get(key).map(|kept| kept.bytes)
    }

    pub(super) fn before(&self, key: &str) -> Before {
        Before(self.shard(key).map_or(0, |shard| shard.load(Ordering::SeqCst)))
    }

    /// Keeps what a read gave, unless something changed since it began.
    pub(super) fn keep(&self, key: &str, bytes: Bytes, ttl: Option<Duration>, before: Before) {
        if self.before(key).0 != before.0 {
            return;
        }
        self.values.insert(key.to_owned(), Kept { bytes, ttl });
        // A change that came between the two lines above found nothing to remove.
        if self.before(key).0 != before.0 {
            self.values.invalidate(key);
        }
    }

    /// A value changed, here or elsewhere.
    pub(super) fn changed(&self, key: &str) {
        if let Some(shard) = self.shard(key) {
            shard.fetch_add(1, Ordering::SeqCst);
        }
        self.values.invalidate(key);
    }

    /// Anything may have changed.
    pub(super) fn flush(&self) {
        for shard in &self.changes {
            shard.fetch_add(1, Ordering::SeqCst);
        }
        self.values.invalidate_all();
    }

    fn shard(&self, key: &str) -> Option<&AtomicU64> {
        let hash = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0);
        self.changes.get(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_was_overtaken_by_a_change_is_not_kept() {
        let near = Near::new(1 << 20);
        let before = near.before("a");
        near.keep("a", Bytes::from_static(b"1"), None, before);
        assert_eq!(near.get("a").as_deref(), Some(&b"1"[..]));
        let before = near.before("a");
        near.changed("a");
        near.keep("a", Bytes::from_static(b"old"), None, before);
        assert_eq!(near.get("a"), None);
        let before = near.before("b");
        near.flush();
        near.keep("b", Bytes::from_static(b"old"), None, before);
        assert_eq!(near.get("b"), None);
    }
}

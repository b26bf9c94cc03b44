//! The cache in this process: what a host has that is told of no other, and what tests use.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use moka::Expiry;
use moka::ops::compute::{CompResult, Op};
use moka::sync::Cache;

use super::lock::{Locks, after};
use super::{CacheError, CacheSpace, CacheStore, LONGEST_TTL, Left, Reply, Space, Token};
use crate::ports::clock::Clock;

/// What an entry costs beside key and value.
const OVERHEAD: usize = 128;

/// Keeps values in this process, up to so many bytes a module; what was used least goes first.
pub struct MemoryCache {
    clock: Arc<dyn Clock>,
    bytes_per_module: u64,
    modules: Mutex<HashMap<String, Module>>,
}

/// What one module has.
struct Module {
    version: u32,
    values: Cache<String, Entry>,
    locks: Arc<Locks>,
}

struct MemorySpace {
    clock: Arc<dyn Clock>,
    values: Cache<String, Entry>,
    locks: Arc<Locks>,
}

#[derive(Clone)]
struct Entry {
    bytes: Bytes,
    /// By the host's clock, which tests may move; none: it does not expire.
    until: Option<Timestamp>,
    /// The same when it was written, so that moka frees the memory.
    ttl: Option<Duration>,
}

/// Tells moka how long an entry stays.
struct Lifetimes;

impl MemoryCache {
    /// An empty one.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, bytes_per_module: u64) -> Self {
        Self {
            clock,
            bytes_per_module,
            modules: Mutex::default(),
        }
    }

    fn values(&self) -> Cache<String, Entry> {
        Cache::builder()
            .max_capacity(self.bytes_per_module)
            .weigher(|key: &String, entry: &Entry| u32::try_from(key.len() + entry.bytes.len() + OVERHEAD).unwrap_or(u32::MAX))
            .expire_after(Lifetimes)
            .build()
    }
}

impl CacheStore for MemoryCache {
    fn space(&self, space: &Space) -> Arc<dyn CacheSpace> {
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        let module = modules.entry(space.module.clone()).or_insert_with(|| Module {
            version: space.version,
            values: self.values(),
            locks: Arc::new(Locks::new(self.clock.clone())),
        });
        if module.version != space.version {
            // The values of the other version stay with its instances and go with the last of them.
            module.version = space.version;
            module.values = self.values();
        }
        Arc::new(MemorySpace {
            clock: self.clock.clone(),
            values: module.values.clone(),
            locks: module.locks.clone(),
        })
    }
}

impl Expiry<String, Entry> for Lifetimes {
    fn expire_after_create(&self, _: &String, entry: &Entry, _: Instant) -> Option<Duration> {
        entry.ttl
    }

    fn expire_after_update(&self, _: &String, entry: &Entry, _: Instant, _: Option<Duration>) -> Option<Duration> {
        entry.ttl
    }
}

impl MemorySpace {
    fn entry(&self, bytes: Bytes, ttl: Option<Duration>) -> Entry {
        let ttl = ttl.map(|ttl| ttl.min(LONGEST_TTL));
        Entry {
            bytes,
            until: ttl.map(|ttl| after(self.clock.now(), ttl)),
            ttl,
        }
    }

    fn is_alive(&self, entry: &Entry) -> bool {
        entry.until.is_none_or(|until| until > self.clock.now())
    }

    fn read(&self, key: &str) -> Option<Entry> {
        self.values.get(key).filter(|entry| self.is_alive(entry))
    }

    /// Changes what is under a key while nobody else can. `change` sees only what has not expired.
    fn change(&self, key: &str, change: impl FnOnce(Option<Entry>) -> Op<Entry>) -> CompResult<String, Entry> {
        self.values.entry_by_ref(key).and_compute_with(|found| {
            let found = found.map(moka::Entry::into_value).filter(|entry| self.is_alive(entry));
            change(found)
        })
    }
}

impl CacheSpace for MemorySpace {
    fn get(&self, key: &str) -> Reply<Option<Bytes>> {
        Reply::Now(Ok(self.read(key).map(|entry| entry.bytes)))
    }

    fn set(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Reply<()> {
        self.values.insert(key.to_owned(), self.entry(value, ttl));
        Reply::Now(Ok(()))
    }

    fn delete(&self, key: &str) -> Reply<bool> {
        let removed = self.values.remove(key);
        Reply::Now(Ok(removed.is_some_and(|entry| self.is_alive(&entry))))
    }

    fn get_many(&self, keys: &[&str]) -> Reply<Vec<Option<Bytes>>> {
        Reply::Now(Ok(keys.iter().map(|key| self.read(key).map(|entry| entry.bytes)).collect()))
    }

    fn set_many(&self, entries: Vec<(String, Bytes)>, ttl: Option<Duration>) -> Reply<()> {
        for (key, value) in entries {
            self.values.insert(key, self.entry(value, ttl));
        }
        Reply::Now(Ok(()))
    }

    fn delete_many(&self, keys: &[&str]) -> Reply<u64> {
        let there = keys
            .iter()
            .filter_map(|key| self.values.remove(*key))
            .filter(|entry| self.is_alive(entry));
        Reply::Now(Ok(there.count() as u64))
    }

    fn increment(&self, key: &str, by: i64, ttl: Option<Duration>) -> Reply<i64> {
        let mut outcome = Err(CacheError::NotANumber);
        self.change(key, |found| {
            let before = match &found {
                None => Some(0),
                Some(entry) => std::str::from_utf8(&entry.bytes).ok().and_then(|digits| digits.parse::<i64>().ok()),
            };
            let Some(after) = before.and_then(|before| before.checked_add(by)) else {
                return Op::Nop;
            };
            outcome = Ok(after);
            let bytes = Bytes::from(after.to_string());
            Op::Put(match found {
                None => self.entry(bytes, ttl),
                Some(entry) => Entry {
                    bytes,
                    ttl: entry.until.map(|until| left(until, self.clock.now())),
                    ..entry
                },
            })
        });
        Reply::Now(outcome)
    }

    fn compare_and_set(&self, key: &str, expected: Option<Bytes>, new: Option<Bytes>, ttl: Option<Duration>) -> Reply<bool> {
        let mut is_replaced = false;
        self.change(key, |found| {
            is_replaced = found.as_ref().map(|entry| &entry.bytes) == expected.as_ref();
            match new {
                _ if !is_replaced => Op::Nop,
                Some(new) => Op::Put(self.entry(new, ttl)),
                None => Op::Remove,
            }
        });
        Reply::Now(Ok(is_replaced))
    }

    fn touch(&self, key: &str, ttl: Option<Duration>) -> Reply<bool> {
        let mut is_there = false;
        self.change(key, |found| {
            is_there = found.is_some();
            found.map_or(Op::Nop, |entry| Op::Put(self.entry(entry.bytes, ttl)))
        });
        Reply::Now(Ok(is_there))
    }

    fn ttl(&self, key: &str) -> Reply<Left> {
        Reply::Now(Ok(match self.read(key) {
            None => Left::Missing,
            Some(Entry { until: None, .. }) => Left::Forever,
            Some(Entry { until: Some(until), .. }) => Left::Time(left(until, self.clock.now())),
        }))
    }

    fn clear(&self, prefix: &str) -> Reply<u64> {
        let keys: Vec<Arc<String>> = self
            .values
            .iter()
            .map(|(key, _)| key)
            .filter(|key| key.starts_with(prefix))
            .collect();
        let there = keys
            .iter()
            .filter_map(|key| self.values.remove(&**key))
            .filter(|entry| self.is_alive(entry));
        Reply::Now(Ok(there.count() as u64))
    }

    fn lock(&self, name: &str, lease: Duration) -> Reply<Option<Token>> {
        Reply::Now(Ok(self.locks.take(name, lease)))
    }

    fn renew(&self, name: &str, token: Token, lease: Duration) -> Reply<bool> {
        Reply::Now(Ok(self.locks.renew(name, token, lease)))
    }

    fn unlock(&self, name: &str, token: Token) -> Reply<bool> {
        Reply::Now(Ok(self.locks.give_back(name, token)))
    }
}

impl fmt::Debug for MemoryCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCache")
            .field("bytes_per_module", &self.bytes_per_module)
            .finish_non_exhaustive()
    }
}

fn left(until: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(now)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::contract;
    use super::*;
    use crate::ports::clock::{MovableClock, SystemClock};

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn memory_keeps_the_contract() {
        let cache = MemoryCache::new(Arc::new(SystemClock), 64 << 20);
        contract::check(&cache, async |time| tokio::time::sleep(time).await).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn memory_keeps_the_contract_when_time_is_moved() {
        let clock = Arc::new(MovableClock::default());
        let cache = MemoryCache::new(clock.clone(), 64 << 20);
        contract::check(&cache, async |time| clock.advance(time)).await;
    }

    #[tokio::test]
    async fn a_module_keeps_no_more_than_its_share_and_takes_nothing_of_others() {
        let cache = MemoryCache::new(Arc::new(SystemClock), 1 << 20);
        let space = |module: &str| {
            cache.space(&Space {
                module: module.to_owned(),
                version: 1,
            })
        };
        let (greedy, modest) = (space("greedy"), space("modest"));
        modest.set("a", Bytes::from_static(b"1"), None).await.unwrap();
        for n in 0..4_096 {
            greedy.set(&format!("{n}"), Bytes::from(vec![0; 1_024]), None).await.unwrap();
        }
        let values = cache.modules.lock().unwrap().get("greedy").unwrap().values.clone();
        values.run_pending_tasks();
        assert!(values.weighted_size() <= 1 << 20, "{}", values.weighted_size());
        assert!(values.entry_count() > 100);
        assert!(modest.get("a").await.unwrap().is_some());
    }

    #[tokio::test]
    async fn values_stay_when_another_instance_of_the_same_version_comes() {
        let cache = MemoryCache::new(Arc::new(SystemClock), 1 << 20);
        let space = Space {
            module: "blog".to_owned(),
            version: 1,
        };
        cache.space(&space).set("a", Bytes::from_static(b"1"), None).await.unwrap();
        assert!(cache.space(&space).get("a").await.unwrap().is_some());
        let newer = Space {
            version: 2,
            ..space.clone()
        };
        assert!(cache.space(&newer).get("a").await.unwrap().is_none());
        assert!(
            cache.space(&space).get("a").await.unwrap().is_none(),
            "a version that was left is forgotten"
        );
    }
}

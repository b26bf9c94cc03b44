//! Values that may be lost and recomputed, counters, and locks with a lease.
//!
//! Each module has a [`CacheSpace`] of its own. An operation answers at once where it can ([`Reply::Now`]), so that a cache in
//! this process costs no task and no allocation.

mod lock;
mod memory;
mod reply;

#[cfg(test)]
pub(crate) mod contract;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use lock::new_owner;
pub use memory::MemoryCache;
pub use reply::Reply;

/// Longest time to live; longer ones are cut to it.
pub const LONGEST_TTL: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Why the cache did not do what was asked. A read never fails because the cache is away: it is a miss.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The server does not answer, or has not since a moment ago.
    #[error("the cache cannot be reached now: {0}")]
    Unavailable(String),
    /// A counter that is none.
    #[error("found a value that is no 64-bit number or would not be one, expected what `increment` made")]
    NotANumber,
    /// The server answered with something else.
    #[error("the cache refused: {0}")]
    Refused(String),
}

/// Whose keys these are. All keys of a space have its prefix, and nothing outside a space can name them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Space {
    /// Module id.
    pub module: String,
    /// `[cache] version` of its manifest: a build that writes values another build cannot read raises it.
    pub version: u32,
}

/// How long a value stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// There is no such value.
    Missing,
    /// Until it is deleted or evicted.
    Forever,
    /// So long.
    Time(Duration),
}

/// What proves that a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Tells this holder from every other.
    pub owner: u64,
    /// Greater than that of every earlier holder of the lock. Whoever writes under the lock sends it along, and the receiver refuses a
    /// lower one than it has seen: a holder that slept past its lease does no harm then.
    pub fence: u64,
}

/// A cache of this host.
pub trait CacheStore: Send + Sync + fmt::Debug + 'static {
    /// The keys of one module. The same space gives the same keys, also to a later instance.
    fn space(&self, space: &Space) -> Arc<dyn CacheSpace>;
}

/// The keys of one module. Values are bytes; a counter is its decimal digits. Futures do not borrow; dropping one may leave
/// the operation done or undone.
pub trait CacheSpace: Send + Sync + 'static {
    /// A value; none when there is none, it has expired, or the cache is away.
    fn get(&self, key: &str) -> Reply<Option<Bytes>>;
    /// Keeps a value, for this time or until it is evicted.
    fn set(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Reply<()>;
    /// Deletes a value; whether there was one.
    fn delete(&self, key: &str) -> Reply<bool>;
    /// Values in the order of the keys.
    fn get_many(&self, keys: &[&str]) -> Reply<Vec<Option<Bytes>>>;
    /// Keeps several values; one after the other, so that others may see some of them before the rest.
    fn set_many(&self, entries: Vec<(String, Bytes)>, ttl: Option<Duration>) -> Reply<()>;
    /// Deletes several; how many there were.
    fn delete_many(&self, keys: &[&str]) -> Reply<u64>;
    /// Adds to a counter, which begins at 0, and returns it. `ttl` counts from its first increment.
    fn increment(&self, key: &str, by: i64, ttl: Option<Duration>) -> Reply<i64>;
    /// Replaces a value (or nothing, if `expected` is none) by another one (or nothing), if it is still what is expected.
    fn compare_and_set(&self, key: &str, expected: Option<Bytes>, new: Option<Bytes>, ttl: Option<Duration>) -> Reply<bool>;
    /// Lets a value stay for this time from now on, or until it is evicted; whether there is one.
    fn touch(&self, key: &str, ttl: Option<Duration>) -> Reply<bool>;
    /// How long a value stays.
    fn ttl(&self, key: &str) -> Reply<Left>;
    /// Deletes every value whose key begins with `prefix`; how many. What others write meanwhile may stay.
    fn clear(&self, prefix: &str) -> Reply<u64>;
    /// Takes a lock for this time; none when somebody else holds it. Locks are no values: they are never evicted, and all
    /// versions of a module share them.
    fn lock(&self, name: &str, lease: Duration) -> Reply<Option<Token>>;
    /// Holds a lock for this time from now on; false when it is not held by this token any more.
    fn renew(&self, name: &str, token: Token, lease: Duration) -> Reply<bool>;
    /// Gives a lock back; false when it was not held by this token any more.
    fn unlock(&self, name: &str, token: Token) -> Reply<bool>;
}

impl Space {
    /// What every value's key begins with, below the prefix of the installation. The braces keep the keys of a module on one
    /// node of a Redis cluster. The tenant will stand behind the version.
    #[must_use]
    pub fn values(&self) -> String {
        format!("{{{}}}:v{}:", self.module, self.version)
    }

    /// What the key of every lock begins with.
    #[must_use]
    pub fn locks(&self) -> String {
        format!("{{{}}}:lock:", self.module)
    }
}

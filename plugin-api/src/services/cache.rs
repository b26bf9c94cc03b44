//! `cache`: values that may be lost and recomputed, counters, and locks with a lease.
//!
//! A key is 1 to 512 bytes of text. Keys of one module are apart from those of every other one, and from those of builds whose
//! manifest says another `[cache] version`. Every answer may be there at once ([`Answer::Ready`]) or come later; dropping a
//! future that came may leave the operation done or undone. A time to live is in milliseconds, [`NO_TTL`] for none.
//!
//! Faults: `INVALID` for a key, value or number that is not acceptable, `UNAVAILABLE` when the server behind the cache does
//! not answer (a read answers "nothing there" instead), `STOPPED` after the end of the instance.

use abi_stable::StableAbi;
use abi_stable::sabi_trait;
use abi_stable::std_types::{RArc, ROption, RSlice, RStr, RVec};

use crate::bytes::FfiBytes;
use crate::future::Answer;

/// A value that stays until it is deleted or evicted.
pub const NO_TTL: u64 = u64::MAX;
/// What [`Cache::ttl`] says of a value that is not there.
pub const MISSING: i64 = -2;
/// What [`Cache::ttl`] says of a value that does not expire.
pub const FOREVER: i64 = -1;

/// A key and its value, lent.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Key.
    pub key: RStr<'a>,
    /// Value.
    pub value: RSlice<'a, u8>,
}

/// What proves that a lock is held.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockToken {
    /// Tells this holder from every other.
    pub owner: u64,
    /// Greater than that of every earlier holder.
    pub fence: u64,
}

/// The service.
#[sabi_trait]
pub trait Cache: Send + Sync + Clone + 'static {
    /// A value; none when there is none or the cache is away. The receiver owns the bytes.
    fn get(&self, key: RStr<'_>) -> Answer<ROption<FfiBytes>>;

    /// Keeps a value; the host copies it.
    fn set(&self, key: RStr<'_>, value: RSlice<'_, u8>, ttl_ms: u64) -> Answer<()>;

    /// Deletes a value; whether there was one.
    fn delete(&self, key: RStr<'_>) -> Answer<bool>;

    /// Values in the order of the keys.
    fn get_many(&self, keys: RSlice<'_, RStr<'_>>) -> Answer<RVec<ROption<FfiBytes>>>;

    /// Keeps several values, not all at one moment.
    fn set_many(&self, entries: RSlice<'_, Entry<'_>>, ttl_ms: u64) -> Answer<()>;

    /// Deletes several; how many there were.
    fn delete_many(&self, keys: RSlice<'_, RStr<'_>>) -> Answer<u64>;

    /// Adds to a counter that begins at 0, and returns it. The time to live counts from its first increment.
    fn increment(&self, key: RStr<'_>, by: i64, ttl_ms: u64) -> Answer<i64>;

    /// Replaces a value by another one, if it is still the expected one; nothing stands for no value on both sides.
    fn compare_and_set(&self, key: RStr<'_>, expected: ROption<RSlice<'_, u8>>, new: ROption<RSlice<'_, u8>>, ttl_ms: u64) -> Answer<bool>;

    /// Sets how long a value stays from now on; whether there is one.
    fn touch(&self, key: RStr<'_>, ttl_ms: u64) -> Answer<bool>;

    /// Milliseconds a value stays, [`MISSING`] or [`FOREVER`].
    fn ttl(&self, key: RStr<'_>) -> Answer<i64>;

    /// Deletes all values whose key begins with `prefix`, which may be empty; how many.
    fn clear(&self, prefix: RStr<'_>) -> Answer<u64>;

    /// Takes a lock; none when somebody else holds it.
    fn lock(&self, name: RStr<'_>, lease_ms: u64) -> Answer<ROption<LockToken>>;

    /// Holds a lock for this time from now on; false when the token does not hold it any more.
    fn renew(&self, name: RStr<'_>, token: LockToken, lease_ms: u64) -> Answer<bool>;

    /// Gives a lock back; false when the token did not hold it any more.
    fn unlock(&self, name: RStr<'_>, token: LockToken) -> Answer<bool>;

    /// The same for whoever cannot wait, also after the end of the instance. A failure is not told: the lease ends the lock.
    #[sabi(last_prefix_field)]
    fn unlock_soon(&self, name: RStr<'_>, token: LockToken);
}

/// The service object.
pub type CacheRef = Cache_TO<RArc<()>>;

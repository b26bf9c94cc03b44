//! Values that may be lost and recomputed, counters, and locks.

mod flight;
mod load;
mod lock;

use std::borrow::Cow;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wharf_plugin_api::abi_stable::std_types::{ROption, RSlice, RStr};
use wharf_plugin_api::services::cache::{CacheRef, Entry, FOREVER, MISSING, NO_TTL};
use wharf_plugin_api::{Fault, FaultCode};

use crate::bridge::core::Core;
use flight::Flights;

pub use load::{Load, LoadError};
pub use lock::Lock;

/// The module's own keys in the host's cache: in its process, or in Redis for all nodes.
///
/// Values are kept as JSON (`get`, `set`) or as bytes (`get_bytes`, `set_bytes`). Whatever is in here may be gone at any moment;
/// with a cache that cannot be reached every read finds nothing, and every write fails with `unavailable` after a moment.
#[derive(Clone)]
pub struct Cache {
    state: CacheState,
    core: Weak<Core>,
    /// What every key begins with; see [`Tenant::cache`](crate::Tenant::cache).
    space: Option<Arc<str>>,
}

/// What all handles of an instance share.
#[derive(Clone)]
pub(crate) struct CacheState {
    service: CacheRef,
    flights: Arc<Flights>,
}

/// How long a value stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// Until it is deleted or evicted.
    Forever,
    /// So long.
    Left(Duration),
}

impl Cache {
    pub(crate) fn open(core: &Arc<Core>) -> Result<Self, Fault> {
        let state = match core.cache.get() {
            Some(state) => state.clone(),
            None => {
                let state = CacheState {
                    service: core.import()?,
                    flights: Arc::default(),
                };
                // Of two that come at once the first is kept.
                core.cache.get_or_init(|| state).clone()
            }
        };
        Ok(Self {
            state,
            core: Arc::downgrade(core),
            space: None,
        })
    }

    /// The same cache, with keys that are apart from all others.
    pub(crate) fn within(&self, space: &str) -> Self {
        Self {
            space: Some(space.into()),
            ..self.clone()
        }
    }

    /// The key as the host knows it.
    fn full<'a>(&self, key: &'a str) -> Cow<'a, str> {
        match &self.space {
            Some(space) => Cow::Owned(format!("{space}{key}")),
            None => Cow::Borrowed(key),
        }
    }

    /// A value; none when there is none, it has expired, it was `null`, or the cache is away.
    ///
    /// # Errors
    /// `invalid` when what is there is no `T`: another build wrote it. Raise `[cache] version` in `wharf.toml` with such a change.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Fault> {
        match self.get_bytes(key).await? {
            Some(bytes) => decode(key, &bytes),
            None => Ok(None),
        }
    }

    /// Keeps a value for a time, or with `None` until it is evicted.
    ///
    /// # Errors
    /// `invalid` for a key or value that is too long or cannot be written as JSON, `unavailable` when the cache is away.
    pub async fn set<T: Serialize + ?Sized>(&self, key: &str, value: &T, ttl: impl Into<Option<Duration>>) -> Result<(), Fault> {
        self.set_bytes(key, &encode(value)?, ttl).await
    }

    /// As [`Cache::get`], without a form: the bytes.
    ///
    /// # Errors
    /// `invalid` for a key that is empty or longer than 512 bytes.
    pub async fn get_bytes(&self, key: &str) -> Result<Option<Bytes>, Fault> {
        let found = self.state.service.get(self.full(key).as_ref().into()).get().await?;
        Ok(found.into_option().map(wharf_bridge::bytes::receive))
    }

    /// As [`Cache::set`], without a form: the bytes.
    ///
    /// # Errors
    /// As [`Cache::set`].
    pub async fn set_bytes(&self, key: &str, value: &[u8], ttl: impl Into<Option<Duration>>) -> Result<(), Fault> {
        self.state
            .service
            .set(self.full(key).as_ref().into(), value.into(), millis(ttl.into()))
            .get()
            .await
    }

    /// Deletes a value; whether there was one.
    ///
    /// # Errors
    /// `unavailable` when the cache is away.
    pub async fn delete(&self, key: &str) -> Result<bool, Fault> {
        self.state.service.delete(self.full(key).as_ref().into()).get().await
    }

    /// Several values at once, in the order of the keys.
    ///
    /// # Errors
    /// As [`Cache::get`].
    pub async fn get_many<T: DeserializeOwned>(&self, keys: &[&str]) -> Result<Vec<Option<T>>, Fault> {
        let answer = {
            let full: Vec<_> = keys.iter().map(|key| self.full(key)).collect();
            let lent: Vec<RStr<'_>> = full.iter().map(|key| RStr::from_str(key)).collect();
            self.state.service.get_many(lent.as_slice().into())
        };
        let found = answer.get().await?;
        found
            .into_iter()
            .zip(keys)
            .map(|(value, key)| match value {
                ROption::RSome(bytes) => decode(key, bytes.as_ref()),
                ROption::RNone => Ok(None),
            })
            .collect()
    }

    /// Keeps several values at once. Others may see some of them before the rest.
    ///
    /// # Errors
    /// As [`Cache::set`].
    pub async fn set_many<T: Serialize>(&self, entries: &[(&str, T)], ttl: impl Into<Option<Duration>>) -> Result<(), Fault> {
        let encoded = entries.iter().map(|(_, value)| encode(value)).collect::<Result<Vec<_>, _>>()?;
        let answer = {
            let full: Vec<_> = entries.iter().map(|(key, _)| self.full(key)).collect();
            let lent: Vec<Entry<'_>> = full
                .iter()
                .zip(&encoded)
                .map(|(key, value)| Entry {
                    key: RStr::from_str(key),
                    value: value.as_slice().into(),
                })
                .collect();
            self.state.service.set_many(lent.as_slice().into(), millis(ttl.into()))
        };
        answer.get().await
    }

    /// Deletes several values; how many there were.
    ///
    /// # Errors
    /// `unavailable` when the cache is away.
    pub async fn delete_many(&self, keys: &[&str]) -> Result<u64, Fault> {
        let answer = {
            let full: Vec<_> = keys.iter().map(|key| self.full(key)).collect();
            let lent: Vec<RStr<'_>> = full.iter().map(|key| RStr::from_str(key)).collect();
            self.state.service.delete_many(lent.as_slice().into())
        };
        answer.get().await
    }

    /// Adds to a counter, which begins at 0, and returns it. `ttl` counts from its first increment: a limit of so many a minute
    /// is `increment(key, 1, minute) <= limit`.
    ///
    /// # Errors
    /// `invalid` when the value is no counter, `unavailable` when the cache is away.
    pub async fn increment(&self, key: &str, by: i64, ttl: impl Into<Option<Duration>>) -> Result<i64, Fault> {
        self.state
            .service
            .increment(self.full(key).as_ref().into(), by, millis(ttl.into()))
            .get()
            .await
    }

    /// Replaces a value by another one if it is still the expected one; `None` stands for no value on both sides. Values are
    /// compared as they are written in JSON.
    ///
    /// # Errors
    /// As [`Cache::set`].
    pub async fn compare_and_set<T: Serialize + ?Sized>(
        &self,
        key: &str,
        expected: Option<&T>,
        new: Option<&T>,
        ttl: impl Into<Option<Duration>>,
    ) -> Result<bool, Fault> {
        let (expected, new) = (expected.map(encode).transpose()?, new.map(encode).transpose()?);
        let answer = self.state.service.compare_and_set(
            self.full(key).as_ref().into(),
            lend(expected.as_ref()),
            lend(new.as_ref()),
            millis(ttl.into()),
        );
        answer.get().await
    }

    /// Lets a value stay for this time from now on, or until it is evicted; whether there is one.
    ///
    /// # Errors
    /// `unavailable` when the cache is away.
    pub async fn touch(&self, key: &str, ttl: impl Into<Option<Duration>>) -> Result<bool, Fault> {
        self.state
            .service
            .touch(self.full(key).as_ref().into(), millis(ttl.into()))
            .get()
            .await
    }

    /// How long a value stays; none when there is none.
    ///
    /// # Errors
    /// `unavailable` when the cache is away.
    pub async fn ttl(&self, key: &str) -> Result<Option<Ttl>, Fault> {
        Ok(match self.state.service.ttl(self.full(key).as_ref().into()).get().await? {
            MISSING => None,
            FOREVER => Some(Ttl::Forever),
            left => Some(Ttl::Left(Duration::from_millis(u64::try_from(left).unwrap_or(0)))),
        })
    }

    /// Deletes every value of this module whose key begins with `prefix`; how many there were. In Redis it looks at all keys
    /// of the installation: for now and then, not for each request.
    ///
    /// # Errors
    /// `unavailable` when the cache is away.
    pub async fn clear(&self, prefix: &str) -> Result<u64, Fault> {
        self.state.service.clear(self.full(prefix).as_ref().into()).get().await
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cache")
    }
}

fn millis(ttl: Option<Duration>) -> u64 {
    // A time below a millisecond is one: nothing is what has expired already.
    ttl.map_or(NO_TTL, |ttl| {
        u64::try_from(ttl.as_millis()).unwrap_or(NO_TTL - 1).max(u64::from(!ttl.is_zero()))
    })
}

fn lend(value: Option<&Vec<u8>>) -> ROption<RSlice<'_, u8>> {
    value.map(|value| RSlice::from_slice(value)).into()
}

fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(value).map_err(|error| Fault::new(FaultCode::INVALID, format!("the value cannot be written as JSON: {error}")))
}

fn decode<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<Option<T>, Fault> {
    serde_json::from_slice(bytes).map_err(|error| {
        let message =
            format!("what is cached under {key:?} is no value of this type: {error}; raise `version` under [cache] in wharf.toml when a type changes");
        Fault::new(FaultCode::INVALID, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_cross_as_milliseconds_and_never_vanish() {
        assert_eq!(millis(None), NO_TTL);
        assert_eq!(millis(Some(Duration::from_secs(2))), 2_000);
        assert_eq!(millis(Some(Duration::from_micros(1))), 1);
        assert_eq!(millis(Some(Duration::ZERO)), 0);
        assert!(millis(Some(Duration::MAX)) < NO_TTL);
    }
}

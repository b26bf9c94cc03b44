//! `cache`: the keys of one module, in whatever cache the host has.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use metrics::Counter;
use wharf_bridge::bytes::send;
use wharf_plugin_api::abi_stable::sabi_trait::TD_Opaque;
use wharf_plugin_api::abi_stable::std_types::{RArc, ROption, RResult, RSlice, RStr, RVec};
use wharf_plugin_api::bytes::FfiBytes;
use wharf_plugin_api::future::{Answer, FfiFuture};
use wharf_plugin_api::services::cache::{Cache, Cache_TO, CacheRef, Entry, FOREVER, LockToken, MISSING, NO_TTL};
use wharf_plugin_api::{Fault, FaultCode, guard, guard_drop};

use super::entered::Entered;
use super::{Inner, stopped};
use crate::ports::cache::{CacheError, CacheSpace, Left, Reply, Space, Token};
use crate::ports::traces::SpanKind;
use crate::telemetry::ActiveSpan;

/// Longest key or name of a lock.
const LONGEST_KEY: usize = 512;
/// Most keys in one call.
const MOST_KEYS: usize = 10_000;
/// Leases a lock may have: shorter ones end before anything was done, longer ones keep others out after a crash.
const LEASES: std::ops::RangeInclusive<u64> = 10..=24 * 3600 * 1000;

#[derive(Clone)]
struct Keys {
    inner: Arc<Inner>,
    space: Arc<dyn CacheSpace>,
    hits: Counter,
    misses: Counter,
    longest_value: usize,
}

pub(super) fn object(inner: &Arc<Inner>) -> CacheRef {
    let module = inner.standing.who.module.as_str();
    let space = inner.shared.backends.cache.space(&Space {
        module: module.to_owned(),
        version: inner.manifest.cache.version,
    });
    let reads = |outcome| {
        let labels = [("module", module), ("outcome", outcome)];
        inner.shared.metrics.own_counter("wharf_cache_reads_total", &labels)
    };
    let keys = Keys {
        space,
        hits: reads("hit"),
        misses: reads("miss"),
        longest_value: inner.shared.backends.cache_limits.max_value_bytes,
        inner: inner.clone(),
    };
    Cache_TO::from_ptr(RArc::new(keys), TD_Opaque)
}

impl Keys {
    /// Guards, checks that the instance lives, and turns the port's reply into what crosses. All of it is one span, without the key, which
    /// may say whose it is.
    #[inline]
    fn answer<T, U>(
        &self,
        name: &'static str,
        ask: impl FnOnce() -> Result<Reply<T>, Fault>,
        shape: impl FnOnce(&mut ActiveSpan, T) -> U + Send + 'static,
    ) -> Answer<U>
    where
        T: Send + Unpin + 'static,
        U: Send + 'static,
    {
        let answered = guard(|| {
            if self.inner.standing.is_retired() {
                return Err(stopped());
            }
            let mut span = self.inner.span(SpanKind::Client, name);
            Ok(match ask()? {
                Reply::Now(Ok(value)) => Answer::Ready(RResult::ROk(shape(&mut span, value))),
                Reply::Now(Err(error)) => {
                    let fault = fault(error);
                    span.fail(fault.code.name());
                    Answer::Ready(RResult::RErr(fault))
                }
                Reply::Later(future) => Answer::Later(self.later(span, future, shape)),
            })
        });
        answered
            .unwrap_or_else(Err)
            .unwrap_or_else(|fault| Answer::Ready(RResult::RErr(fault)))
    }

    fn later<T, U>(
        &self,
        mut span: ActiveSpan,
        future: impl Future<Output = Result<T, CacheError>> + Send + 'static,
        shape: impl FnOnce(&mut ActiveSpan, T) -> U + Send + 'static,
    ) -> FfiFuture<U>
    where
        T: Send + 'static,
        U: Send + 'static,
    {
        let standing = self.inner.standing.clone();
        FfiFuture::new(Entered::new(self.inner.shared.runtime.clone(), async move {
            span.fail("cancelled");
            let result = future.await.map_err(fault);
            span.settle(&result);
            if standing.is_retired() {
                return Err(stopped());
            }
            result.map(|value| shape(&mut span, value))
        }))
    }

    fn value(&self, value: &[u8]) -> Result<Bytes, Fault> {
        if value.len() > self.longest_value {
            let message = format!(
                "found a value of {} bytes, expected at most {}; keep large things in blobs, or raise cache.max_value_bytes",
                value.len(),
                self.longest_value
            );
            return Err(Fault::new(FaultCode::INVALID, message));
        }
        Ok(Bytes::copy_from_slice(value))
    }

    fn optional_value(&self, value: ROption<RSlice<'_, u8>>) -> Result<Option<Bytes>, Fault> {
        value.into_option().map(|value| self.value(value.as_slice())).transpose()
    }
}

impl Cache for Keys {
    #[inline]
    fn get(&self, key: RStr<'_>) -> Answer<ROption<FfiBytes>> {
        let (hits, misses) = (self.hits.clone(), self.misses.clone());
        self.answer(
            "cache get",
            || Ok(self.space.get(check(&key)?)),
            move |span, value: Option<Bytes>| {
                span.set("wharf.cache.hit", value.is_some());
                if value.is_some() { &hits } else { &misses }.increment(1);
                value.map(send).into()
            },
        )
    }

    fn set(&self, key: RStr<'_>, value: RSlice<'_, u8>, ttl_ms: u64) -> Answer<()> {
        self.answer(
            "cache set",
            || Ok(self.space.set(check(&key)?, self.value(value.as_slice())?, ttl(ttl_ms)?)),
            |_, done| done,
        )
    }

    fn delete(&self, key: RStr<'_>) -> Answer<bool> {
        self.answer("cache delete", || Ok(self.space.delete(check(&key)?)), |_, was| was)
    }

    fn get_many(&self, keys: RSlice<'_, RStr<'_>>) -> Answer<RVec<ROption<FfiBytes>>> {
        let (hits, misses) = (self.hits.clone(), self.misses.clone());
        self.answer(
            "cache get",
            || Ok(self.space.get_many(&check_all(keys.as_slice())?)),
            move |span, values: Vec<Option<Bytes>>| {
                let found = values.iter().flatten().count() as u64;
                span.set("wharf.cache.keys", values.len() as u64);
                span.set("wharf.cache.hits", found);
                hits.increment(found);
                misses.increment((values.len() as u64).saturating_sub(found));
                values.into_iter().map(|value| value.map(send).into()).collect()
            },
        )
    }

    fn set_many(&self, entries: RSlice<'_, Entry<'_>>, ttl_ms: u64) -> Answer<()> {
        self.answer(
            "cache set",
            || {
                few(entries.len())?;
                let owned = entries
                    .iter()
                    .map(|entry| Ok((check(&entry.key)?.to_owned(), self.value(entry.value.as_slice())?)))
                    .collect::<Result<_, Fault>>()?;
                Ok(self.space.set_many(owned, ttl(ttl_ms)?))
            },
            |_, done| done,
        )
    }

    fn delete_many(&self, keys: RSlice<'_, RStr<'_>>) -> Answer<u64> {
        self.answer(
            "cache delete",
            || Ok(self.space.delete_many(&check_all(keys.as_slice())?)),
            |_, were| were,
        )
    }

    fn increment(&self, key: RStr<'_>, by: i64, ttl_ms: u64) -> Answer<i64> {
        self.answer(
            "cache increment",
            || Ok(self.space.increment(check(&key)?, by, ttl(ttl_ms)?)),
            |_, count| count,
        )
    }

    fn compare_and_set(&self, key: RStr<'_>, expected: ROption<RSlice<'_, u8>>, new: ROption<RSlice<'_, u8>>, ttl_ms: u64) -> Answer<bool> {
        self.answer(
            "cache compare and set",
            || {
                let (expected, new) = (self.optional_value(expected)?, self.optional_value(new)?);
                Ok(self.space.compare_and_set(check(&key)?, expected, new, ttl(ttl_ms)?))
            },
            |_, is_replaced| is_replaced,
        )
    }

    fn touch(&self, key: RStr<'_>, ttl_ms: u64) -> Answer<bool> {
        self.answer(
            "cache touch",
            || Ok(self.space.touch(check(&key)?, ttl(ttl_ms)?)),
            |_, is_there| is_there,
        )
    }

    fn ttl(&self, key: RStr<'_>) -> Answer<i64> {
        self.answer(
            "cache ttl",
            || Ok(self.space.ttl(check(&key)?)),
            |_, left| match left {
                Left::Missing => MISSING,
                Left::Forever => FOREVER,
                Left::Time(time) => i64::try_from(time.as_millis()).unwrap_or(i64::MAX),
            },
        )
    }

    fn clear(&self, prefix: RStr<'_>) -> Answer<u64> {
        let is_short = prefix.len() <= LONGEST_KEY;
        self.answer(
            "cache clear",
            || {
                if is_short {
                    Ok(self.space.clear(&prefix))
                } else {
                    Err(bad_key(&prefix))
                }
            },
            |_, were| were,
        )
    }

    fn lock(&self, name: RStr<'_>, lease_ms: u64) -> Answer<ROption<LockToken>> {
        self.answer(
            "cache lock",
            || Ok(self.space.lock(check(&name)?, lease(lease_ms)?)),
            |_, token| {
                token
                    .map(|token| LockToken {
                        owner: token.owner,
                        fence: token.fence,
                    })
                    .into()
            },
        )
    }

    fn renew(&self, name: RStr<'_>, token: LockToken, lease_ms: u64) -> Answer<bool> {
        self.answer(
            "cache renew",
            || Ok(self.space.renew(check(&name)?, port_token(token), lease(lease_ms)?)),
            |_, is_held| is_held,
        )
    }

    fn unlock(&self, name: RStr<'_>, token: LockToken) -> Answer<bool> {
        self.answer(
            "cache unlock",
            || Ok(self.space.unlock(check(&name)?, port_token(token))),
            |_, was_held| was_held,
        )
    }

    fn unlock_soon(&self, name: RStr<'_>, token: LockToken) {
        // Also of an instance that has ended: what it holds helps nobody.
        guard_drop(|| {
            if let Reply::Later(future) = self.space.unlock(&name, port_token(token)) {
                drop(self.inner.shared.runtime.spawn(future));
            }
        });
    }
}

fn port_token(token: LockToken) -> Token {
    Token {
        owner: token.owner,
        fence: token.fence,
    }
}

#[inline]
fn check<'a>(key: &'a RStr<'_>) -> Result<&'a str, Fault> {
    let key = key.as_str();
    if key.is_empty() || key.len() > LONGEST_KEY {
        return Err(bad_key(key));
    }
    Ok(key)
}

fn check_all<'a>(keys: &'a [RStr<'_>]) -> Result<Vec<&'a str>, Fault> {
    few(keys.len())?;
    keys.iter().map(check).collect()
}

#[cold]
fn bad_key(key: &str) -> Fault {
    let message = format!("found a key of {} bytes, expected 1 to {LONGEST_KEY}", key.len());
    Fault::new(FaultCode::INVALID, message)
}

fn few(keys: usize) -> Result<(), Fault> {
    if keys > MOST_KEYS {
        let message = format!("found {keys} keys in one call, expected at most {MOST_KEYS}");
        return Err(Fault::new(FaultCode::INVALID, message));
    }
    Ok(())
}

fn ttl(milliseconds: u64) -> Result<Option<Duration>, Fault> {
    match milliseconds {
        NO_TTL => Ok(None),
        0 => Err(Fault::new(
            FaultCode::INVALID,
            "found a time to live of 0 ms, expected 1 ms or more, or none",
        )),
        some => Ok(Some(Duration::from_millis(some))),
    }
}

fn lease(milliseconds: u64) -> Result<Duration, Fault> {
    if !LEASES.contains(&milliseconds) {
        let message = format!("found a lease of {milliseconds} ms, expected 10 ms to 24 h");
        return Err(Fault::new(FaultCode::INVALID, message));
    }
    Ok(Duration::from_millis(milliseconds))
}

#[cold]
fn fault(error: CacheError) -> Fault {
    let code = match error {
        CacheError::Unavailable(_) => FaultCode::UNAVAILABLE,
        CacheError::NotANumber => FaultCode::INVALID,
        CacheError::Refused(_) => FaultCode::INTERNAL,
    };
    Fault::new(code, error.to_string())
}

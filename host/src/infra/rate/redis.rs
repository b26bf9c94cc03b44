//! Counting in Redis, by its own clock, for all nodes.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fred::clients::Pool;
use fred::interfaces::ClientLike;
use fred::types::scripts::Script;

use crate::infra::redis::{RedisError, builder};
use crate::ports::rate::{Quota, RateBucket, RateError, RateStore, Taking, Verdict};

/// How long nothing is asked after a failure: whoever waits for a server that is away waits once.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a host that starts waits for the first connection.
const START: Duration = Duration::from_secs(2);

/// Microseconds in which one call comes free; calls at once; cost. Answers whether it is allowed, what remains, microseconds until
/// nothing is used, microseconds until it would be allowed. The value is the time at which everything used has come free.
const TAKE: &str = "\
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local free = tonumber(redis.call('GET', KEYS[1]) or '0')
if free < now then free = now end
local after = free + interval * cost
local over = after - now - interval * burst
if over > 0.5 then
  return {0, math.floor(burst - (free - now) / interval + 0.0001), math.ceil(free - now), math.ceil(over)}
end
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000) + 1)
return {1, math.floor(burst - (after - now) / interval + 0.0001), math.ceil(after - now), 0}";

/// Counts in Redis.
pub struct RedisRates {
    link: Arc<Link>,
    prefix: String,
}

struct Link {
    pool: Pool,
    script: Script,
    started: Instant,
    /// Milliseconds since the start until which nothing is asked.
    away_until: AtomicU64,
}

struct Bucket {
    link: Arc<Link>,
    prefix: String,
    interval: String,
    burst: u32,
}

impl RedisRates {
    /// Connects, and waits for that a moment; a server that is away is tried again for ever. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the URL is none of Redis.
    pub async fn start(url: &str, prefix: &str, timeout: Duration) -> Result<Self, RedisError> {
        let pool = builder(url, timeout)?.build_pool(4).map_err(RedisError::new)?;
        drop(pool.connect());
        if !matches!(tokio::time::timeout(START, pool.wait_for_connect()).await, Ok(Ok(()))) {
            tracing::warn!("redis does not answer: calls are not counted until it does, and classes say what happens meanwhile");
        }
        let link = Link {
            pool,
            script: Script::from_lua(TAKE),
            started: Instant::now(),
            away_until: AtomicU64::new(0),
        };
        Ok(Self {
            link: Arc::new(link),
            prefix: prefix.to_owned(),
        })
    }
}

impl RateStore for RedisRates {
    fn bucket(&self, name: &str, quota: Quota) -> Arc<dyn RateBucket> {
        Arc::new(Bucket {
            link: self.link.clone(),
            prefix: format!("{}:rate:{name}:", self.prefix),
            interval: format!("{:.3}", quota.interval().as_secs_f64() * 1e6),
            burst: quota.burst.get(),
        })
    }

    fn place(&self) -> &'static str {
        "in redis, for all nodes"
    }
}

impl RateBucket for Bucket {
    fn take(&self, key: &str, cost: NonZeroU32) -> Taking {
        if let Err(error) = self.link.may_ask() {
            return Taking::Now(Err(error));
        }
        let key = [self.prefix.as_str(), key].concat();
        let arguments = vec![self.interval.clone(), self.burst.to_string(), cost.to_string()];
        let link = self.link.clone();
        Taking::Later(Box::pin(async move { link.take(key, arguments).await }))
    }
}

impl Link {
    async fn take(&self, key: String, arguments: Vec<String>) -> Result<Verdict, RateError> {
        let answer: Result<(i64, i64, i64, i64), _> = self.script.evalsha_with_reload(self.pool.next(), vec![key], arguments).await;
        match answer {
            Ok((is_allowed, remaining, reset, retry_after)) => Ok(Verdict {
                is_allowed: is_allowed == 1,
                remaining: u32::try_from(remaining).unwrap_or(0),
                reset: micros(reset),
                retry_after: micros(retry_after),
            }),
            Err(error) => {
                self.failed(&error);
                Err(RateError(error.details().to_owned()))
            }
        }
    }

    fn may_ask(&self) -> Result<(), RateError> {
        if self.now() < self.away_until.load(Ordering::Acquire) {
            return Err(RateError("redis did not answer a moment ago".to_owned()));
        }
        Ok(())
    }

    fn failed(&self, error: &fred::error::Error) {
        let until = self.now().saturating_add(u64::try_from(PAUSE.as_millis()).unwrap_or(0));
        let before = self.away_until.swap(until, Ordering::AcqRel);
        if before < self.now() {
            tracing::warn!(error = %error, "redis does not count calls; classes say what happens meanwhile");
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let pool = self.pool.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { drop(pool.quit().await) });
        }
    }
}

impl fmt::Debug for RedisRates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisRates").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

fn micros(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

#[cfg(all(test, feature = "servers"))]
mod servers;

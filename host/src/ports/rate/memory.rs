//! Counting in this process.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota as Cells, RateLimiter};

use super::{Quota, RateBucket, RateError, RateStore, Taking, Verdict};

/// How many calls are counted before keys that have nothing used are forgotten.
const SWEEP: u32 = 16 * 1024;

type Limiter = RateLimiter<u64, DashMapStateStore<u64>, DefaultClock, StateInformationMiddleware>;

/// Counts in this process, for it alone.
#[derive(Default)]
pub struct MemoryRates {
    buckets: Mutex<HashMap<String, (Quota, Arc<Bucket>)>>,
}

/// Keys are kept as hashes under a seed of this process, so that nobody can choose two with the same.
struct Bucket {
    limiter: Limiter,
    clock: DefaultClock,
    seed: RandomState,
    interval: Duration,
    burst: u32,
    counted: AtomicU32,
}

impl MemoryRates {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl RateStore for MemoryRates {
    fn bucket(&self, name: &str, quota: Quota) -> Arc<dyn RateBucket> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        match buckets.get(name) {
            Some((known, bucket)) if *known == quota => bucket.clone(),
            _ => {
                let bucket = Arc::new(Bucket::new(quota));
                buckets.insert(name.to_owned(), (quota, bucket.clone()));
                bucket
            }
        }
    }

    fn place(&self) -> &'static str {
        "in this process"
    }
}

impl Bucket {
    fn new(quota: Quota) -> Self {
        let interval = quota.interval();
        // None only for an interval of zero, which `interval` never is.
        let cells = Cells::with_period(interval).unwrap_or(Cells::per_second(quota.requests));
        let clock = DefaultClock::default();
        let limiter: Limiter = RateLimiter::new(cells.allow_burst(quota.burst), DashMapStateStore::default(), clock.clone());
        Self {
            limiter,
            clock,
            seed: RandomState::new(),
            interval,
            burst: quota.burst.get(),
            counted: AtomicU32::new(0),
        }
    }

    fn verdict(&self, is_allowed: bool, remaining: u32, retry_after: Duration) -> Verdict {
        Verdict {
            is_allowed,
            remaining,
            reset: self.interval * self.burst.saturating_sub(remaining),
            retry_after,
        }
    }
}

impl RateBucket for Bucket {
    fn take(&self, key: &str, cost: NonZeroU32) -> Taking {
        if self.counted.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            self.limiter.retain_recent();
        }
        let Ok(answer) = self.limiter.check_key_n(&self.seed.hash_one(key), cost) else {
            return Taking::Now(Err(RateError(format!("found a cost of {cost}, expected at most {}", self.burst))));
        };
        Taking::Now(Ok(match answer {
            Ok(state) => self.verdict(true, state.remaining_burst_capacity(), Duration::ZERO),
            Err(until) => self.verdict(false, 0, until.wait_time_from(self.clock.now())),
        }))
    }
}

impl fmt::Debug for MemoryRates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryRates")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::rate::contract;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn memory_keeps_the_contract() {
        contract::check(&MemoryRates::new()).await;
    }
}

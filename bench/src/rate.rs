//! What counting a call costs: in this process, and in Redis for all nodes.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use wharf_host::infra::rate::RedisRates;
use wharf_host::ports::rate::{MemoryRates, Quota, RateBucket, RateStore};

use crate::redis::{self, Redis};
use crate::report::Report;

const CALLS: usize = 20_000;
/// Callers at once, and how often each calls: more than the quota has.
const CALLERS: usize = 64;
const EACH: usize = 50;
const QUOTA: u32 = 1_000;
const TIMEOUT: Duration = Duration::from_millis(250);
/// A counted call may be so much slower, in microseconds.
const BAR: f64 = 150.0;

/// One call after the other, then many at once.
pub(crate) fn run(report: &mut Report) -> Result<()> {
    report.section("rate: one call counted after the other, one principal", "wharf-bench rate");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let redis = match Redis::start() {
        Ok(redis) => redis,
        Err(why) => {
            report.hole(&format!("redis-server: {why}; {}", redis::HOW));
            return Ok(());
        }
    };
    runtime.block_on(async {
        let shared = RedisRates::start(&redis.url(), "bench", TIMEOUT).await?;
        let (here, there) = (
            MemoryRates::new().bucket("many", quota(1 << 30)?),
            shared.bucket("many", quota(1 << 30)?),
        );
        // The first calls bring script and connections.
        times(&there, 200).await?;
        let (here, there) = (times(&here, CALLS).await?, times(&there, CALLS).await?);
        report.figure("in this process, p50", at(&here, 0.5), "us", None, &tail(&here));
        report.figure("in Redis, p50", at(&there, 0.5), "us", None, &tail(&there));
        report.figure("added by Redis, p50", at(&there, 0.5) - at(&here, 0.5), "us", Some(BAR), "");
        exact(report, &shared).await
    })
}

fn quota(requests: u32) -> Result<Quota> {
    let requests = NonZeroU32::new(requests).context("a quota of nothing")?;
    Ok(Quota {
        requests,
        // Nothing comes free while this is measured.
        period: Duration::from_secs(24 * 3600),
        burst: requests,
    })
}

/// Microseconds of each.
async fn times(bucket: &Arc<dyn RateBucket>, calls: usize) -> Result<Vec<f64>> {
    let mut times = Vec::with_capacity(calls);
    for _ in 0..calls {
        let began = Instant::now();
        let verdict = bucket
            .take("user:bench", NonZeroU32::MIN)
            .wait()
            .await
            .map_err(|error| anyhow!("{error}"))?;
        times.push(began.elapsed().as_nanos() as f64 / 1e3);
        ensure!(verdict.is_allowed, "the quota of this measurement is used up");
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

fn at(sorted: &[f64], part: f64) -> f64 {
    let place = (sorted.len().saturating_sub(1) as f64 * part).round() as usize;
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

fn tail(sorted: &[f64]) -> String {
    format!("p90 {:.1}, p99 {:.1}", at(sorted, 0.9), at(sorted, 0.99))
}

/// Exactly the quota is let in, however many ask at once.
async fn exact(report: &mut Report, shared: &RedisRates) -> Result<()> {
    let bucket = shared.bucket("few", quota(QUOTA)?);
    let began = Instant::now();
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let bucket = Arc::clone(&bucket);
        asking.spawn(async move {
            let mut allowed = 0;
            for _ in 0..EACH {
                let verdict = bucket.take("user:bench", NonZeroU32::MIN).wait().await?;
                allowed += u32::from(verdict.is_allowed);
            }
            Ok::<_, wharf_host::ports::rate::RateError>(allowed)
        });
    }
    let mut allowed = 0;
    while let Some(done) = asking.join_next().await {
        allowed += done?.map_err(|error| anyhow!("{error}"))?;
    }
    let each = began.elapsed().as_secs_f64() * 1e6 / (CALLERS * EACH) as f64;
    ensure!(
        allowed == QUOTA,
        "{CALLERS} callers at once were let in {allowed} times, expected exactly {QUOTA}"
    );
    let note = format!("{allowed} of {} let in, exactly the quota", CALLERS * EACH);
    report.figure("64 callers at once in Redis, mean of all", each, "us", None, &note);
    Ok(())
}

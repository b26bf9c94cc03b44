//! The cache as a module sees it: in the process, and in Redis beside the same client used directly.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use fred::clients::Pool;
use fred::interfaces::{ClientLike, KeysInterface};
use fred::types::Builder;
use fred::types::config::Config;
use http::Request;
use http_body_util::BodyExt;
use wharf_host::domain::route::Lane;
use wharf_host::http::body::Body;
use wharf_host::infra::cache::{RedisCache, RedisCacheConfig};
use wharf_host::modules::endpoint::Endpoint;

use crate::redis::{self, Redis};
use crate::report::{Report, Spread};
use crate::side::{Alone, Rig, call_info};

/// Gets in one round, and rounds of each side in turn.
const IN_PROCESS: u32 = 1_000_000;
const OVER_A_SOCKET: u32 = 20_000;
const ROUNDS: usize = 7;
const TIMEOUT: Duration = Duration::from_millis(250);

/// The clock runs in the module, around its calls.
pub(crate) fn run(report: &mut Report) -> Result<()> {
    report.section(
        "cache: one get of 100 bytes after the other, in a module of a library (runtime tokio)",
        "wharf-bench cache",
    );
    let rig = Rig::new(Arc::new(Alone))?;
    let module: Arc<dyn Endpoint> = Arc::new(rig.load("bench_tokio")?);
    let rounds = (0..ROUNDS).map(|_| ask(&rig, &module, IN_PROCESS)).collect::<Result<_>>()?;
    let spread = Spread::of(rounds);
    report.figure(
        "in this process, mean of a round",
        spread.middle,
        "ns",
        Some(1_000.0),
        &between(spread),
    );
    match Redis::start() {
        Ok(redis) => beside_fred(report, &redis),
        Err(why) => {
            report.hole(&format!("redis-server: {why}; {}", redis::HOW));
            Ok(())
        }
    }
}

/// Both sides in turn, so that what the machine does meanwhile falls on both.
fn beside_fred(report: &mut Report, redis: &Redis) -> Result<()> {
    let mut rig = Rig::new(Arc::new(Alone))?;
    let config = RedisCacheConfig {
        url: redis.url(),
        prefix: "bench".to_owned(),
        timeout: TIMEOUT,
        connections: 4,
        near: 0,
    };
    let cache = rig.runtime.block_on(RedisCache::start(&config))?;
    rig.shared.backends.cache = Arc::new(cache);
    let module: Arc<dyn Endpoint> = Arc::new(rig.load("bench_tokio")?);
    let pool = rig.runtime.block_on(bare(&redis.url()))?;
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let fred = rig.runtime.block_on(gets(&pool))?;
        let wharf = ask(&rig, &module, OVER_A_SOCKET)?;
        theirs.push(fred / 1e3);
        ours.push(wharf / 1e3);
        ratios.push(wharf / fred);
    }
    report.figure("redis, fred used directly", Spread::of(theirs).middle, "us", None, "");
    report.figure("redis, through the cache of the module", Spread::of(ours).middle, "us", None, "");
    let ratio = Spread::of(ratios);
    report.figure(
        "redis, ratio of the two times 100",
        ratio.middle * 100.0,
        "%",
        Some(115.0),
        &between(ratio),
    );
    Ok(())
}

fn between(spread: Spread) -> String {
    format!("{:.2} to {:.2}", spread.least, spread.most)
}

/// Nanoseconds of one get, as the module measured them.
fn ask(rig: &Rig, module: &Arc<dyn Endpoint>, gets: u32) -> Result<f64> {
    let request = Request::get(format!("/cache/{gets}")).body(Body::empty())?;
    let responding = module
        .call(Lane::Http, request, call_info())
        .map_err(|refused| anyhow!("the module refused: {:?}", refused.because))?;
    let body = rig.runtime.block_on(async {
        let response = responding.await;
        response.into_body().collect().await.map_err(|e| anyhow!("{e}"))
    })?;
    let text = String::from_utf8(body.to_bytes().to_vec())?;
    text.trim().parse().with_context(|| format!("the module said {text:?}"))
}

/// A pool as the adapter makes it.
async fn bare(url: &str) -> Result<Pool> {
    let mut config = Config::from_url(url)?;
    config.version = fred::types::RespVersion::RESP3;
    let pool = Builder::from_config(config)
        .with_performance_config(|performance| performance.default_command_timeout = TIMEOUT)
        .build_pool(4)?;
    pool.init().await?;
    pool.set::<(), _, _>("bench:bare", bytes::Bytes::from(vec![7; 100]), None, None, false)
        .await?;
    Ok(pool)
}

async fn gets(pool: &Pool) -> Result<f64> {
    let began = Instant::now();
    for _ in 0..OVER_A_SOCKET {
        let value: Option<bytes::Bytes> = pool.get("bench:bare").await?;
        anyhow::ensure!(value.is_some_and(|value| value.len() == 100), "the value is gone");
    }
    Ok(began.elapsed().as_nanos() as f64 / f64::from(OVER_A_SOCKET))
}

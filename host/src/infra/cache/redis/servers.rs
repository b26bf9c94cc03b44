//! Against real servers, some of which are killed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use super::*;
use crate::infra::servers::redis;
use crate::ports::cache::contract;

fn config(url: String, near: u64) -> RedisCacheConfig {
    RedisCacheConfig {
        url,
        prefix: redis::fresh_prefix(),
        timeout: Duration::from_millis(250),
        connections: 2,
        near,
    }
}

fn blog(cache: &RedisCache) -> Arc<dyn CacheSpace> {
    cache.space(&Space {
        module: "blog".to_owned(),
        version: 1,
    })
}

async fn until(what: &str, within: Duration, is_so: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + within;
    while !is_so().await {
        assert!(Instant::now() < deadline, "after {within:?}: not {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_keeps_the_contract() {
    let cache = RedisCache::start(&config(redis::shared(), 0)).await.unwrap();
    contract::check(&cache, async |time| tokio::time::sleep(time).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_with_a_near_cache_keeps_the_contract() {
    let cache = RedisCache::start(&config(redis::shared(), 1 << 20)).await.unwrap();
    until("tracking", Duration::from_secs(5), async || cache.link.near().is_some()).await;
    contract::check(&cache, async |time| tokio::time::sleep(time).await).await;
}

#[tokio::test]
async fn a_change_on_one_node_ends_the_copy_on_the_other() {
    let config = config(redis::shared(), 1 << 20);
    let (one, two) = (RedisCache::start(&config).await.unwrap(), RedisCache::start(&config).await.unwrap());
    for cache in [&one, &two] {
        until("tracking", Duration::from_secs(5), async || cache.link.near().is_some()).await;
    }
    let (one, two) = (blog(&one), blog(&two));
    for n in 0..50_u32 {
        let value = Bytes::from(n.to_string());
        one.set("a", value.clone(), Some(Duration::from_secs(60))).await.unwrap();
        assert_eq!(one.get("a").await.unwrap(), Some(value.clone()), "a node reads what it wrote");
        until("seen", Duration::from_secs(1), async || {
            two.get("a").await.unwrap() == Some(value.clone())
        })
        .await;
        assert!(matches!(two.get("a"), Reply::Now(Ok(Some(_)))), "it is not kept near");
    }
    one.delete("a").await.unwrap();
    until("gone", Duration::from_secs(1), async || two.get("a").await.unwrap().is_none()).await;
    two.set("short", Bytes::from_static(b"1"), Some(Duration::from_millis(200)))
        .await
        .unwrap();
    assert!(two.get("short").await.unwrap().is_some());
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(two.get("short").await.unwrap(), None, "the copy outlived its value");
}

#[tokio::test]
async fn a_near_copy_is_forgotten_when_the_server_restarts() {
    let mut server = redis::Private::start().await;
    let cache = RedisCache::start(&config(server.url(), 1 << 20)).await.unwrap();
    until("tracking", Duration::from_secs(5), async || cache.link.near().is_some()).await;
    let keys = blog(&cache);
    keys.set("a", Bytes::from_static(b"1"), None).await.unwrap();
    assert!(keys.get("a").await.unwrap().is_some());
    server.kill();
    server.restart().await;
    until("forgotten", Duration::from_secs(10), async || {
        keys.get("a").await.unwrap().is_none()
    })
    .await;
    until("written", Duration::from_secs(10), async || {
        keys.set("a", Bytes::from_static(b"2"), None).await.is_ok()
    })
    .await;
    until("near again", Duration::from_secs(10), async || {
        keys.get("a").await.unwrap() == Some(Bytes::from_static(b"2")) && matches!(keys.get("a"), Reply::Now(_))
    })
    .await;
}

#[tokio::test]
async fn scripts_work_again_after_the_server_has_forgotten_them() {
    let mut server = redis::Private::start().await;
    let cache = RedisCache::start(&config(server.url(), 0)).await.unwrap();
    let keys = blog(&cache);
    let before = keys.lock("l", Duration::from_secs(60)).await.unwrap().unwrap();
    assert_eq!(keys.increment("n", 1, None).await, Ok(1));
    server.kill();
    server.restart().await;
    until("counted", Duration::from_secs(10), async || {
        keys.increment("n", 1, None).await.is_ok()
    })
    .await;
    // The lock went with the server, which is what a lock in a server without a disk does; the fence tells.
    let after = keys.lock("l", Duration::from_secs(60)).await.unwrap().unwrap();
    assert!(after.fence > before.fence, "{after:?} after {before:?}");
    assert_eq!(keys.renew("l", before, Duration::from_secs(60)).await, Ok(false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_is_killed_under_load_hangs_nobody_and_is_used_again() {
    let mut server = redis::Private::start().await;
    let cache = RedisCache::start(&config(server.url(), 0)).await.unwrap();
    let keys = blog(&cache);
    let (stop, slowest, done) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicU64::new(0)),
    );
    let tasks: Vec<_> = (0..64)
        .map(|n: usize| {
            let (keys, stop, slowest, done) = (keys.clone(), stop.clone(), slowest.clone(), done.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    let key = format!("k{n}");
                    // A read never fails; a write may, and says so.
                    let read = keys.get(&key).await;
                    assert!(read.is_ok(), "{read:?}");
                    let written = keys.set(&key, Bytes::from_static(b"v"), None).await;
                    assert!(matches!(written, Ok(()) | Err(CacheError::Unavailable(_))), "{written:?}");
                    let took = u64::try_from(began.elapsed().as_millis()).unwrap();
                    slowest.fetch_max(took, Ordering::Relaxed);
                    done.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            })
        })
        .collect();
    until("load", Duration::from_secs(10), async || done.load(Ordering::Relaxed) > 1_000).await;
    server.kill();
    until("degraded", Duration::from_secs(5), async || {
        keys.set("x", Bytes::new(), None).await.is_err()
    })
    .await;
    let failing = Instant::now();
    assert!(matches!(
        keys.lock("l", Duration::from_secs(1)).await,
        Err(CacheError::Unavailable(_))
    ));
    assert_eq!(keys.get("x").await, Ok(None));
    assert!(
        failing.elapsed() < Duration::from_millis(100),
        "an open circuit answers at once, not after {:?}",
        failing.elapsed()
    );
    server.restart().await;
    until("used again", Duration::from_secs(10), async || {
        keys.set("x", Bytes::new(), None).await.is_ok()
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    let slowest = slowest.load(Ordering::Relaxed);
    assert!(slowest < 2_000, "an operation took {slowest} ms");
}

#[tokio::test]
async fn a_server_that_was_never_there_keeps_nobody_from_starting() {
    let mut server = redis::Private::start().await;
    server.kill();
    let began = Instant::now();
    let cache = RedisCache::start(&config(server.url(), 1 << 20)).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(4));
    let keys = blog(&cache);
    assert_eq!(keys.get("a").await, Ok(None));
    assert_eq!(keys.get_many(&["a", "b"]).await, Ok(vec![None, None]));
    assert!(matches!(keys.increment("a", 1, None).await, Err(CacheError::Unavailable(_))));
    server.restart().await;
    until("used", Duration::from_secs(10), async || keys.increment("a", 1, None).await.is_ok()).await;
}

//! Against a real server.
#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;
use crate::infra::servers::redis;
use crate::ports::rate::contract;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_keeps_the_contract() {
    let (url, prefix) = (redis::shared(), redis::fresh_prefix());
    let store = RedisRates::start(&url, &prefix, Duration::from_secs(2)).await.unwrap();
    contract::check(&store).await;
}

#[tokio::test]
async fn a_server_that_is_away_is_an_error_at_once_after_the_first() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    drop(listener);
    let store = RedisRates::start(&url, "x", Duration::from_millis(100)).await.unwrap();
    let quota = Quota {
        requests: NonZeroU32::MIN,
        period: Duration::from_secs(1),
        burst: NonZeroU32::MIN,
    };
    let bucket = store.bucket("a", quota);
    assert!(bucket.take("k", NonZeroU32::MIN).wait().await.is_err());
    assert!(matches!(bucket.take("k", NonZeroU32::MIN), Taking::Now(Err(_))));
}

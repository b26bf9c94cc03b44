//! What every form of the port promises.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Quota, RateBucket, RateStore, Verdict};

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn quota(requests: u32, period: Duration, burst: u32) -> Quota {
    Quota {
        requests: number(requests),
        period,
        burst: number(burst),
    }
}

async fn take(bucket: &Arc<dyn RateBucket>, key: &str, cost: u32) -> Verdict {
    bucket.take(key, number(cost)).wait().await.unwrap()
}

/// Runs all of it.
pub(crate) async fn check(store: &dyn RateStore) {
    a_burst_is_allowed_and_then_as_much_as_comes_free(store).await;
    keys_and_buckets_do_not_count_for_each_other(store).await;
    a_cost_counts_as_a_whole_or_not_at_all(store).await;
    sixty_four_callers_get_exactly_the_burst(store).await;
}

async fn a_burst_is_allowed_and_then_as_much_as_comes_free(store: &dyn RateStore) {
    let hour = Duration::from_secs(3600);
    let bucket = store.bucket("hourly", quota(10, hour, 3));
    for remaining in [2, 1, 0] {
        let verdict = take(&bucket, "a", 1).await;
        assert!(verdict.is_allowed && verdict.remaining == remaining, "{verdict:?}");
        assert!(verdict.reset > Duration::ZERO && verdict.reset <= hour, "{verdict:?}");
    }
    let verdict = take(&bucket, "a", 1).await;
    assert!(!verdict.is_allowed && verdict.remaining == 0, "{verdict:?}");
    let six_minutes = Duration::from_secs(360);
    assert!(
        verdict.retry_after <= six_minutes && verdict.retry_after > six_minutes / 2,
        "{verdict:?}"
    );

    let fast = store.bucket("fast", quota(20, Duration::from_secs(1), 1));
    assert!(take(&fast, "a", 1).await.is_allowed);
    assert!(!take(&fast, "a", 1).await.is_allowed);
    let deadline = Instant::now() + Duration::from_secs(5);
    while !take(&fast, "a", 1).await.is_allowed {
        assert!(Instant::now() < deadline, "nothing came free");
        tokio::task::yield_now().await;
    }
}

async fn keys_and_buckets_do_not_count_for_each_other(store: &dyn RateStore) {
    let once = quota(1, Duration::from_secs(3600), 1);
    let (one, two) = (store.bucket("one", once), store.bucket("two", once));
    assert!(take(&one, "a", 1).await.is_allowed);
    assert!(!take(&one, "a", 1).await.is_allowed);
    assert!(take(&one, "b", 1).await.is_allowed);
    assert!(take(&two, "a", 1).await.is_allowed);
    assert!(
        !take(&store.bucket("one", once), "a", 1).await.is_allowed,
        "the same name counts on"
    );
}

async fn a_cost_counts_as_a_whole_or_not_at_all(store: &dyn RateStore) {
    let bucket = store.bucket("cost", quota(1, Duration::from_secs(3600), 5));
    assert_eq!(take(&bucket, "a", 3).await.remaining, 2);
    assert!(!take(&bucket, "a", 3).await.is_allowed);
    assert_eq!(take(&bucket, "a", 2).await.remaining, 0);
    let too_much = bucket.take("b", number(6)).wait().await;
    assert!(too_much.is_err() || !too_much.unwrap().is_allowed);
}

async fn sixty_four_callers_get_exactly_the_burst(store: &dyn RateStore) {
    const BURST: u32 = 500;
    let bucket = store.bucket("crowd", quota(1, Duration::from_secs(36_000), BURST));
    let callers = (0..64).map(|_| {
        let bucket = bucket.clone();
        tokio::spawn(async move {
            let mut allowed = 0;
            for _ in 0..20 {
                allowed += u32::from(take(&bucket, "all", 1).await.is_allowed);
            }
            allowed
        })
    });
    let callers: Vec<_> = callers.collect();
    let mut allowed = 0;
    for caller in callers {
        allowed += caller.await.unwrap();
    }
    assert_eq!(allowed, BURST);
}

//! What every cache must do; each form runs it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::{CacheError, CacheSpace, CacheStore, Left, Space};

const LONG: Duration = Duration::from_secs(100);

/// Runs the whole suite. `pass` lets time go by.
pub(crate) async fn check(store: &dyn CacheStore, pass: impl AsyncFn(Duration)) {
    let space = |module: &str, version| {
        store.space(&Space {
            module: module.to_owned(),
            version,
        })
    };
    let blog = space("blog", 1);
    values_are_kept_replaced_and_deleted(&*blog).await;
    many_at_once(&*blog).await;
    counters_count(&*blog).await;
    only_what_is_expected_is_replaced(&*blog).await;
    values_expire(&*blog, &pass).await;
    own_keys_are_cleared_by_prefix(&*blog).await;
    nothing_is_shared_with_others(&*blog, &*space("auth", 1), &*space("blog", 2)).await;
    a_lock_has_one_holder(&*blog, &*space("blog", 2), &*space("auth", 1)).await;
    a_lock_ends_with_its_lease_and_the_fence_grows(&*blog, &pass).await;
    sixty_four_tasks_never_hold_one_lock_at_once(blog).await;
}

fn text(value: &'static str) -> Bytes {
    Bytes::from_static(value.as_bytes())
}

async fn values_are_kept_replaced_and_deleted(cache: &dyn CacheSpace) {
    assert_eq!(cache.get("a").await, Ok(None));
    assert_eq!(cache.delete("a").await, Ok(false));
    for value in [
        Bytes::from_static(b""),
        Bytes::from_static(b"\x00\xff"),
        Bytes::from(vec![7; 100_000]),
    ] {
        cache.set("a", value.clone(), None).await.unwrap();
        assert_eq!(cache.get("a").await, Ok(Some(value)));
    }
    cache.set("\u{1f980} {x} *?[a]", text("odd"), Some(LONG)).await.unwrap();
    assert_eq!(cache.get("\u{1f980} {x} *?[a]").await, Ok(Some(text("odd"))));
    assert_eq!(cache.delete("a").await, Ok(true));
    assert_eq!(cache.get("a").await, Ok(None));
}

async fn many_at_once(cache: &dyn CacheSpace) {
    let entries = vec![("m1".to_owned(), text("1")), ("m2".to_owned(), text("2"))];
    cache.set_many(entries, Some(LONG)).await.unwrap();
    assert_eq!(
        cache.get_many(&["m2", "none", "m1"]).await,
        Ok(vec![Some(text("2")), None, Some(text("1"))])
    );
    assert!(matches!(cache.ttl("m1").await, Ok(Left::Time(left)) if left <= LONG));
    assert_eq!(cache.delete_many(&["m1", "none", "m2"]).await, Ok(2));
    assert_eq!(cache.get_many(&[]).await, Ok(vec![]));
    assert_eq!(cache.delete_many(&[]).await, Ok(0));
    cache.set_many(vec![], None).await.unwrap();
}

async fn counters_count(cache: &dyn CacheSpace) {
    assert_eq!(cache.increment("n", 5, Some(LONG)).await, Ok(5));
    assert_eq!(cache.increment("n", -7, None).await, Ok(-2));
    assert!(
        matches!(cache.ttl("n").await, Ok(Left::Time(_))),
        "a later increment keeps the time"
    );
    assert_eq!(cache.get("n").await, Ok(Some(text("-2"))));
    cache.set("n", text("x"), None).await.unwrap();
    assert_eq!(cache.increment("n", 1, None).await, Err(CacheError::NotANumber));
    cache.set("n", Bytes::from(i64::MAX.to_string()), None).await.unwrap();
    assert_eq!(cache.increment("n", 1, None).await, Err(CacheError::NotANumber));
    assert_eq!(cache.get("n").await, Ok(Some(Bytes::from(i64::MAX.to_string()))));
}

async fn only_what_is_expected_is_replaced(cache: &dyn CacheSpace) {
    let key = "cas";
    assert_eq!(cache.compare_and_set(key, Some(text("a")), Some(text("b")), None).await, Ok(false));
    assert_eq!(cache.compare_and_set(key, None, Some(text("a")), Some(LONG)).await, Ok(true));
    assert!(matches!(cache.ttl(key).await, Ok(Left::Time(_))));
    assert_eq!(cache.compare_and_set(key, None, Some(text("b")), None).await, Ok(false));
    assert_eq!(cache.compare_and_set(key, Some(text("a")), Some(text("b")), None).await, Ok(true));
    assert_eq!(cache.ttl(key).await, Ok(Left::Forever));
    assert_eq!(cache.get(key).await, Ok(Some(text("b"))));
    assert_eq!(cache.compare_and_set(key, Some(text("b")), None, None).await, Ok(true));
    assert_eq!(cache.get(key).await, Ok(None));
}

async fn values_expire(cache: &dyn CacheSpace, pass: &impl AsyncFn(Duration)) {
    let short = Duration::from_millis(300);
    assert_eq!(cache.ttl("e").await, Ok(Left::Missing));
    assert_eq!(cache.touch("e", Some(LONG)).await, Ok(false));
    cache.set("e", text("1"), Some(short)).await.unwrap();
    cache.set("touched", text("1"), Some(short)).await.unwrap();
    cache.set("kept", text("1"), Some(short)).await.unwrap();
    assert_eq!(cache.touch("touched", Some(LONG)).await, Ok(true));
    assert_eq!(cache.touch("kept", None).await, Ok(true));
    assert_eq!(cache.ttl("kept").await, Ok(Left::Forever));
    assert_eq!(cache.increment("en", 4, Some(short)).await, Ok(4));
    pass(short * 2).await;
    assert_eq!(cache.get("e").await, Ok(None));
    assert_eq!(cache.ttl("e").await, Ok(Left::Missing));
    assert_eq!(cache.get_many(&["e", "touched", "kept"]).await.unwrap().iter().flatten().count(), 2);
    assert_eq!(cache.increment("en", 1, None).await, Ok(1), "an expired counter begins again");
    assert_eq!(cache.compare_and_set("e", None, Some(text("2")), None).await, Ok(true));
    assert_eq!(cache.delete_many(&["e", "touched", "kept", "en"]).await, Ok(4));
}

async fn own_keys_are_cleared_by_prefix(cache: &dyn CacheSpace) {
    for key in ["p:*1", "p:*2", "p:x", "q"] {
        cache.set(key, text("1"), None).await.unwrap();
    }
    assert_eq!(cache.clear("p:*").await, Ok(2), "the prefix is no pattern");
    assert_eq!(cache.get("p:x").await, Ok(Some(text("1"))));
    let many: Vec<_> = (0..1_500).map(|n| (format!("many:{n}"), text("1"))).collect();
    cache.set_many(many, None).await.unwrap();
    assert_eq!(cache.clear("many:").await, Ok(1_500));
    assert_eq!(cache.get("q").await, Ok(Some(text("1"))));
}

async fn nothing_is_shared_with_others(blog: &dyn CacheSpace, auth: &dyn CacheSpace, newer: &dyn CacheSpace) {
    blog.set("own", text("blog"), None).await.unwrap();
    for other in [auth, newer] {
        assert_eq!(other.get("own").await, Ok(None));
        assert_eq!(other.clear("").await, Ok(0));
    }
    assert_eq!(blog.get("own").await, Ok(Some(text("blog"))));
}

async fn a_lock_has_one_holder(blog: &dyn CacheSpace, newer: &dyn CacheSpace, auth: &dyn CacheSpace) {
    let held = blog.lock("l", LONG).await.unwrap().unwrap();
    assert_eq!(blog.lock("l", LONG).await, Ok(None));
    assert_eq!(newer.lock("l", LONG).await, Ok(None), "versions of a module share its locks");
    assert!(auth.lock("l", LONG).await.unwrap().is_some());
    let mut foreign = held;
    foreign.owner ^= 1;
    assert_eq!(blog.unlock("l", foreign).await, Ok(false));
    assert_eq!(blog.renew("l", foreign, LONG).await, Ok(false));
    assert_eq!(blog.renew("l", held, LONG).await, Ok(true));
    assert_eq!(blog.unlock("l", held).await, Ok(true));
    assert_eq!(blog.unlock("l", held).await, Ok(false));
    let next = blog.lock("l", LONG).await.unwrap().unwrap();
    assert!(next.fence > held.fence);
    blog.clear("").await.unwrap();
    assert_eq!(blog.lock("l", LONG).await, Ok(None), "clearing values takes no lock away");
    assert_eq!(blog.unlock("l", next).await, Ok(true));
}

async fn a_lock_ends_with_its_lease_and_the_fence_grows(cache: &dyn CacheSpace, pass: &impl AsyncFn(Duration)) {
    let lease = Duration::from_millis(300);
    let late = cache.lock("lease", lease).await.unwrap().unwrap();
    pass(lease * 2).await;
    assert_eq!(cache.renew("lease", late, lease).await, Ok(false));
    let next = cache.lock("lease", LONG).await.unwrap().unwrap();
    assert!(next.fence > late.fence, "{next:?} after {late:?}");
    assert_eq!(cache.unlock("lease", late).await, Ok(false), "who is late takes nobody's lock away");
    assert_eq!(cache.renew("lease", next, LONG).await, Ok(true));
}

async fn sixty_four_tasks_never_hold_one_lock_at_once(cache: Arc<dyn CacheSpace>) {
    let (inside, entered) = (Arc::new(AtomicU64::new(0)), Arc::new(std::sync::Mutex::new(Vec::new())));
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let (cache, inside, entered) = (cache.clone(), inside.clone(), entered.clone());
            tokio::spawn(async move {
                loop {
                    if let Some(token) = cache.lock("crowd", LONG).await.unwrap() {
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two holders");
                        tokio::task::yield_now().await;
                        entered.lock().unwrap().push(token.fence);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        assert_eq!(cache.unlock("crowd", token).await, Ok(true));
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            })
        })
        .collect();
    for task in tasks {
        tokio::time::timeout(Duration::from_secs(60), task).await.unwrap().unwrap();
    }
    let fences = entered.lock().unwrap().clone();
    assert!(fences.is_sorted(), "the fence did not grow with each holder");
    assert_eq!(fences.iter().collect::<BTreeSet<_>>().len(), 64);
}

//! On the store in memory, which outlives what counts it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;
use crate::ports::blobs::contract::{self, key, write};
use crate::ports::blobs::{Condition, MemoryBlobs};

fn quotas(all: u64) -> Quotas {
    Quotas { all, ..Quotas::default() }
}

fn store(quota: u64) -> QuotaBlobs {
    QuotaBlobs::new(Arc::new(MemoryBlobs::new()), quotas(quota))
}

async fn put(store: &QuotaBlobs, name: &str, bytes: usize) -> Result<Meta, BlobError> {
    write(store, "m", name, &vec![7; bytes], Put::default()).await
}

fn is_over(result: Result<Meta, BlobError>) -> bool {
    matches!(result, Err(BlobError::OverQuota { .. }))
}

#[tokio::test]
async fn a_store_with_a_quota_keeps_the_contract_of_stores() {
    contract::check(&store(1 << 30), true).await;
    contract::check(&QuotaBlobs::new(Arc::new(MemoryBlobs::new()), Quotas::default()), true).await;
}

#[tokio::test]
async fn a_blob_that_goes_over_is_refused_and_what_is_deleted_makes_room() {
    let store = store(100);
    put(&store, "a", 60).await.unwrap();
    let refused = put(&store, "b", 41).await.unwrap_err().to_string();
    assert!(
        refused.contains("60 bytes") && refused.contains("41 more") && refused.contains("at most 100"),
        "{refused}"
    );
    put(&store, "b", 40).await.unwrap();
    assert_eq!(store.known("m"), Some((100, 100)));
    assert!(is_over(put(&store, "c", 1).await));
    store.delete("m", &key("a")).await.unwrap();
    store.delete("m", &key("a")).await.unwrap();
    assert_eq!(store.known("m"), Some((40, 100)));
    put(&store, "c", 60).await.unwrap();
}

#[tokio::test]
async fn a_blob_that_is_replaced_counts_until_the_new_one_is_there() {
    let store = store(100);
    put(&store, "a", 60).await.unwrap();
    assert!(is_over(put(&store, "a", 50).await), "both are there for a moment");
    put(&store, "a", 40).await.unwrap();
    assert_eq!(store.known("m"), Some((40, 100)));
    store.copy("m", &key("a"), &key("b")).await.unwrap();
    assert_eq!(store.known("m"), Some((80, 100)));
    assert!(is_over(store.copy("m", &key("a"), &key("c")).await));
    assert_eq!(store.known("m"), Some((80, 100)));
}

#[tokio::test]
async fn uploads_that_were_dropped_or_refused_give_back_what_they_had() {
    let store = store(100);
    let mut upload = store.put("m", &key("a"), Put::default()).await.unwrap();
    upload.write(Bytes::from(vec![1; 100])).await.unwrap();
    assert!(is_over(put(&store, "b", 1).await));
    drop(upload);
    put(&store, "b", 10).await.unwrap();
    let absent = Put {
        condition: Condition::Absent,
        ..Put::default()
    };
    let mut late = store.put("m", &key("c"), absent).await.unwrap();
    late.write(Bytes::from(vec![1; 50])).await.unwrap();
    put(&store, "c", 40).await.unwrap();
    assert!(late.finish().await.is_err(), "somebody else was first");
    assert_eq!(store.known("m"), Some((50, 100)));
    put(&store, "d", 50).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_do_not_go_over() {
    let store = Arc::new(store(1000));
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..50 {
        let store = store.clone();
        writers.spawn(async move {
            let mut upload = store.put("m", &key(&number.to_string()), Put::default()).await.unwrap();
            for _ in 0..10 {
                upload.write(Bytes::from(vec![1; 10])).await?;
                tokio::task::yield_now().await;
            }
            upload.finish().await
        });
    }
    let done = writers.join_all().await;
    let kept = done.iter().filter(|result| result.is_ok()).count() as u64;
    assert!(done.iter().flatten().all(|meta| meta.size == 100));
    assert!((1..=10).contains(&kept), "{kept}");
    assert_eq!(count(&*store, "m").await.unwrap(), (kept, kept * 100));
    assert_eq!(store.known("m"), Some((kept * 100, 1000)));
    put(&store, "rest", 1000 - usize::try_from(kept * 100).unwrap()).await.unwrap();
}

#[tokio::test]
async fn single_modules_have_quotas_of_their_own_and_others_none() {
    let of = BTreeMap::from([("m".to_owned(), 10)]);
    let quotas = Quotas { of, ..Quotas::default() };
    let store = QuotaBlobs::new(Arc::new(MemoryBlobs::new()), quotas);
    assert!(is_over(put(&store, "a", 11).await));
    write(&store, "n", "a", &[1; 1000], Put::default()).await.unwrap();
    assert_eq!(store.known("n"), None);
}

#[tokio::test]
async fn what_was_there_before_a_restart_counts() {
    let kept: Arc<dyn Blobs> = Arc::new(MemoryBlobs::new());
    let open = || QuotaBlobs::new(Arc::clone(&kept), quotas(100));
    put(&open(), "a/b", 60).await.unwrap();
    let again = open();
    assert_eq!(again.known("m"), None, "nothing is counted before somebody asks");
    assert!(is_over(put(&again, "c", 41).await));
    assert_eq!(again.known("m"), Some((60, 100)));
    put(&again, "c", 40).await.unwrap();
}

#[tokio::test]
async fn what_others_wrote_is_counted_after_a_while() {
    let shared: Arc<dyn Blobs> = Arc::new(MemoryBlobs::new());
    let node = |recount| {
        let quotas = Quotas { recount, ..quotas(100) };
        QuotaBlobs::new(Arc::clone(&shared), quotas)
    };
    let (patient, eager) = (node(Some(Duration::from_secs(3600))), node(Some(Duration::ZERO)));
    put(&patient, "a", 10).await.unwrap();
    put(&eager, "b", 80).await.unwrap();
    assert_eq!(patient.known("m"), Some((10, 100)));
    assert!(is_over(put(&eager, "c", 11).await), "it has seen what the other wrote");
}

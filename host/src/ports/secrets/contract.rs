//! What every table of sealed secrets must do.
#![allow(clippy::unwrap_used, reason = "tests")]

use jiff::Timestamp;

use super::{Sealed, SealedStore};

/// Runs the whole suite on an empty table.
pub(crate) async fn check(store: &dyn SealedStore) {
    assert!(store.all_sealed().await.unwrap().is_empty());
    assert!(store.sealed("blog", "key").await.unwrap().is_none());
    let (one, two) = (sealed("blog", "key", "k1", b"\x00\xff"), sealed("auth", "key", "k1", b"b"));
    store.put_sealed(&one).await.unwrap();
    store.put_sealed(&two).await.unwrap();
    assert_eq!(store.sealed("blog", "key").await.unwrap(), Some(one.clone()));
    assert_eq!(store.all_sealed().await.unwrap(), [two.clone(), one.clone()]);

    let newer = sealed("blog", "key", "k1", b"newer");
    store.put_sealed(&newer).await.unwrap();
    let resealed = |old: &Sealed| Sealed {
        key_id: "k2".to_owned(),
        sealed: b"again".to_vec(),
        ..old.clone()
    };
    let pairs = [(one.clone(), resealed(&one)), (two.clone(), resealed(&two))];
    assert_eq!(store.reseal(&pairs).await.unwrap(), 1, "one was set again meanwhile and stays");
    assert_eq!(store.sealed("blog", "key").await.unwrap(), Some(newer));
    assert_eq!(store.sealed("auth", "key").await.unwrap(), Some(resealed(&two)));

    assert!(store.delete_sealed("blog", "key").await.unwrap());
    assert!(!store.delete_sealed("blog", "key").await.unwrap());
    assert!(store.sealed("blog", "key").await.unwrap().is_none());
}

fn sealed(module: &str, name: &str, key_id: &str, bytes: &[u8]) -> Sealed {
    Sealed {
        module: module.to_owned(),
        name: name.to_owned(),
        key_id: key_id.to_owned(),
        sealed: bytes.to_vec(),
        changed: Timestamp::from_second(1_700_000_000).unwrap(),
    }
}

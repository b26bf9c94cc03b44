//! What every store of blobs promises, as one suite that each of them passes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::{Access, BlobError, Blobs, Condition, Found, Key, Meta, Put, Span, hex};

/// The suite. `is_exact`: the store knows the hash of a large blob later, and takes a key that is a folder of others too: S3 itself
/// does the second, and not every store with its API. Other modules' blobs may be there.
pub(crate) async fn check(blobs: &dyn Blobs, is_exact: bool) {
    let module = format!("m{}", uuid::Uuid::now_v7().simple());
    let module = module.as_str();
    what_is_put_is_got(blobs, module).await;
    a_large_one_comes_back_as_it_was(blobs, module, is_exact).await;
    ranges_are_cut_to_the_size(blobs, module).await;
    conditions_hold(blobs, module).await;
    pages_follow_each_other(blobs, module, is_exact).await;
    what_is_deleted_is_gone(blobs, module, is_exact).await;
    a_copy_is_its_own(blobs, module).await;
    an_upload_that_is_dropped_leaves_nothing(blobs, module).await;
    one_writer_of_many_wins(blobs, module).await;
    modules_do_not_see_each_other(blobs, module).await;
    what_cannot_be_kept_is_refused(blobs, module).await;
}

pub(crate) fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

pub(crate) async fn write(blobs: &dyn Blobs, module: &str, name: &str, content: &[u8], put: Put) -> Result<Meta, BlobError> {
    let name = key(name);
    let mut upload = blobs.put(module, &name, put).await?;
    for piece in content.chunks(300_000) {
        upload.write(Bytes::copy_from_slice(piece)).await?;
    }
    upload.finish().await
}

pub(crate) async fn read(mut found: Found) -> Result<Vec<u8>, BlobError> {
    let mut content = Vec::new();
    while let Some(piece) = found.content.next().await? {
        assert!(!piece.is_empty(), "only the end is empty");
        content.extend_from_slice(&piece);
    }
    assert_eq!(content.len() as u64, found.range.end - found.range.start);
    Ok(content)
}

fn absent() -> Put {
    Put {
        condition: Condition::Absent,
        ..Put::default()
    }
}

fn matches(etag: &str) -> Put {
    Put {
        condition: Condition::Matches(etag.to_owned()),
        ..Put::default()
    }
}

async fn what_is_put_is_got(blobs: &dyn Blobs, module: &str) {
    let put = Put {
        content_type: "image/png".into(),
        metadata: BTreeMap::from([("owner".into(), "Ada L.".into())]),
        condition: Condition::None,
    };
    let made = write(blobs, module, "users/1/a.png", b"picture", put.clone()).await.unwrap();
    let found = blobs.get(module, &key("users/1/a.png"), None).await.unwrap();
    for meta in [&made, &found.meta, &blobs.head(module, &key("users/1/a.png")).await.unwrap()] {
        assert_eq!(
            (meta.size, meta.content_type.as_str(), &meta.metadata),
            (7, "image/png", &put.metadata)
        );
        assert_eq!(meta.sha256, hex(&Sha256::digest(b"picture")));
        assert_eq!(meta.etag, made.etag);
    }
    assert_eq!(read(found).await.unwrap(), b"picture");
    // Written again, it is another; nothing of the old is left.
    let again = write(blobs, module, "users/1/a.png", b"", Put::default()).await.unwrap();
    assert_ne!(again.etag, made.etag);
    let found = blobs.get(module, &key("users/1/a.png"), None).await.unwrap();
    assert_eq!((found.meta.size, found.meta.metadata.len()), (0, 0));
    assert_eq!(read(found).await.unwrap(), b"");
}

async fn a_large_one_comes_back_as_it_was(blobs: &dyn Blobs, module: &str, is_exact: bool) {
    let content: Vec<u8> = (0..20_000_003_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let hash = hex(&Sha256::digest(&content));
    let put = Put {
        content_type: "video/mp4".into(),
        metadata: BTreeMap::from([("title".into(), "long".into())]),
        condition: Condition::None,
    };
    let made = write(blobs, module, "large", &content, put).await.unwrap();
    assert_eq!((made.size, &made.sha256), (content.len() as u64, &hash));
    let found = blobs.get(module, &key("large"), None).await.unwrap();
    assert_eq!((found.meta.content_type.as_str(), found.meta.metadata.len()), ("video/mp4", 1));
    assert!(found.meta.sha256 == hash || (!is_exact && found.meta.sha256.is_empty()));
    assert!(read(found).await.unwrap() == content, "content differs");
    let span = Span {
        start: 15_000_000,
        end: Some(15_000_010),
    };
    let part = blobs.get(module, &key("large"), Some(span)).await.unwrap();
    assert_eq!(read(part).await.unwrap(), &content[15_000_000..15_000_010]);
    blobs.delete(module, &key("large")).await.unwrap();
}

async fn ranges_are_cut_to_the_size(blobs: &dyn Blobs, module: &str) {
    write(blobs, module, "range", b"0123456789", Put::default()).await.unwrap();
    for (start, end, expected) in [
        (0, None, "0123456789"),
        (3, None, "3456789"),
        (3, Some(5), "34"),
        (8, Some(99), "89"),
        (0, Some(1), "0"),
    ] {
        let found = blobs.get(module, &key("range"), Some(Span { start, end })).await.unwrap();
        assert_eq!(found.meta.size, 10);
        assert_eq!(read(found).await.unwrap(), expected.as_bytes(), "{start}..{end:?}");
    }
    let error = blobs
        .get(module, &key("range"), Some(Span { start: 10, end: None }))
        .await
        .unwrap_err();
    assert!(matches!(error, BlobError::Range { size: 10, start: 10, .. }), "{error:?}");
}

async fn conditions_hold(blobs: &dyn Blobs, module: &str) {
    let first = write(blobs, module, "condition", b"1", absent()).await.unwrap();
    let error = write(blobs, module, "condition", b"2", absent()).await.unwrap_err();
    assert!(matches!(error, BlobError::Condition { .. }), "{error:?}");
    let second = write(blobs, module, "condition", b"22", matches(&first.etag)).await.unwrap();
    let error = write(blobs, module, "condition", b"333", matches(&first.etag)).await.unwrap_err();
    assert!(matches!(error, BlobError::Condition { .. }), "{error:?}");
    assert_eq!(blobs.head(module, &key("condition")).await.unwrap().etag, second.etag);
    let error = write(blobs, module, "condition-none", b"1", matches(&first.etag))
        .await
        .unwrap_err();
    assert!(
        matches!(error, BlobError::Condition { .. } | BlobError::NotFound { .. }),
        "{error:?}"
    );
}

async fn pages_follow_each_other(blobs: &dyn Blobs, module: &str, is_exact: bool) {
    let mut names = vec!["list/a/b", "list/a/z", "list/b", "list/b2", "list/c/d", "list2/x"];
    if is_exact {
        names.extend(["list/a", "list/a/b/c"]);
        names.sort_unstable();
    }
    for name in &names {
        write(blobs, module, name, name.as_bytes(), Put::default()).await.unwrap();
    }
    names.retain(|name| name.starts_with("list/"));
    assert!(names.is_sorted());
    for limit in [1, 2, 3, 100] {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = blobs.list(module, "list/", &after, limit).await.unwrap();
            assert!(page.entries.len() <= limit);
            seen.extend(page.entries.iter().map(|entry| entry.key.clone()));
            match page.entries.last() {
                Some(last) if page.has_more => after.clone_from(&last.key),
                _ => break,
            }
        }
        assert_eq!(seen, names, "{limit} a page");
    }
    let page = blobs.list(module, "list/b", "", 10).await.unwrap();
    let found: Vec<_> = page.entries.iter().map(|entry| (entry.key.as_str(), entry.size)).collect();
    assert_eq!((found, page.has_more), (vec![("list/b", 6), ("list/b2", 7)], false));
    assert!(blobs.list(module, "nothing", "", 10).await.unwrap().entries.is_empty());
}

async fn what_is_deleted_is_gone(blobs: &dyn Blobs, module: &str, is_exact: bool) {
    write(blobs, module, "gone/one", b"1", Put::default()).await.unwrap();
    blobs.delete(module, &key("gone/one")).await.unwrap();
    blobs.delete(module, &key("gone/one")).await.unwrap();
    let error = blobs.head(module, &key("gone/one")).await.unwrap_err();
    assert!(matches!(error, BlobError::NotFound { .. }), "{error:?}");
    let error = blobs.get(module, &key("gone/one"), None).await.unwrap_err();
    assert!(matches!(error, BlobError::NotFound { .. }), "{error:?}");
    // Its folder is no obstacle.
    if is_exact {
        write(blobs, module, "gone", b"1", absent()).await.unwrap();
    }
}

async fn a_copy_is_its_own(blobs: &dyn Blobs, module: &str) {
    let put = Put {
        content_type: "text/plain".into(),
        metadata: BTreeMap::from([("a".into(), "b".into())]),
        condition: Condition::None,
    };
    let made = write(blobs, module, "copy/from", b"text", put).await.unwrap();
    let copied = blobs.copy(module, &key("copy/from"), &key("copy/to")).await.unwrap();
    assert_eq!(
        (copied.size, copied.content_type.as_str(), &copied.metadata),
        (4, "text/plain", &made.metadata)
    );
    blobs.delete(module, &key("copy/from")).await.unwrap();
    assert_eq!(
        read(blobs.get(module, &key("copy/to"), None).await.unwrap()).await.unwrap(),
        b"text"
    );
    let error = blobs.copy(module, &key("copy/from"), &key("copy/to")).await.unwrap_err();
    assert!(matches!(error, BlobError::NotFound { .. }), "{error:?}");
}

async fn an_upload_that_is_dropped_leaves_nothing(blobs: &dyn Blobs, module: &str) {
    let name = key("dropped");
    let mut upload = blobs.put(module, &name, Put::default()).await.unwrap();
    upload.write(Bytes::from(vec![1; 9_000_000])).await.unwrap();
    upload.write(Bytes::from(vec![1; 9_000_000])).await.unwrap();
    drop(upload);
    assert!(matches!(blobs.head(module, &name).await.unwrap_err(), BlobError::NotFound { .. }));
    assert!(blobs.list(module, "dropped", "", 10).await.unwrap().entries.is_empty());
}

async fn one_writer_of_many_wins(blobs: &dyn Blobs, module: &str) {
    let writers = (0..8_u8).map(|n| async move { write(blobs, module, "race", &[n; 5], absent()).await });
    let ended: Vec<_> = futures_util::future::join_all(writers).await;
    assert_eq!(ended.iter().filter(|result| result.is_ok()).count(), 1, "{ended:?}");
    let content = read(blobs.get(module, &key("race"), None).await.unwrap()).await.unwrap();
    assert!(content.len() == 5 && content.iter().all(|byte| Some(byte) == content.first()));
}

async fn modules_do_not_see_each_other(blobs: &dyn Blobs, module: &str) {
    let other = format!("{module}-b");
    write(blobs, module, "mine", b"1", Put::default()).await.unwrap();
    assert!(matches!(
        blobs.head(&other, &key("mine")).await.unwrap_err(),
        BlobError::NotFound { .. }
    ));
    assert!(blobs.list(&other, "", "", 10).await.unwrap().entries.is_empty());
}

async fn what_cannot_be_kept_is_refused(blobs: &dyn Blobs, module: &str) {
    for (name, value) in [
        ("Upper", "x"),
        ("", "x"),
        ("wharf-sha256", "x"),
        ("a", "line\nline"),
        ("a", ""),
        ("a", "é"),
    ] {
        let put = Put {
            metadata: BTreeMap::from([(name.into(), value.into())]),
            ..Put::default()
        };
        let error = blobs.put(module, &key("refused"), put).await.err().expect("refused");
        assert!(matches!(error, BlobError::Invalid(_)), "{error:?}");
    }
    // A store with addresses of its own has one that says who signed it; the host's are tested with the host.
    let signed = blobs
        .presign(module, &key("mine"), Access::Get, Duration::from_secs(60))
        .await
        .unwrap();
    assert!(signed.is_none_or(|url| url.starts_with("http")));
}

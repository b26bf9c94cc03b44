//! The S3 adapter against a real server; killed under load, nothing that was acknowledged is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use wharf_tests::backends::{Backend, S3};

use super::{S3Blobs, S3Settings};
use crate::config::Secret;
use crate::ports::blobs::contract::{check, key, read, write};
use crate::ports::blobs::{Access, BlobError, Blobs as _, Put};

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `make test-servers`, or `with-servers -- cargo test ...`"))
}

fn settings(value: impl Fn(&str) -> String) -> S3Settings {
    S3Settings {
        endpoint: value("WHARF_TEST_S3_URL"),
        public_endpoint: None,
        region: "us-east-1".into(),
        bucket: value("WHARF_TEST_S3_BUCKET"),
        prefix: "blobs".into(),
        key: value("WHARF_TEST_S3_KEY"),
        secret: Secret::new(value("WHARF_TEST_S3_SECRET")),
        path_style: true,
        timeout: Duration::from_secs(10),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_s3_adapter_keeps_the_contract() {
    let blobs = S3Blobs::new(&settings(variable)).unwrap();
    check(&blobs, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_refused_and_no_secret_is_told() {
    let mut wrong = settings(variable);
    wrong.secret = Secret::new("canary-of-secrets");
    let error = S3Blobs::new(&wrong).unwrap().head("m", &key("a")).await.unwrap_err();
    assert!(matches!(error, BlobError::Unavailable { .. }), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("canary"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_reads_and_writes_at_a_signed_address_and_nobody_at_a_changed_one() {
    let blobs = S3Blobs::new(&settings(variable)).unwrap();
    write(&blobs, "signed", "a", b"for all", Put::default()).await.unwrap();
    let client = reqwest::Client::new();
    let get = blobs
        .presign("signed", &key("a"), Access::Get, Duration::from_secs(60))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(client.get(&get).send().await.unwrap().text().await.unwrap(), "for all");
    let put = blobs
        .presign("signed", &key("b"), Access::Put, Duration::from_secs(60))
        .await
        .unwrap()
        .unwrap();
    assert!(client.put(&put).body("theirs").send().await.unwrap().status().is_success());
    let found = blobs.get("signed", &key("b"), None).await.unwrap();
    assert_eq!(read(found).await.unwrap(), b"theirs");
    for refused in [client.put(&get).body("x"), client.get(get.replace("/a?", "/b?"))] {
        assert_eq!(refused.send().await.unwrap().status(), 403);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_store_that_is_killed_under_load() {
    let mut server = tokio::task::spawn_blocking(|| Backend::start(S3)).await.unwrap();
    let blobs = Arc::new(S3Blobs::new(&settings(|name| server.variable(name))).unwrap());
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let writers: Vec<_> = (0..4_u32)
        .map(|writer| {
            let (blobs, stop, written) = (blobs.clone(), stop.clone(), written.clone());
            tokio::spawn(async move {
                let (mut kept, mut errors) = (Vec::new(), 0_u32);
                for n in 0_u32.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let name = format!("load/{writer}/{n}");
                    match write(&*blobs, "m", &name, name.as_bytes(), Put::default()).await {
                        Ok(_) => {
                            kept.push(name);
                            written.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(BlobError::Unavailable { .. }) => errors += 1,
                        Err(other) => panic!("{other:?}"),
                    }
                }
                (kept, errors)
            })
        })
        .collect();
    let more = |count: u32| {
        let written = written.clone();
        async move {
            let goal = written.load(Ordering::Relaxed) + count;
            let reached = async {
                while written.load(Ordering::Relaxed) < goal {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(60), reached).await.expect("writers go on");
        }
    };
    for _ in 0..2 {
        more(50).await;
        server = tokio::task::spawn_blocking(move || {
            server.restart();
            server
        })
        .await
        .unwrap();
    }
    more(50).await;
    stop.store(true, Ordering::Relaxed);
    let (mut lost, mut kept) = (Vec::new(), 0);
    for writer in writers {
        let (names, _errors) = writer.await.unwrap();
        for name in names {
            kept += 1;
            let found = match blobs.get("m", &key(&name), None).await {
                Ok(found) => read(found).await.ok(),
                Err(_) => None,
            };
            if found.as_deref() != Some(name.as_bytes()) {
                lost.push(name);
            }
        }
    }
    assert!(
        kept >= 150 && lost.is_empty(),
        "{} of {kept} acknowledged blobs are lost: {lost:?}",
        lost.len()
    );
}

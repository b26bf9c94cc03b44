//! What hosts watch: keys and revocations.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tonic::Code;
use wharf_proto::auth::v1::keys_client::KeysClient;
use wharf_proto::auth::v1::revocation::What;
use wharf_proto::auth::v1::revocations_client::RevocationsClient;
use wharf_proto::auth::v1::{KeySet, RevocationsUpdate, WatchKeysRequest, WatchRevocationsRequest};

use crate::rig::{Rig, part};

const SOON: Duration = Duration::from_secs(20);

async fn rig(config: Value) -> Rig {
    let builder = Rig::builder(config).allow("user:watcher", "auth.source.watch").allow("host", "*");
    Rig {
        host: builder.start().await,
    }
}

/// The next message of a stream.
async fn next<T>(stream: &mut tonic::Streaming<T>) -> T {
    let message = tokio::time::timeout(SOON, stream.message()).await.expect("a message in time");
    message.unwrap().expect("the stream stays open")
}

async fn revocations(rig: &Rig) -> tonic::Streaming<RevocationsUpdate> {
    let mut client = RevocationsClient::new(rig.host.as_user("watcher").grpc());
    client.watch(WatchRevocationsRequest {}).await.unwrap().into_inner()
}

fn sessions(update: &RevocationsUpdate) -> Vec<String> {
    let session = |what: &Option<What>| match what {
        Some(What::Session(id)) => Some(id.clone()),
        _ => None,
    };
    update
        .revocations
        .iter()
        .filter_map(|revocation| session(&revocation.what))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_watches_keys_is_told_them_now_and_when_another_one_comes() {
    let rig = rig(json!({ "key_seconds": 4, "key_published_before_seconds": 3, "public_url": "https://wharf.example.org" })).await;
    let mut stream = KeysClient::new(rig.host.as_user("watcher").grpc())
        .watch(WatchKeysRequest {})
        .await
        .unwrap()
        .into_inner();
    let first: KeySet = next(&mut stream).await;
    assert_eq!((first.issuer.as_str(), first.keys.len()), ("https://wharf.example.org/auth", 1));
    assert_eq!(first.keys[0].algorithm, "EdDSA");
    assert!(!first.keys[0].jwk.contains("\"d\""), "a private key is told");
    let token = rig.tokens("ada").await.access;
    assert_eq!(part(&token, 0)["kid"], first.keys[0].id);

    let until = Instant::now() + SOON;
    let second = loop {
        rig.host.run_job("auth", "tend").await;
        match tokio::time::timeout(Duration::from_millis(300), stream.message()).await {
            Ok(message) => {
                let told = message.unwrap().unwrap();
                if told.keys.len() > 1 {
                    break told;
                }
            }
            Err(_) => assert!(Instant::now() < until, "no other key came"),
        }
    };
    assert!(second.epoch > first.epoch);
    assert!(second.keys.iter().any(|key| key.id == first.keys[0].id), "the first key is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_watches_revocations_is_told_all_and_then_what_comes() {
    let rig = rig(json!({})).await;
    let mut stream = revocations(&rig).await;
    let before = next(&mut stream).await;
    assert!(before.snapshot && before.revocations.is_empty(), "{before:?}");
    let mut epoch = before.epoch;
    let mut ended = Vec::new();
    for _ in 0..3 {
        let tokens = rig.tokens("ada").await;
        let id = part(&tokens.access, 1)["sid"].as_str().unwrap().to_owned();
        let revoked = rig.form("/auth/v1/revoke", &[("token", &tokens.refresh)]).await;
        assert_eq!(revoked.status, 200, "{}", revoked.text());
        let told = next(&mut stream).await;
        assert!(!told.snapshot && told.epoch > epoch, "{told:?}");
        assert_eq!(sessions(&told), std::slice::from_ref(&id));
        let forget = told.revocations[0].forget.unwrap().seconds;
        let now = jiff::Timestamp::now().as_second();
        assert!((now + 600..now + 700).contains(&forget), "to be forgotten in {} s", forget - now);
        epoch = told.epoch;
        ended.push(id);
    }
    // Whoever comes late is told all of it at once.
    let late = next(&mut revocations(&rig).await).await;
    assert!(late.snapshot && late.epoch == epoch, "{late:?}");
    assert_eq!(sessions(&late), ended);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_hosts_watch() {
    let rig = rig(json!({})).await;
    let refused = RevocationsClient::new(rig.host.as_user("ada").grpc())
        .watch(WatchRevocationsRequest {})
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    let refused = KeysClient::new(rig.host.grpc()).watch(WatchKeysRequest {}).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
}

//! What clients have open on other modules while one is replaced.

use std::io::{BufRead as _, BufReader};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;

use tokio::task::JoinHandle;
use tonic::transport::Channel;
use wharf_proto::blog::v1::WatchPostsRequest;
use wharf_proto::blog::v1::posts_client::PostsClient;
use wharf_tests::open;

use super::Scene;
use v1::greeter_client::GreeterClient;

/// The greeter's API, as a client generates it from its `.proto`.
mod v1 {
    #![allow(clippy::all, clippy::allow_attributes_without_reason, unreachable_pub, reason = "generated code")]

    include!("../../../plugins/greeter/src/gen/greeter.v1.rs");
}

/// Far more than a test lasts for.
const LIMIT: u32 = 100_000;
const INTERVAL_MS: u32 = 20;
/// Numbers between two exports.
const EXPORT_EVERY: usize = 25;

/// Streams of the greeter, over HTTP and gRPC, that may miss no number; and exports of analytics, one after the other, that may miss no line.
pub(crate) struct Bystanders {
    over: Arc<AtomicBool>,
    numbers: thread::JoinHandle<usize>,
    count: JoinHandle<usize>,
}

/// A stream of the changes of posts.
pub(crate) struct WatchedPosts {
    published: Arc<AtomicI64>,
    watching: JoinHandle<()>,
}

impl Bystanders {
    /// While `module` is replaced: exports are only of interest when it is another one than theirs.
    pub(crate) fn of(scene: &Scene, module: &str) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let address = scene.nodes[0].http();
        let has_exports = module != "analytics";
        let (ends, ada) = (Arc::clone(&over), scene.ada.clone());
        let numbers = thread::spawn(move || numbers_and_exports(address, &ada.token, has_exports, &ends));
        let (ends, channel) = (Arc::clone(&over), scene.connect(0));
        Self {
            over,
            numbers,
            count: scene.runtime.spawn(count(channel, ends)),
        }
    }

    /// All of them are open still and have missed nothing.
    pub(crate) fn went_on(self, scene: &Scene) {
        self.over.store(true, Ordering::SeqCst);
        let seen = self.numbers.join().expect("a stream elsewhere broke: what it said stands above");
        assert!(seen > 0, "a stream elsewhere said nothing");
        let seen = scene.runtime.block_on(self.count).expect("a gRPC stream elsewhere broke");
        assert!(seen > 0, "a gRPC stream elsewhere said nothing");
    }
}

impl WatchedPosts {
    pub(crate) fn of(scene: &Scene) -> Self {
        let published = Arc::new(AtomicI64::new(0));
        let counter = Arc::clone(&published);
        let request = scene.request(WatchPostsRequest::default());
        let mut client = PostsClient::new(scene.connect(0));
        let changes = scene.runtime.block_on(client.watch(request)).unwrap();
        let watching = scene.runtime.spawn(async move {
            let mut changes = changes.into_inner();
            while let Some(change) = changes.message().await.expect("a watch elsewhere broke") {
                counter.fetch_add(i64::from(change.what == "publish"), Ordering::SeqCst);
            }
            panic!("a watch elsewhere ended");
        });
        Self { published, watching }
    }

    /// It is open still and has told of so many.
    pub(crate) fn saw(&self, scene: &Scene, published: i64) {
        scene.wait("every published post to be told", || {
            assert!(!self.watching.is_finished(), "a watch elsewhere broke: what it said stands above");
            self.published.load(Ordering::SeqCst) >= published
        });
        assert_eq!(self.published.load(Ordering::SeqCst), published);
    }
}

/// The numbers set the pace of the exports.
fn numbers_and_exports(address: std::net::SocketAddr, token: &str, has_exports: bool, over: &AtomicBool) -> usize {
    let stream = open(address, &format!("/greeter/count?limit={LIMIT}&interval_ms={INTERVAL_MS}")).unwrap();
    let mut seen = 0;
    let first = export(address, token);
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap_or_else(|error| panic!("a stream elsewhere broke after {seen} numbers: {error}"));
        if over.load(Ordering::SeqCst) {
            return seen;
        }
        if let Some(number) = line.strip_prefix("data: ") {
            seen += 1;
            assert_eq!(number, seen.to_string());
            if has_exports && seen % EXPORT_EVERY == 0 {
                assert_eq!(export(address, token), first, "an export lost lines");
            }
        }
    }
    panic!("a stream elsewhere ended after {seen} numbers");
}

fn export(address: std::net::SocketAddr, token: &str) -> String {
    let path = "/analytics/export.csv?metric=identity.account.changed&grain=day";
    let bearer = format!("Bearer {token}");
    let answer = wharf_tests::send(address, "GET", path, &[("authorization", &bearer)], &[]).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

async fn count(channel: Channel, over: Arc<AtomicBool>) -> usize {
    let asked = v1::CountRequest {
        limit: LIMIT,
        interval_ms: INTERVAL_MS,
    };
    let mut numbers = GreeterClient::new(channel).count(asked).await.unwrap().into_inner();
    let mut seen = 0;
    while !over.load(Ordering::SeqCst) {
        let next = numbers.message().await.unwrap().expect("a number");
        seen += 1;
        assert_eq!(usize::try_from(next.number).unwrap(), seen);
    }
    seen
}

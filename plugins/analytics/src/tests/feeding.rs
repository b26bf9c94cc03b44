//! Events of modules that need not be there, published into a host as those modules would.

use jiff::Timestamp;
use serde_json::{Value, json};
use wharf_testing::{Builder, TestHost};

pub(super) const VIEWED: &str = "blog.post.viewed.v1";

/// A host with this module, and people who may read, write, or neither.
pub(super) fn builder() -> Builder {
    TestHost::builder()
        .module(crate::root())
        .allow("user:reader", "analytics.series.read")
        .allow("user:writer", "analytics.event.write")
}

pub(super) async fn host() -> TestHost {
    builder().start().await
}

/// A look at a post, so many seconds ago.
pub(super) async fn view(host: &TestHost, tenant: &str, post: &str, ago: i64) {
    let data = json!({ "post": post, "slug": "a-post", "at": before(ago).to_string() });
    host.events().publish(tenant, VIEWED, &data).await;
}

/// So many seconds ago.
pub(super) fn before(seconds: i64) -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second() - seconds).unwrap()
}

/// What somebody who may read is answered.
pub(super) async fn read(host: &TestHost, tenant: &str, path: &str) -> Value {
    let answer = host.as_user("reader").of_tenant(tenant).get(&format!("/analytics{path}")).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

/// Count and sum of a metric over the last three days.
pub(super) async fn totals(host: &TestHost, tenant: &str, metric: &str) -> (i64, i64) {
    let path = format!("/totals?metric={metric}&from={}", before(3 * 86_400));
    let found = read(host, tenant, &path).await;
    (found["count"].as_i64().unwrap(), found["sum"].as_i64().unwrap())
}

/// Counts one custom event.
pub(super) async fn record(host: &TestHost, tenant: &str, body: &Value) -> Value {
    let answer = host.as_user("writer").of_tenant(tenant).post("/analytics/events", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

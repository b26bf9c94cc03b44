//! The job that removes.

use serde_json::{Value, json};

use super::feeding::{before, builder, read, totals, view};

#[tokio::test]
async fn what_is_older_than_it_is_kept_is_removed_and_days_stay() {
    // What a host that keeps little would not have taken in: it is there from the time when it kept more.
    let generous = builder()
        .config("analytics", json!({ "minute_days": 20, "hour_days": 60 }))
        .start()
        .await;
    for days in [1, 5, 30] {
        view(&generous, "acme", "a", days * 86_400).await;
    }
    view(&generous, "other", "a", 5 * 86_400).await;
    generous.settle_events().await;
    let rows = async |host: &wharf_testing::TestHost, tenant: &str, grain: &str| {
        let path = format!("/analytics/export.csv?metric=blog.post.viewed&grain={grain}&dimension=post");
        let text = host.as_user("reader").of_tenant(tenant).get(&path).await.text();
        text.lines().count() - 1
    };
    assert_eq!(
        (rows(&generous, "acme", "minute").await, rows(&generous, "acme", "hour").await),
        (2, 3)
    );

    let strict = builder()
        .beside(&generous, "strict")
        .config("analytics", json!({ "minute_days": 2, "hour_days": 10 }))
        .start()
        .await;
    assert!(generous.stop().await.is_empty());
    strict.run_job("analytics", "retention").await;
    let runs = strict.events().runs("analytics", "retention").await;
    assert_eq!(runs[0].outcome, "ok", "{runs:?}");
    assert_eq!((rows(&strict, "acme", "minute").await, rows(&strict, "acme", "hour").await), (1, 2));
    assert_eq!(rows(&strict, "acme", "day").await, 3);
    assert_eq!(
        (rows(&strict, "other", "minute").await, rows(&strict, "other", "day").await),
        (0, 1)
    );
    strict.run_job("analytics", "retention").await;
    assert_eq!(rows(&strict, "acme", "day").await, 3);
    let old = read(
        &strict,
        "acme",
        &format!("/totals?metric=blog.post.viewed&from={}", before(40 * 86_400)),
    )
    .await;
    assert_eq!(old["count"], 3, "days are enough for totals");
}

#[tokio::test]
async fn ids_of_events_outlive_the_job_as_long_as_the_events_may_come_again() {
    let host = builder().start().await;
    view(&host, "", "a", 0).await;
    host.settle_events().await;
    host.run_job("analytics", "retention").await;
    assert_eq!(host.events().replay("analytics", "count-views").await, 1);
    assert_eq!(totals(&host, "default", "blog.post.viewed").await, (1, 1));
}

#[tokio::test]
async fn an_id_of_a_request_is_forgotten_after_its_time() {
    let host = builder().config("analytics", json!({ "event_id_days": 40 })).start().await;
    let old = json!({ "metric": "custom.a", "id": "1", "at": before(38 * 86_400).to_string() });
    let sent = async |host: &wharf_testing::TestHost| -> Value {
        let answer = host.as_user("writer").post("/analytics/events", &old).await;
        answer.json()
    };
    assert_eq!(sent(&host).await["recorded"], 1);
    assert_eq!(sent(&host).await["duplicates"], 1);
    let shorter = builder()
        .beside(&host, "shorter")
        .config("analytics", json!({ "event_id_days": 35 }))
        .start()
        .await;
    assert!(sent(&shorter).await["detail"].as_str().unwrap().contains("38 days old"));
    shorter.run_job("analytics", "retention").await;
    assert_eq!(sent(&host).await["recorded"], 1, "nobody knows it any more");
}

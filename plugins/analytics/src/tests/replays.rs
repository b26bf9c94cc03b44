//! What comes of events, of those that come again, and of those that come late.

use serde_json::json;

use super::feeding::{VIEWED, before, builder, host, read, totals, view};

#[tokio::test]
async fn events_of_other_modules_are_counted_by_what_they_say() {
    let host = host().await;
    let at = before(0).to_string();
    let account = json!({ "id": "1", "kind": "user", "tenant": "default", "status": "active", "deleted": false });
    let gone = json!({ "id": "1", "kind": "user", "tenant": "default", "status": "active", "deleted": true });
    for (subject, data) in [
        (
            "blog.post.published.v1",
            json!({ "post": "1", "slug": "a", "title": "A", "author": "ada", "tags": ["x", "y", "x"], "published_at": at }),
        ),
        (VIEWED, json!({ "post": "1", "slug": "a", "at": at })),
        (
            "blog.comment.added.v1",
            json!({ "comment": "2", "post": "1", "author": "bob", "at": at }),
        ),
        (
            "billing.invoice.issued.v1",
            json!({ "invoice": "3", "number": 1, "customer": "c", "subscription": null, "total": 1190, "currency": "EUR", "due": "2026-12-01" }),
        ),
        (
            "billing.payment.succeeded.v1",
            json!({ "payment": "4", "invoice": "3", "amount": 700, "currency": "EUR" }),
        ),
        (
            "billing.payment.succeeded.v1",
            json!({ "payment": "5", "invoice": "3", "amount": 900, "currency": "JPY" }),
        ),
        ("identity.account.changed.v1", account),
        ("identity.account.changed.v1", gone),
    ] {
        host.events().publish("", subject, &data).await;
    }
    host.settle_events().await;
    assert!(host.events().dead_letters().await.is_empty());
    for (metric, expected) in [
        ("blog.post.published", (1, 1)),
        ("blog.post.viewed", (1, 1)),
        ("blog.comment.added", (1, 1)),
        ("billing.invoice.issued", (1, 1)),
        ("billing.invoice.amount.eur", (1, 1190)),
        ("billing.payment.succeeded", (2, 2)),
        ("billing.payment.amount.eur", (1, 700)),
        ("billing.payment.amount.jpy", (1, 900)),
        ("identity.account.changed", (2, 2)),
    ] {
        assert_eq!(totals(&host, "default", metric).await, expected, "{metric}");
    }
    let tags = read(&host, "default", "/top?metric=blog.post.published&dimension=tag").await;
    assert_eq!(
        tags["items"],
        json!([{ "value": "x", "count": 1, "sum": 1 }, { "value": "y", "count": 1, "sum": 1 }])
    );
    let status = read(&host, "default", "/top?metric=identity.account.changed&dimension=status").await;
    assert_eq!(status["items"][0]["value"], "active");
    assert_eq!(status["items"][1]["value"], "deleted");
}

#[tokio::test]
async fn a_replay_gives_the_same_totals() {
    let host = host().await;
    for n in 0..60 {
        view(&host, "acme", &format!("post-{}", n % 3), n * 1_000).await;
    }
    host.settle_events().await;
    let from = before(3 * 86_400);
    let paths = [
        format!("/series?metric=blog.post.viewed&grain=day&from={from}"),
        format!("/top?metric=blog.post.viewed&from={from}"),
    ];
    let mut first = Vec::new();
    for path in &paths {
        first.push(read(&host, "acme", path).await);
    }
    assert_eq!(totals(&host, "acme", "blog.post.viewed").await, (60, 60));
    for _ in 0..2 {
        assert_eq!(host.events().replay("analytics", "count-views").await, 60);
    }
    assert!(host.events().dead_letters().await.is_empty());
    for (path, before) in paths.iter().zip(first) {
        let after = read(&host, "acme", path).await;
        let of = |value: &serde_json::Value| (value["points"].clone(), value["items"].clone());
        assert_eq!(of(&after), of(&before), "{path}");
    }
    assert_eq!(totals(&host, "acme", "blog.post.viewed").await, (60, 60));
}

#[tokio::test]
async fn a_late_event_goes_where_it_belongs_and_one_that_is_too_late_is_counted_apart() {
    let host = builder()
        .config("analytics", json!({ "minute_days": 1, "hour_days": 3 }))
        .start()
        .await;
    view(&host, "", "a", 12 * 3_600).await;
    view(&host, "", "a", 60 * 3_600).await;
    view(&host, "", "a", 9 * 86_400).await;
    host.settle_events().await;
    let days = read(
        &host,
        "default",
        &format!("/series?metric=blog.post.viewed&grain=day&from={}", before(10 * 86_400)),
    )
    .await;
    let counts = |series: &serde_json::Value| -> i64 {
        let points = series["points"].as_array().unwrap();
        points.iter().map(|point| point["count"].as_i64().unwrap()).sum()
    };
    assert_eq!(counts(&days), 3);
    let hours = read(
        &host,
        "default",
        &format!("/series?metric=blog.post.viewed&grain=hour&from={}", before(70 * 3_600)),
    )
    .await;
    assert_eq!(counts(&hours), 2);
    let minutes = read(
        &host,
        "default",
        &format!("/series?metric=blog.post.viewed&grain=minute&from={}", before(13 * 3_600)),
    )
    .await;
    assert_eq!(counts(&minutes), 1);
    let metrics = read(&host, "default", "/metrics").await;
    assert_eq!(metrics["items"][0]["late"], json!({ "minute": 2, "hour": 1, "uncounted": 0 }));
    let gone = host
        .as_user("reader")
        .get(&format!(
            "/analytics/series?metric=blog.post.viewed&grain=minute&from={}&to={}",
            before(5 * 86_400),
            before(5 * 86_400 - 60)
        ))
        .await;
    assert_eq!(gone.status, 422);
    assert_eq!(gone.json::<serde_json::Value>()["code"], "beyond-retention");
}

#[tokio::test]
async fn an_event_from_the_future_counts_now() {
    let host = host().await;
    view(&host, "", "a", -86_400 * 30).await;
    host.settle_events().await;
    assert_eq!(totals(&host, "default", "blog.post.viewed").await, (1, 1));
}

#[tokio::test]
async fn data_that_is_no_such_event_is_a_dead_letter_and_counts_nothing() {
    let host = host().await;
    host.events().publish("", VIEWED, &json!({ "post": "a", "at": "yesterday" })).await;
    view(&host, "", "a", 0).await;
    host.settle_events().await;
    assert_eq!(host.events().dead_letters().await.len(), 1);
    assert_eq!(totals(&host, "default", "blog.post.viewed").await, (1, 1));
}

#[tokio::test]
async fn an_amount_without_a_currency_is_not_counted_and_the_payment_is() {
    let host = host().await;
    let data = json!({ "payment": "4", "invoice": "3", "amount": 700, "currency": "money" });
    host.events().publish("", "billing.payment.succeeded.v1", &data).await;
    host.settle_events().await;
    assert_eq!(totals(&host, "default", "billing.payment.succeeded").await, (1, 1));
    let metrics = read(&host, "default", "/metrics").await;
    assert_eq!(metrics["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn tenants_see_their_own_events_only() {
    let host = host().await;
    view(&host, "acme", "a", 0).await;
    view(&host, "acme", "a", 0).await;
    view(&host, "other", "b", 0).await;
    host.settle_events().await;
    assert_eq!(totals(&host, "acme", "blog.post.viewed").await, (2, 2));
    assert_eq!(totals(&host, "other", "blog.post.viewed").await, (1, 1));
    let top = read(&host, "other", "/top?metric=blog.post.viewed").await;
    assert_eq!(top["items"], json!([{ "value": "b", "count": 1, "sum": 1 }]));
    for path in [
        "/totals?metric=blog.post.viewed",
        "/series?metric=blog.post.viewed",
        "/export.csv?metric=blog.post.viewed",
    ] {
        let answer = host.as_user("reader").of_tenant("third").get(&format!("/analytics{path}")).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    assert_eq!(read(&host, "third", "/metrics").await["items"], json!([]));
}

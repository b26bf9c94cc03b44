//! What clients record.

use serde_json::{Value, json};
use wharf_testing::TestHost;

use super::feeding::{before, builder, host, read, record, totals};

async fn refused(host: &TestHost, path: &str, body: &Value) -> (u16, String) {
    let answer = host.as_user("writer").post(&format!("/analytics{path}"), body).await;
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{}", answer.text());
    let problem: Value = answer.json();
    (answer.status.as_u16(), format!("{} {}", problem["code"], problem["detail"]))
}

#[tokio::test]
async fn a_custom_event_is_counted_with_its_value_and_dimensions() {
    let host = host().await;
    let event = json!({ "metric": "custom.jobs", "value": 30, "dimensions": { "queue": "mail", "kind": "slow" } });
    assert_eq!(
        record(&host, "default", &event).await,
        json!({ "recorded": 1, "duplicates": 0, "late": 0 })
    );
    record(&host, "default", &json!({ "metric": "custom.jobs", "value": -10 })).await;
    assert_eq!(totals(&host, "default", "custom.jobs").await, (2, 20));
    let mail = read(&host, "default", "/totals?metric=custom.jobs&dimension=queue&value=mail").await;
    assert_eq!((&mail["count"], &mail["sum"]), (&json!(1), &json!(30)));
    let metrics = read(&host, "default", "/metrics").await;
    assert_eq!(metrics["items"][0]["dimensions"], json!(["kind", "queue"]));
}

#[tokio::test]
async fn an_id_counts_once_for_its_tenant_within_a_batch_and_after_it() {
    let host = host().await;
    let at = before(5).to_string();
    let batch = json!({ "events": [
        { "metric": "custom.a", "at": at, "id": "1" },
        { "metric": "custom.a", "at": at, "id": "1" },
        { "metric": "custom.a", "at": at, "id": "2" },
        { "metric": "custom.a" },
    ] });
    let writer = host.as_user("writer");
    for expected in [
        json!({ "recorded": 3, "duplicates": 1, "late": 0 }),
        json!({ "recorded": 1, "duplicates": 3, "late": 0 }),
    ] {
        let answer = writer.post("/analytics/events/batch", &batch).await;
        assert_eq!(answer.json::<Value>(), expected);
    }
    assert_eq!(totals(&host, "default", "custom.a").await, (4, 4));
    let again = record(&host, "default", &json!({ "metric": "custom.a", "at": at, "id": "2" })).await;
    assert_eq!(again["duplicates"], 1);
    let elsewhere = record(&host, "other", &json!({ "metric": "custom.a", "at": at, "id": "2" })).await;
    assert_eq!(elsewhere["recorded"], 1);
}

#[tokio::test]
async fn a_large_batch_is_one_transaction() {
    let host = host().await;
    let at = before(0).to_string();
    let events: Vec<Value> = (0..1000)
        .map(|n| json!({ "metric": "custom.a", "at": at, "id": n.to_string(), "dimensions": { "n": (n % 150).to_string() } }))
        .collect();
    let answer = host
        .as_user("writer")
        .post("/analytics/events/batch", &json!({ "events": events }))
        .await;
    assert_eq!(answer.json::<Value>(), json!({ "recorded": 1000, "duplicates": 0, "late": 0 }));
    let mut one_bad = events;
    one_bad.push(json!({ "metric": "custom.a" }));
    let (status, why) = refused(&host, "/events/batch", &json!({ "events": one_bad })).await;
    assert_eq!((status, why.contains("found 1001 events")), (422, true), "{why}");
    let bad = json!({ "events": [{ "metric": "custom.b" }, { "metric": "nobody.may" }] });
    let (status, why) = refused(&host, "/events/batch", &bad).await;
    assert_eq!((status, why.contains("event 1: ")), (422, true), "{why}");
    let metrics = read(&host, "default", "/metrics").await;
    assert_eq!(metrics["items"].as_array().unwrap().len(), 1, "nothing of a refused batch stays");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_the_reason() {
    let host = host().await;
    let far = before(-600).to_string();
    let old = before(86_400 * 50).to_string();
    for (body, status, expected) in [
        (json!({ "metric": "blog.post.viewed" }), 422, "begins with"),
        (json!({ "metric": "custom..a" }), 422, "custom..a"),
        (json!({ "metric": "custom.a", "at": far }), 422, "ahead of this clock"),
        (json!({ "metric": "custom.a", "at": "1969-12-31T23:59:59Z" }), 422, "before 1970"),
        (json!({ "metric": "custom.a", "at": "soon" }), 422, "at"),
        (json!({ "metric": "custom.a", "value": 1_000_000_000_001_i64 }), 422, "found value"),
        (json!({ "metric": "custom.a", "value": 1.5 }), 422, "value"),
        (
            json!({ "metric": "custom.a", "dimensions": { "a": "" } }),
            422,
            "found 0 characters",
        ),
        (json!({ "metric": "custom.a", "dimensions": { "A": "x" } }), 422, "found dimension"),
        (json!({ "metric": "custom.a", "id": "1" }), 422, "without `at`"),
        (
            json!({ "metric": "custom.a", "id": "", "at": before(0).to_string() }),
            422,
            "found an id of 0",
        ),
        (json!({ "metric": "custom.a", "id": "1", "at": old }), 422, "days old"),
        (json!({ "metric": "custom.a", "colour": "red" }), 422, "colour"),
        (json!({}), 422, "metric"),
    ] {
        let (found, why) = refused(&host, "/events", &body).await;
        assert_eq!((found, why.contains(expected)), (status, true), "{body}: {why}");
    }
    assert_eq!(read(&host, "default", "/metrics").await["items"], json!([]));
}

#[tokio::test]
async fn a_body_that_is_no_json_is_a_problem_too() {
    use wharf_testing::Body;
    let host = host().await;
    let send = async |kind: Option<&str>, body: &str| {
        let request = ::http::Request::post("/analytics/events");
        let request = kind.into_iter().fold(request, |request, kind| request.header("content-type", kind));
        host.as_user("writer")
            .request(request.body(Body::full(body.to_owned())).unwrap())
            .await
    };
    for (kind, body, status) in [
        (Some("application/json"), "{", 400),
        (Some("text/plain"), "{}", 415),
        (None, "{}", 415),
    ] {
        let answer = send(kind, body).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.json::<Value>()["status"], status);
    }
}

#[tokio::test]
async fn a_tenant_has_a_limit_of_metrics() {
    let host = builder().config("analytics", json!({ "max_metrics": 20 })).start().await;
    for n in 0..20 {
        record(&host, "default", &json!({ "metric": format!("custom.m{n}") })).await;
    }
    let (status, why) = refused(&host, "/events", &json!({ "metric": "custom.more" })).await;
    assert_eq!((status, why.contains("too-many-metrics")), (422, true), "{why}");
    record(&host, "default", &json!({ "metric": "custom.m3" })).await;
    record(&host, "other", &json!({ "metric": "custom.more" })).await;
    super::feeding::view(&host, "", "a", 0).await;
    host.settle_events().await;
    assert_eq!(totals(&host, "default", "blog.post.viewed").await, (1, 1), "events are not refused");
}

#[tokio::test]
async fn views_are_taken_of_known_callers_and_of_anybody_where_that_is_wanted() {
    let view = json!({ "path": "/posts/hello?token=abc#top", "referrer": "example.org" });
    let closed = host().await;
    let answer = closed.post("/analytics/views", &view).await;
    assert_eq!((answer.status.as_u16(), answer.header("www-authenticate")), (401, Some("Bearer")));
    assert_eq!(closed.as_user("anybody").post("/analytics/views", &view).await.status, 200);
    let top = read(&closed, "default", "/top?metric=page.viewed&dimension=path").await;
    assert_eq!(top["items"], json!([{ "value": "/posts/hello", "count": 1, "sum": 1 }]));

    let open = builder().config("analytics", json!({ "public_views": true })).start().await;
    assert_eq!(open.post("/analytics/views", &view).await.status, 200);
    assert_eq!(
        open.as_user("ada").of_tenant("acme").post("/analytics/views", &view).await.status,
        200
    );
    assert_eq!(totals(&open, "default", "page.viewed").await, (1, 1));
    assert_eq!(totals(&open, "acme", "page.viewed").await, (1, 1));
    let (status, _) = refused(&open, "/views", &json!({ "path": "posts" })).await;
    assert_eq!(status, 422);
}

#[tokio::test]
async fn only_those_who_may_write_do_and_only_those_who_may_read_see() {
    let host = host().await;
    let event = json!({ "metric": "custom.a" });
    assert_eq!(host.post("/analytics/events", &event).await.status, 401);
    assert_eq!(host.as_user("reader").post("/analytics/events", &event).await.status, 403);
    assert_eq!(
        host.as_user("reader")
            .post("/analytics/events/batch", &json!({ "events": [event] }))
            .await
            .status,
        403
    );
    for path in [
        "/metrics",
        "/series?metric=custom.a",
        "/top?metric=custom.a",
        "/totals?metric=custom.a",
        "/export.csv?metric=custom.a",
    ] {
        assert_eq!(host.get(&format!("/analytics{path}")).await.status, 401, "{path}");
        assert_eq!(host.as_user("writer").get(&format!("/analytics{path}")).await.status, 403, "{path}");
    }
}

//! CSV, as it streams.

use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use wharf_testing::TestHost;

use super::feeding::{before, host, record, totals};

async fn export(host: &TestHost, query: &str) -> String {
    let answer = host
        .as_user("reader")
        .get(&format!("/analytics/export.csv?metric=custom.a{query}"))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    answer.text()
}

/// A bucket for each of so many values, in the same minute.
async fn fill(host: &TestHost, values: usize) {
    let at = before(60).to_string();
    for from in (0..values).step_by(1000) {
        let events: Vec<Value> = (from..values.min(from + 1000))
            .map(|n| json!({ "metric": "custom.a", "at": at, "dimensions": { "n": format!("value number {n:06}, which is rather long") } }))
            .collect();
        let answer = host
            .as_user("writer")
            .post("/analytics/events/batch", &json!({ "events": events }))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

#[tokio::test]
async fn buckets_are_rows_in_the_order_of_dimension_time_and_value() {
    let host = host().await;
    for (value, at) in [
        ("b", "2026-11-01T10:59:00Z"),
        ("a", "2026-11-01T10:01:00Z"),
        ("b", "2026-11-01T11:00:00Z"),
    ] {
        record(
            &host,
            "default",
            &json!({ "metric": "custom.a", "at": at, "value": 3, "dimensions": { "of": value } }),
        )
        .await;
    }
    let rows = [
        "at,grain,metric,dimension,value,count,sum",
        "2026-11-01T10:00:00Z,hour,custom.a,,,2,6",
        "2026-11-01T11:00:00Z,hour,custom.a,,,1,3",
        "2026-11-01T10:00:00Z,hour,custom.a,of,a,1,3",
        "2026-11-01T10:00:00Z,hour,custom.a,of,b,1,3",
        "2026-11-01T11:00:00Z,hour,custom.a,of,b,1,3",
    ];
    let all = export(&host, "").await;
    assert_eq!(all.lines().collect::<Vec<_>>(), rows);
    let part = export(&host, "&dimension=of&from=2026-11-01T11:00:00Z").await;
    assert_eq!(part.lines().collect::<Vec<_>>(), [rows[0], rows[5]]);
    let day = export(&host, "&grain=day&to=2026-11-01T00:00:00Z").await;
    assert_eq!(day.lines().collect::<Vec<_>>(), [rows[0]]);
}

#[tokio::test]
async fn an_export_has_every_bucket_and_comes_in_small_pieces() {
    let host = host().await;
    fill(&host, 5_000).await;
    let request = ::http::Request::get("/analytics/export.csv?metric=custom.a&grain=day")
        .body(wharf_testing::Body::empty())
        .unwrap();
    let mut body = host.as_user("reader").open(request).await.into_body();
    let (mut pieces, mut text) = (Vec::new(), Vec::new());
    while let Some(frame) = body.frame().await {
        let data = frame.unwrap().into_data().unwrap();
        pieces.push(data.len());
        text.extend(data);
    }
    let text = String::from_utf8(text).unwrap();
    assert_eq!(text.lines().count(), 1 + 1 + 5_000);
    assert!(text.lines().skip(2).is_sorted(), "they are in the order of their names");
    assert!(pieces.len() > 10, "{pieces:?}");
    assert!(pieces.iter().all(|piece| *piece < 64 << 10), "{pieces:?}");
}

#[tokio::test]
async fn whoever_hangs_up_gives_the_connection_back() {
    let host = host().await;
    fill(&host, 3_000).await;
    // More than there are connections that read: one that is not given back would be missed.
    for _ in 0..20 {
        let request = ::http::Request::get("/analytics/export.csv?metric=custom.a&grain=day")
            .body(wharf_testing::Body::empty())
            .unwrap();
        let mut body = host.as_user("reader").open(request).await.into_body();
        assert!(body.frame().await.unwrap().is_ok());
    }
    assert!(export(&host, "&grain=day").await.lines().count() > 3_000);
}

#[tokio::test]
async fn slow_readers_leave_connections_to_others() {
    let host = host().await;
    fill(&host, 3_000).await;
    let open = async || {
        let request = ::http::Request::get("/analytics/export.csv?metric=custom.a&grain=day")
            .body(wharf_testing::Body::empty())
            .unwrap();
        host.as_user("reader").open(request).await
    };
    let (first, second) = (open().await, open().await);
    assert_eq!((first.status(), second.status()), (::http::StatusCode::OK, ::http::StatusCode::OK));
    let third = host.as_user("reader").get("/analytics/export.csv?metric=custom.a").await;
    assert_eq!(third.status, 503);
    assert!(third.text().contains("2 exports are under way"), "{}", third.text());
    assert_eq!(totals(&host, "default", "custom.a").await.0, 3_000);
    drop(first);
    assert_eq!(open().await.status(), 200);
}

//! What clients ask.

use serde_json::{Value, json};
use wharf_testing::TestHost;

use super::feeding::{before, host, read, record};

/// Events at these times.
async fn at(host: &TestHost, times: &[&str]) {
    let events: Vec<Value> = times
        .iter()
        .map(|at| json!({ "metric": "custom.a", "at": at, "value": 2 }))
        .collect();
    let answer = host
        .as_user("writer")
        .post("/analytics/events/batch", &json!({ "events": events }))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn counts(series: &Value) -> Vec<i64> {
    let points = series["points"].as_array().unwrap();
    points.iter().map(|point| point["count"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn days_of_a_zone_have_the_hours_that_its_clocks_say() {
    let host = super::feeding::builder()
        .config("analytics", json!({ "hour_days": 3660, "minute_days": 90 }))
        .start()
        .await;
    // Clocks in Berlin went forward on 2026-03-29 and back on 2025-10-26.
    at(
        &host,
        &[
            "2026-03-28T22:59:59Z",
            "2026-03-28T23:00:00Z",
            "2026-03-29T21:59:59Z",
            "2026-03-29T22:00:00Z",
            "2025-10-25T22:00:00Z",
            "2025-10-26T22:59:59Z",
            "2025-10-26T23:00:00Z",
        ],
    )
    .await;
    let ask = async |from: &str, to: &str, zone: &str| {
        let path = format!("/series?metric=custom.a&grain=day&from={from}&to={to}&zone={zone}");
        read(&host, "default", &path).await
    };
    let spring = ask("2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z", "Europe/Berlin").await;
    assert_eq!(counts(&spring), [1, 2, 1]);
    assert_eq!(
        spring["points"][1],
        json!({ "at": "2026-03-28T23:00:00Z", "date": "2026-03-29", "count": 2, "sum": 4 })
    );
    assert_eq!(
        (&spring["from"], &spring["to"]),
        (&json!("2026-03-27T23:00:00Z"), &json!("2026-03-30T22:00:00Z"))
    );
    let autumn = ask("2025-10-26T12:00:00Z", "2025-10-27T12:00:00Z", "Europe/Berlin").await;
    assert_eq!(counts(&autumn), [2, 1]);
    let utc = ask("2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z", "UTC").await;
    assert_eq!(counts(&utc), [2, 2, 0]);
}

#[tokio::test]
async fn zones_with_half_hours_are_made_of_minutes() {
    let host = host().await;
    let today = before(0).to_zoned(jiff::tz::TimeZone::get("Asia/Kolkata").unwrap()).date();
    let midnight = today
        .to_zoned(jiff::tz::TimeZone::get("Asia/Kolkata").unwrap())
        .unwrap()
        .timestamp();
    let just_before = midnight - jiff::SignedDuration::from_secs(1);
    let yesterday = midnight - jiff::SignedDuration::from_secs(86_400);
    at(&host, &[&just_before.to_string(), &yesterday.to_string()]).await;
    let path = format!("/series?metric=custom.a&grain=day&from={yesterday}&to={midnight}&zone=Asia/Kolkata");
    assert_eq!(counts(&read(&host, "default", &path).await), [2]);
}

#[tokio::test]
async fn a_series_has_zeros_where_nothing_happened() {
    let host = host().await;
    let from = jiff::Timestamp::from_second(before(7_200).as_second() / 60 * 60).unwrap();
    let minute = |n: i64| (from + jiff::SignedDuration::from_secs(n * 60)).to_string();
    at(&host, &[&minute(1), &minute(1), &minute(4)]).await;
    let path = format!("/series?metric=custom.a&grain=minute&from={from}&to={}", minute(6));
    let series = read(&host, "default", &path).await;
    assert_eq!(counts(&series), [0, 2, 0, 0, 1, 0]);
    assert_eq!(series["points"][0].get("date"), None);
    let usual = |grain: &str| format!("/series?metric=custom.a&grain={grain}");
    // One less when a minute, an hour or a day ends just now.
    for (grain, points) in [("minute", 60..=61), ("hour", 24..=25), ("day", 30..=31)] {
        let found = counts(&read(&host, "default", &usual(grain)).await).len();
        assert!(points.contains(&found), "{grain}: {found}");
    }
}

#[tokio::test]
async fn one_value_of_a_dimension_has_a_series_of_its_own() {
    let host = host().await;
    for queue in ["mail", "mail", "print"] {
        record(&host, "default", &json!({ "metric": "custom.a", "dimensions": { "queue": queue } })).await;
    }
    for (value, expected) in [("mail", 2), ("print", 1), ("fax", 0)] {
        let series = read(&host, "default", &format!("/series?metric=custom.a&dimension=queue&value={value}")).await;
        assert_eq!(counts(&series).iter().sum::<i64>(), expected, "{value}");
    }
}

#[tokio::test]
async fn a_top_list_is_sorted_and_cut_and_equal_ones_are_in_the_order_of_their_names() {
    let host = host().await;
    let mut events = Vec::new();
    for (queue, times, value) in [("c", 2, 1), ("a", 2, 5), ("b", 3, 0), ("d", 1, 100)] {
        events.extend((0..times).map(|_| json!({ "metric": "custom.a", "value": value, "dimensions": { "queue": queue } })));
    }
    let answer = host
        .as_user("writer")
        .post("/analytics/events/batch", &json!({ "events": events }))
        .await;
    assert_eq!(answer.status, 200);
    let names = |top: &Value| -> Vec<String> {
        let items = top["items"].as_array().unwrap();
        items.iter().map(|item| item["value"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&read(&host, "default", "/top?metric=custom.a").await), ["b", "a", "c", "d"]);
    assert_eq!(names(&read(&host, "default", "/top?metric=custom.a&n=2").await), ["b", "a"]);
    let by_sum = read(&host, "default", "/top?metric=custom.a&by=sum&n=2&dimension=queue").await;
    assert_eq!(
        by_sum["items"],
        json!([{ "value": "d", "count": 1, "sum": 100 }, { "value": "a", "count": 2, "sum": 10 }])
    );
}

#[tokio::test]
async fn totals_cover_exactly_the_minutes_that_were_asked_for() {
    let host = host().await;
    let hour = before(3 * 86_400).as_second() / 3_600 * 3_600;
    let time = |second: i64| jiff::Timestamp::from_second(second).unwrap().to_string();
    let moments: Vec<String> = [-1, 0, 59 * 60, 3_600, 86_400 + 30, 86_400 + 60]
        .iter()
        .map(|after| time(hour + after))
        .collect();
    at(&host, &moments.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for (from, to, expected) in [
        (0, 60, 1),
        (0, 3_600, 2),
        (-60, 3_660, 4),
        (0, 86_400 + 60, 4),
        (0, 86_400 + 61, 5),
        (-3_600, 2 * 86_400, 6),
    ] {
        let path = format!("/totals?metric=custom.a&from={}&to={}", time(hour + from), time(hour + to));
        assert_eq!(read(&host, "default", &path).await["count"], expected, "{from} {to}");
    }
}

#[tokio::test]
async fn metrics_come_in_pages() {
    let host = host().await;
    for name in ["b", "a", "c"] {
        record(
            &host,
            "default",
            &json!({ "metric": format!("custom.{name}"), "dimensions": { "of": name } }),
        )
        .await;
    }
    let first = read(&host, "default", "/metrics?page_size=2").await;
    assert_eq!(
        (&first["items"][0]["name"], &first["items"][1]["name"]),
        (&json!("custom.a"), &json!("custom.b"))
    );
    let token = first["next_page_token"].as_str().unwrap();
    let last = read(&host, "default", &format!("/metrics?page_size=2&page_token={token}")).await;
    assert_eq!((last["items"].as_array().unwrap().len(), &last["next_page_token"]), (1, &json!("")));
    assert_eq!(last["items"][0]["dimensions"], json!(["of"]));
}

#[tokio::test]
async fn questions_that_make_no_sense_are_refused_with_the_reason() {
    let host = host().await;
    record(
        &host,
        "default",
        &json!({ "metric": "custom.a", "dimensions": { "a": "1", "b": "2" } }),
    )
    .await;
    record(&host, "default", &json!({ "metric": "custom.bare" })).await;
    for (path, status, code) in [
        ("/series?metric=custom.x", 404, "unknown-metric"),
        ("/series?metric=", 422, "unprocessable"),
        ("/series", 400, "bad-request"),
        ("/series?metric=custom.a&grain=week", 400, "bad-request"),
        ("/series?metric=custom.a&from=yesterday", 400, "bad-request"),
        ("/series?metric=custom.a&colour=red", 400, "bad-request"),
        ("/series?metric=custom.a&dimension=a", 422, "unprocessable"),
        ("/series?metric=custom.a&dimension=c&value=1", 404, "unknown-dimension"),
        ("/series?metric=custom.a&zone=Europe/Berlin", 422, "unprocessable"),
        ("/series?metric=custom.a&grain=day&zone=Mars/Crater", 422, "unprocessable"),
        (
            "/series?metric=custom.a&grain=minute&from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z",
            422,
            "unprocessable",
        ),
        (
            "/series?metric=custom.a&from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z",
            422,
            "unprocessable",
        ),
        (
            "/series?metric=custom.a&grain=day&from=-009999-01-02T01:59:59Z",
            422,
            "unprocessable",
        ),
        ("/top?metric=custom.a", 422, "unprocessable"),
        ("/top?metric=custom.bare", 422, "unprocessable"),
        ("/top?metric=custom.a&dimension=a&n=0", 400, "bad-request"),
        ("/top?metric=custom.a&dimension=a&n=1001", 400, "bad-request"),
        ("/totals?metric=custom.a&dimension=A&value=1", 422, "unprocessable"),
        ("/metrics?page_size=0", 400, "bad-request"),
        ("/metrics?page_token=%00", 422, "unprocessable"),
        ("/export.csv?metric=custom.x", 404, "unknown-metric"),
        ("/export.csv?metric=custom.a&dimension=%00", 422, "unprocessable"),
    ] {
        let answer = host.as_user("reader").get(&format!("/analytics{path}")).await;
        let problem: Value = answer.json();
        assert_eq!(
            (answer.status.as_u16(), problem["code"].as_str()),
            (status, Some(code)),
            "{path}: {problem}"
        );
    }
    let unknown = host.as_user("reader").get("/analytics/top?metric=custom.a").await.text();
    assert!(unknown.contains("expected one of [\\\"a\\\", \\\"b\\\"]"), "{unknown}");
}

//! The same over gRPC.

use futures_util::StreamExt as _;
use tonic::Code;
use wharf_proto::analytics::v1::analytics_client::AnalyticsClient;
use wharf_proto::analytics::v1::{ExportRequest, Grain, Order, QueryRequest, RecordRequest, TopRequest};

use super::feeding::{before, host};

fn event(n: usize) -> RecordRequest {
    RecordRequest {
        metric: "custom.a".to_owned(),
        at: Some(prost_types::Timestamp {
            seconds: before(60).as_second(),
            nanos: 0,
        }),
        value: Some(2),
        dimensions: [("of".to_owned(), format!("v{}", n % 3))].into(),
        id: n.to_string(),
    }
}

#[tokio::test]
async fn a_stream_of_events_is_counted_once_and_can_be_asked_for() {
    let host = host().await;
    let mut writer = AnalyticsClient::new(host.as_user("writer").grpc());
    let events: Vec<RecordRequest> = (0..501).map(event).collect();
    let first = writer
        .record(futures_util::stream::iter(events.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((first.recorded, first.duplicates), (501, 0));
    let again = writer.record(futures_util::stream::iter(events)).await.unwrap().into_inner();
    assert_eq!((again.recorded, again.duplicates), (0, 501));

    let mut reader = AnalyticsClient::new(host.as_user("reader").grpc());
    let series = reader
        .query(QueryRequest {
            metric: "custom.a".to_owned(),
            grain: Grain::Day.into(),
            ..QueryRequest::default()
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        series
            .points
            .iter()
            .map(|point| (point.count, point.sum))
            .fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1)),
        (501, 1002)
    );
    assert!(series.points.len() >= 30 && series.points[0].date.len() == 10);
    let top = reader
        .top(TopRequest {
            metric: "custom.a".to_owned(),
            n: 2,
            order: Order::Sum.into(),
            ..TopRequest::default()
        })
        .await
        .unwrap()
        .into_inner();
    let values: Vec<_> = top
        .values
        .iter()
        .map(|ranked| (ranked.value.as_str(), ranked.count, ranked.sum))
        .collect();
    assert_eq!((top.dimension.as_str(), values), ("of", vec![("v0", 167, 334), ("v1", 167, 334)]));
    let rows = reader
        .export(ExportRequest {
            metric: "custom.a".to_owned(),
            grain: Grain::Day.into(),
            ..ExportRequest::default()
        })
        .await
        .unwrap()
        .into_inner();
    let rows: Vec<_> = rows.map(Result::unwrap).collect().await;
    assert_eq!(rows.len() % 4, 0, "the total and three values of each day: {rows:?}");
    assert_eq!(
        rows.iter().filter(|row| row.dimension.is_empty()).map(|row| row.count).sum::<i64>(),
        501
    );
}

#[tokio::test]
async fn a_bad_event_is_named_and_what_came_portions_before_it_stays() {
    let host = host().await;
    let mut writer = AnalyticsClient::new(host.as_user("writer").grpc());
    let mut events: Vec<RecordRequest> = (0..300).map(event).collect();
    events[250].metric = "blog.post.viewed".to_owned();
    let failed = writer.record(futures_util::stream::iter(events.clone())).await.unwrap_err();
    assert_eq!(failed.code(), Code::InvalidArgument);
    assert!(failed.message().starts_with("event 250: "), "{}", failed.message());
    events[250] = event(250);
    let again = writer.record(futures_util::stream::iter(events)).await.unwrap().into_inner();
    assert_eq!((again.recorded, again.duplicates), (100, 200));
}

#[tokio::test]
async fn callers_need_the_permission_and_see_their_tenant_only() {
    let host = host().await;
    let asked = || QueryRequest {
        metric: "custom.a".to_owned(),
        ..QueryRequest::default()
    };
    let none = futures_util::stream::iter(vec![event(1)]);
    let mut reader = AnalyticsClient::new(host.as_user("reader").grpc());
    assert_eq!(reader.record(none).await.unwrap_err().code(), Code::PermissionDenied);
    let mut writer = AnalyticsClient::new(host.as_user("writer").grpc());
    writer.record(futures_util::stream::iter(vec![event(1)])).await.unwrap();
    assert_eq!(writer.query(asked()).await.unwrap_err().code(), Code::PermissionDenied);
    let mut anonymous = AnalyticsClient::new(host.grpc());
    assert_eq!(anonymous.query(asked()).await.unwrap_err().code(), Code::Unauthenticated);
    let mut other = AnalyticsClient::new(host.as_user("reader").of_tenant("other").grpc());
    assert_eq!(other.query(asked()).await.unwrap_err().code(), Code::NotFound);
    assert!(reader.query(asked()).await.is_ok());
    let mut long = asked();
    long.from = Some(prost_types::Timestamp {
        seconds: i64::MAX,
        nanos: -5,
    });
    assert_eq!(reader.query(long).await.unwrap_err().code(), Code::InvalidArgument);
}

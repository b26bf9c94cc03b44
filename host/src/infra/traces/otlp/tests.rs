//! A collector in the test, and none.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse};
use prost::Message as _;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;

use super::*;
use crate::ports::traces::{SpanKind, SpanStatus};

fn config(endpoint: &str, way: OtlpWay) -> OtlpConfig {
    OtlpConfig {
        endpoint: endpoint.to_owned(),
        way,
        headers: vec![(HeaderName::from_static("authorization"), HeaderValue::from_static("Bearer canary"))],
        ca: None,
        service: "harbour".to_owned(),
        node: "n1".to_owned(),
        timeout: Duration::from_millis(500),
        every: Duration::from_millis(20),
        batch: 4,
        queue: 8,
    }
}

fn span(name: &'static str) -> Arc<FinishedSpan> {
    Arc::new(FinishedSpan {
        trace_id: [1; 16],
        span_id: [2; 8],
        parent: Some([3; 8]),
        name: name.into(),
        kind: SpanKind::Client,
        started_ns: 1_700_000_000_000_000_000,
        ended_ns: 1_700_000_000_000_001_000,
        module: Some("blog".to_owned()),
        instance: 7,
        attributes: vec![("n".into(), 1_i64.into()), ("ok".into(), true.into())],
        status: SpanStatus::Error("busy".into()),
    })
}

type Got = Arc<Mutex<Vec<(HeaderMap, ExportTraceServiceRequest)>>>;

/// Answers with these statuses in turn, the last of them for ever.
async fn collector(statuses: &'static [u16], rejected: i64) -> (String, Got) {
    let (got, asked) = (Got::default(), Arc::new(AtomicU32::new(0)));
    let answer = {
        let got = got.clone();
        move |headers: HeaderMap, body: Bytes| async move {
            let turn = asked.fetch_add(1, Ordering::SeqCst) as usize;
            let status = StatusCode::from_u16(statuses[turn.min(statuses.len() - 1)]).unwrap();
            if status == StatusCode::OK {
                got.lock()
                    .unwrap()
                    .push((headers, ExportTraceServiceRequest::decode(body).unwrap()));
            }
            let partial_success = Some(ExportTracePartialSuccess {
                rejected_spans: rejected,
                error_message: String::new(),
            });
            (status, ExportTraceServiceResponse { partial_success }.encode_to_vec())
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/otlp/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/otlp/v1/traces", post(answer))).await });
    (url, got)
}

fn counted(metrics: &Metrics, series: &str) -> u64 {
    let page = metrics.render();
    let value = page.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
    value.unwrap_or_default()
}

#[tokio::test]
async fn spans_come_as_protobuf_over_http_with_the_header_fields() {
    let (url, got) = collector(&[503, 200], 0).await;
    let metrics = Metrics::new().unwrap();
    let sink = OtlpSink::start(config(&url, OtlpWay::Http), &metrics).unwrap();
    sink.take(&span("one"));
    sink.take(&span("two"));
    sink.flush().await;
    let got = got.lock().unwrap();
    let (headers, request) = &got[0];
    assert_eq!(headers["authorization"], "Bearer canary");
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let resource = format!("{:?}", request.resource_spans[0].resource);
    assert!(
        resource.contains("harbour") && resource.contains("service.instance.id"),
        "{resource}"
    );
    let scope = &request.resource_spans[0].scope_spans[0];
    assert_eq!(scope.scope.as_ref().unwrap().name, "blog");
    let names: Vec<&str> = scope.spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["one", "two"]);
    let first = &scope.spans[0];
    assert_eq!(
        (&*first.trace_id, &*first.span_id, &*first.parent_span_id),
        (&[1; 16][..], &[2; 8][..], &[3; 8][..])
    );
    assert_eq!(first.end_time_unix_nano - first.start_time_unix_nano, 1_000);
    assert_eq!((first.kind, first.status.as_ref().unwrap().message.as_str()), (3, "busy"));
    assert!(format!("{:?}", first.attributes).contains("wharf.module.instance"));
    assert_eq!(counted(&metrics, "wharf_traces_sent_total"), 2);
}

/// Answers its first request with UNAVAILABLE, which may be tried again.
#[derive(Clone, Default)]
struct OverGrpc(Arc<Mutex<Vec<(String, ExportTraceServiceRequest)>>>, Arc<AtomicU32>);

#[tonic::async_trait]
impl TraceService for OverGrpc {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        if self.1.fetch_add(1, Ordering::SeqCst) == 0 {
            return Err(tonic::Status::unavailable("canary"));
        }
        let token = request.metadata().get("authorization").unwrap().to_str().unwrap().to_owned();
        self.0.lock().unwrap().push((token, request.into_inner()));
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tokio::test]
async fn spans_come_over_grpc_and_a_batch_is_sent_again_until_it_is_taken() {
    let collector = OverGrpc::default();
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", incoming.local_addr().unwrap());
    let service = TraceServiceServer::new(collector.clone());
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(incoming),
    );
    let metrics = Metrics::new().unwrap();
    let sink = OtlpSink::start(config(&url, OtlpWay::Grpc), &metrics).unwrap();
    // More than a batch.
    for _ in 0..6 {
        sink.take(&span("one"));
    }
    sink.flush().await;
    let got = collector.0.lock().unwrap();
    assert!(got.iter().all(|(token, _)| token == "Bearer canary"));
    let count = |request: &ExportTraceServiceRequest| request.resource_spans[0].scope_spans[0].spans.len();
    assert_eq!(got.iter().map(|(_, request)| count(request)).sum::<usize>(), 6);
    assert_eq!(counted(&metrics, "wharf_traces_sent_total"), 6);
    assert!(!metrics.render().contains("wharf_traces_dropped_total{reason=\"queue\"} 1"));
}

#[tokio::test]
async fn what_the_collector_refuses_is_dropped_and_counted() {
    let metrics = Metrics::new().unwrap();
    let (url, _) = collector(&[400], 0).await;
    let refused = OtlpSink::start(config(&url, OtlpWay::Http), &metrics).unwrap();
    refused.take(&span("wrong"));
    refused.flush().await;
    assert_eq!(counted(&metrics, "wharf_traces_dropped_total{reason=\"refused\"}"), 1);
    let (url, _) = collector(&[200], 1).await;
    let partly = OtlpSink::start(config(&url, OtlpWay::Http), &metrics).unwrap();
    partly.take(&span("taken"));
    partly.take(&span("not taken"));
    partly.flush().await;
    assert_eq!(counted(&metrics, "wharf_traces_dropped_total{reason=\"refused\"}"), 2);
    assert_eq!(counted(&metrics, "wharf_traces_sent_total"), 1);
}

#[tokio::test]
async fn a_collector_that_is_away_costs_spans_and_no_time() {
    let metrics = Metrics::new().unwrap();
    for way in [OtlpWay::Grpc, OtlpWay::Http] {
        let sink = OtlpSink::start(config("http://127.0.0.1:9", way), &metrics).unwrap();
        let before = std::time::Instant::now();
        for _ in 0..1_000 {
            sink.take(&span("lost"));
        }
        assert!(before.elapsed() < Duration::from_secs(1));
    }
    // At most a batch under way and a full queue of each are not lost yet.
    assert!(counted(&metrics, "wharf_traces_dropped_total{reason=\"queue\"}") >= 2 * (1_000 - 12));
}

#[tokio::test]
async fn what_is_no_address_is_refused_and_no_token_is_shown() {
    let metrics = Metrics::new().unwrap();
    for endpoint in ["", "127.0.0.1:4317", "ftp://x"] {
        let error = OtlpSink::start(config(endpoint, OtlpWay::Grpc), &metrics).unwrap_err();
        assert!(matches!(error, OtlpError::Endpoint(_)), "{error:?}");
    }
    let mut wrong = config("https://127.0.0.1:4318", OtlpWay::Http);
    wrong.ca = Some(b"no certificate".to_vec());
    assert!(!format!("{wrong:?}").contains("canary"));
    assert!(matches!(OtlpSink::start(wrong, &metrics).unwrap_err(), OtlpError::Certificates));
}

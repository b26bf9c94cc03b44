//! What a module did for a request, for its event and for its job, as one trace.

use std::collections::BTreeMap;

use http::{HeaderValue, Method, Request};
use serde_json::Value;
use wharf_host::http::body::Body;
use wharf_host::ports::traces::{SpanRow, TraceTree};
use wharf_testing::TestHost;

use crate::library::library;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

async fn host(sample: f64) -> TestHost {
    let host = TestHost::builder().module(orders_module::root()).configure(|config| {
        config.tracing.recent = 20;
        config.tracing.sample = sample;
    });
    host.start().await
}

async fn post(host: &TestHost, path: &str, traceparent: Option<&str>) {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = path.parse().unwrap();
    if let Some(traceparent) = traceparent {
        request
            .headers_mut()
            .insert("traceparent", HeaderValue::from_str(traceparent).unwrap());
    }
    let answer = host.request(request).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    host.settle_events().await;
}

fn trace(host: &TestHost, id: &str) -> Option<TraceTree> {
    host.host().traces().unwrap().find(id)
}

/// Names of spans, each with that of its parent; what is written to the database with its table only.
fn branches(tree: &TraceTree) -> Vec<(String, String)> {
    let names: BTreeMap<&str, &str> = tree.spans.iter().map(|span| (span.span_id.as_str(), span.name.as_str())).collect();
    let parent = |span: &SpanRow| span.parent.as_deref().and_then(|parent| names.get(parent)).copied().unwrap_or("-");
    tree.spans
        .iter()
        .map(|span| (parent(span).to_owned(), span.name.clone()))
        .filter(|(_, name)| !matches!(name.as_str(), "authenticate" | "authorize" | "rate limit"))
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|(parent, name)| ((*parent).to_owned(), (*name).to_owned()))
        .collect()
}

#[tokio::test]
async fn a_request_its_transaction_its_event_and_its_handler_are_one_tree() {
    let host = host(0.0).await;
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    post(&host, "/orders/orders/plain/ada/7", Some(&parent)).await;
    let tree = trace(&host, TRACE).unwrap();
    let expected = [
        ("-", "POST /orders/orders/{kind}/{customer}/{number}"),
        ("POST /orders/orders/{kind}/{customer}/{number}", "handle"),
        ("handle", "place order"),
        ("place order", "BEGIN"),
        ("place order", "INSERT placed"),
        ("place order", "publish orders.order.placed.v1"),
        ("place order", "COMMIT"),
        ("publish orders.order.placed.v1", "process orders.order.placed.v1"),
        ("process orders.order.placed.v1", "INSERT handled"),
    ];
    assert_eq!(branches(&tree), pairs(&expected));
    assert_eq!(tree.spans[0].parent.as_deref(), Some("00f067aa0ba902b7"));
    let own = tree.spans.iter().find(|span| span.name == "place order").unwrap();
    assert_eq!(
        (own.module.as_deref(), &own.attributes["order.number"]),
        (Some("orders"), &Value::from(7))
    );
    assert!(tree.spans.iter().all(|span| span.error.is_none()), "{tree:#?}");
}

#[tokio::test]
async fn a_job_is_below_whoever_asked_for_it_and_a_handler_that_fails_says_so() {
    let host = host(1.0).await;
    post(&host, "/orders/bills/12", None).await;
    let rows = host.host().traces().unwrap().list(None, 10);
    assert_eq!(rows.len(), 1, "{rows:#?}");
    let tree = trace(&host, &rows[0].trace_id).unwrap();
    let wanted = pairs(&[
        ("handle", "enqueue bill"),
        ("enqueue bill", "run bill"),
        ("run bill", "INSERT handled"),
    ]);
    let branches = branches(&tree);
    assert!(wanted.iter().all(|pair| branches.contains(pair)), "{branches:#?}");

    post(&host, "/orders/orders/poison/ada/1", None).await;
    let failed = host.host().traces().unwrap().list(None, 1).remove(0);
    let tree = trace(&host, &failed.trace_id).unwrap();
    let tries: Vec<_> = tree.spans.iter().filter(|span| span.name.starts_with("process ")).collect();
    assert!(
        !tries.is_empty() && tries.iter().all(|span| span.error.as_deref() == Some("failed")),
        "{tries:#?}"
    );
    assert!(
        !format!("{tree:?}").contains("cannot be booked"),
        "the text of an error is in a span"
    );
    assert!(failed.errors > 0 && failed.modules == ["orders"], "{failed:?}");
}

#[tokio::test]
async fn what_a_caller_does_not_record_is_not_recorded_and_runs_all_the_same() {
    let host = host(1.0).await;
    post(
        &host,
        "/orders/orders/plain/ada/1",
        Some(&format!("00-{TRACE}-00f067aa0ba902b7-00")),
    )
    .await;
    assert!(trace(&host, TRACE).is_none());
    // The event carries the trace, and so does what its handler logs.
    let published = host.events().published("orders.order.placed.v1").await;
    assert!(format!("{published:?}").contains(TRACE), "{published:?}");
    let off = TestHost::builder().module(orders_module::root()).start().await;
    post(&off, "/orders/orders/plain/ada/1", None).await;
    assert!(off.host().traces().is_none());
}

#[tokio::test]
async fn cache_and_secrets_are_spans_without_keys_names_and_values() {
    for builder in [
        TestHost::builder().module(hoard::root()),
        TestHost::builder().library(library("hoard")),
    ] {
        let builder = builder.secret("hoard", "stripe-key", "canary-value");
        let host = builder.configure(|config| config.tracing.recent = 20).start().await;
        for (method, path, body, status) in [
            (Method::GET, "/hoard/values/canary-key", "", 404),
            (Method::PUT, "/hoard/values/canary-key", "{\"x\":\"canary\"}", 200),
            (Method::GET, "/hoard/values/canary-key", "", 200),
            (Method::GET, "/hoard/secret/stripe-key", "", 200),
        ] {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header("content-type", "application/json");
            let answer = host.request(request.body(Body::full(body)).unwrap()).await;
            assert_eq!(answer.status, status, "{path}: {}", answer.text());
        }
        let traces = host.host().traces().unwrap();
        let mut trees: Vec<TraceTree> = traces
            .list(None, 10)
            .iter()
            .map(|row| traces.find(&row.trace_id).unwrap())
            .collect();
        trees.reverse();
        let asked = |tree: &TraceTree| {
            let of_service = tree.spans.iter().filter(|span| span.kind == "client");
            of_service
                .map(|span| (span.name.clone(), span.attributes.get("wharf.cache.hit").cloned()))
                .collect::<Vec<_>>()
        };
        let one = |name: &str, hit: Option<bool>| vec![(name.to_owned(), hit.map(Value::from))];
        assert_eq!(asked(&trees[0]), one("cache get", Some(false)));
        assert_eq!(asked(&trees[1]), one("cache set", None));
        assert_eq!(asked(&trees[2]), one("cache get", Some(true)));
        assert_eq!(asked(&trees[3]), one("secrets get", None));
        let all = format!("{trees:?}");
        assert!(!all.contains("canary") && !all.contains("stripe"), "{all}");
    }
}

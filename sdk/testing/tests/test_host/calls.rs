//! Requests, gRPC calls, statuses and logs of one host.

use std::time::Duration;

use greeter::v1;
use greeter::v1::greeter_client::GreeterClient;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio_stream::StreamExt as _;
use wharf_host::modules::control::Control as _;
use wharf_testing::{Body, StartError, State, TestHost};

use crate::library::library;

#[tokio::test]
async fn a_linked_in_module_answers_with_its_config_and_its_errors() {
    let host = TestHost::builder()
        .module(hello_module::root())
        .config("hello", json!({ "greeting": "Ahoy" }))
        .start()
        .await;
    let answer = host.get("/hello/Ada").await;
    assert_eq!((answer.status, answer.text()), (StatusCode::OK, "Ahoy, Ada!\n".to_owned()));
    let refused = host.get("/hello/nobody").await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    assert_eq!(refused.json::<Value>()["detail"], "there is nobody to greet");
    assert_eq!(host.get("/other").await.status, StatusCode::NOT_FOUND);
    let status = host.status("hello");
    assert_eq!((status.state, status.calls), (State::Running, 2));
    assert_eq!(host.stop().await, [""; 0]);
}

#[tokio::test]
async fn a_library_answers_like_the_module_that_is_linked_in() {
    let host = TestHost::builder()
        .library(library("hello_module"))
        .config("hello", json!({ "greeting": "Ahoy" }))
        .start()
        .await;
    assert_eq!(host.get("/hello/Ada").await.text(), "Ahoy, Ada!\n");
    assert!(host.status("hello").generation > 0, "it was loaded");
    assert_eq!(host.stop().await, [""; 0]);
}

#[tokio::test]
async fn routes_that_need_a_caller_are_refused_without_an_authenticator() {
    let host = TestHost::builder().module(greeter::root()).start().await;
    assert_eq!(host.get("/greeter/hello/Ada").await.status, StatusCode::OK);
    assert_eq!(host.get("/greeter/statistics").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn clients_of_tonic_need_no_socket() {
    for host in [
        TestHost::builder().module(greeter::root()).start().await,
        TestHost::builder().library(library("greeter")).start().await,
    ] {
        let mut client = GreeterClient::new(host.grpc());
        let hello = client.hello(v1::HelloRequest { name: "Ada".to_owned() }).await.unwrap();
        assert_eq!(hello.into_inner().message, "Hello, Ada!");
        let refused = client.hello(v1::HelloRequest::default()).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::InvalidArgument);
        let count = v1::CountRequest {
            limit: 100,
            interval_ms: 0,
        };
        let stream = client.count(count).await.unwrap().into_inner();
        let numbers: Vec<u32> = stream.map(|answer| answer.unwrap().number).collect().await;
        assert_eq!(numbers, (1..=100).collect::<Vec<_>>());
        let lines = tokio_stream::iter(["a", "b"].map(|line| v1::ChatRequest { line: line.to_owned() }));
        let answers = client.chat(lines).await.unwrap().into_inner();
        let said: Vec<_> = answers.map(|answer| answer.unwrap().line).collect().await;
        assert_eq!(said, ["you said: a", "you said: b"]);
    }
}

#[tokio::test]
async fn unary_grpc_methods_are_reachable_as_json() {
    let host = TestHost::builder().module(greeter::root()).start().await;
    let answer = host.post("/greeter.v1.Greeter/Hello", &json!({ "name": "Ada" })).await;
    assert_eq!(answer.json::<Value>()["message"], "Hello, Ada!");
}

#[tokio::test]
async fn a_stream_is_read_frame_by_frame_and_dropping_it_ends_the_call() {
    let host = TestHost::builder().module(greeter::root()).start().await;
    let request = Request::get("/greeter/count?limit=1000&interval_ms=10")
        .body(Body::empty())
        .unwrap();
    let mut response = host.open(request).await;
    let first = response.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(first.starts_with(b"id: 1\n"), "{first:?}");
    assert_eq!(host.status("greeter").in_flight, 1);
    drop(response);
    assert_eq!(host.status("greeter").in_flight, 0);
}

#[tokio::test]
async fn what_a_module_logs_carries_its_id_and_the_request() {
    for host in [
        TestHost::builder().module(greeter::root()).start().await,
        TestHost::builder().library(library("greeter")).start().await,
    ] {
        let answer = host.get("/greeter/hello/Ada").await;
        let event = host
            .logs()
            .wait_for(Duration::from_secs(5), |e| e.message == "greeting somebody")
            .await
            .unwrap();
        assert_eq!(event.module.as_deref(), Some("greeter"));
        assert_eq!(event.instance, Some(host.status("greeter").instance));
        assert_eq!(event.fields["name.length"], 3);
        assert_eq!(event.request_id.as_deref(), answer.header("x-request-id"));
    }
}

#[tokio::test]
async fn levels_of_a_module_count_by_its_id_and_change_at_run_time() {
    for host in [
        TestHost::builder().log("warn").module(greeter::root()).start().await,
        TestHost::builder().log("warn").library(library("greeter")).start().await,
    ] {
        let _ = host.get("/greeter/hello/Ada").await;
        assert_eq!(host.logs().lines(), [""; 0]);
        host.host().set_log("greeter=debug").await.unwrap();
        let _ = host.get("/greeter/hello/Ada").await;
        assert!(
            host.logs()
                .wait_for(Duration::from_secs(5), |e| e.message == "greeting somebody")
                .await
                .is_some()
        );
    }
}

#[tokio::test]
async fn a_module_that_does_not_start_is_named_with_the_way_to_mend_it() {
    for builder in [
        TestHost::builder().module(hello_module::root()),
        TestHost::builder().library(library("hello_module")),
    ] {
        let refused = builder.config("hello", json!({ "greting": "x" })).try_start().await.unwrap_err();
        let StartError::Findings(findings) = &refused else {
            panic!("{refused}")
        };
        assert_eq!(findings.len(), 1, "{refused}");
        assert_eq!(findings[0].module.as_deref(), Some("hello"));
        assert!(findings[0].code.ends_with(".config"), "{refused}");
        assert!(refused.to_string().contains("greting"), "{refused}");
    }
}

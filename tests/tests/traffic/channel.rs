//! Calls from module to module, straight and over a socket of the host. What is the same in both modes is tested in both.

use std::time::{Duration, Instant};

use http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tonic::Code;
use wharf_tests::{ServerOptions, TestServer};

use crate::client::*;

const MODES: [&str; 2] = ["in-process", "loopback"];

fn server(mode: &str) -> TestServer {
    TestServer::start(ServerOptions {
        modules: &["greeter", "relay_module"],
        config: &format!("[channel]\nmode = \"{mode}\"\n\n[log]\nformat = \"json\"\nlevel = \"info,greeter=debug\"\n"),
        ..ServerOptions::default()
    })
}

/// Asks the relay, which answers with whatever came back from the greeter.
async fn ask(server: &TestServer, path: &str) -> Value {
    let (status, outcome) = Client::one(server.http()).await.get_json(path).await;
    assert_eq!(status, 200, "{path}: {outcome}");
    outcome
}

fn code(outcome: &Value) -> Code {
    Code::from(i32::try_from(outcome["code"].as_i64().unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_and_statuses_are_the_same_in_both_modes() {
    for mode in MODES {
        let server = server(mode);
        let hello = ask(&server, "/relay/hello/Ada").await;
        assert_eq!(hello, json!({"code": 0, "message": "Hello, Ada!", "numbers": []}), "{mode}");
        assert_eq!(ask(&server, "/relay/own/Ada").await, hello, "{mode}");

        let nobody = ask(&server, "/relay/hello/%20").await;
        assert_eq!(code(&nobody), Code::InvalidArgument, "{mode}: {nobody}");
        assert!(
            nobody["message"].as_str().unwrap().contains("the name is empty"),
            "{mode}: {nobody}"
        );

        let closed = ask(&server, "/relay/statistics").await;
        assert_eq!(code(&closed), Code::Unauthenticated, "{mode}: {closed}");

        // One byte more than fits into a message, and one that only the greeter itself refuses.
        let big = ask(&server, "/relay/big?bytes=4194304").await;
        assert_eq!(code(&big), Code::OutOfRange, "{mode}: {big}");
        let long = ask(&server, "/relay/big?bytes=4000000").await;
        assert_eq!(code(&long), Code::InvalidArgument, "{mode}: {long}");

        let undeclared = ask(&server, "/relay/undeclared").await;
        let message = undeclared["message"].as_str().unwrap();
        assert!(
            message.contains("hello = \"^1\"") && message.contains("[modules] in wharf.toml"),
            "{mode}: {message}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_come_through_whole_and_as_they_are_made() {
    for mode in MODES {
        let server = server(mode);
        let all = ask(&server, "/relay/count?limit=5000").await;
        assert_eq!(all["numbers"].as_array().unwrap().len(), 5000, "{mode}");
        for mut client in Client::both(server.http()).await {
            let mut lines = client.get("/relay/stream?limit=3&interval_ms=300").await;
            let first = soon("the first number", lines.body_mut().frame()).await.unwrap().unwrap();
            assert_eq!(first.into_data().unwrap(), "1\n", "{mode}");
            let rest = soon("the other numbers", lines.into_body().collect()).await.unwrap();
            assert_eq!(rest.to_bytes(), "2\n3\n", "{mode}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_the_calling_module_names_ends_the_call() {
    for mode in MODES {
        let server = server(mode);
        let asked = Instant::now();
        let outcome = ask(&server, "/relay/count?limit=100&interval_ms=200&timeout_ms=500").await;
        assert_eq!(code(&outcome), Code::DeadlineExceeded, "{mode}: {outcome}");
        let seen = outcome["numbers"].as_array().unwrap().len();
        assert!((1..=5).contains(&seen), "{mode}: {seen} numbers in half a second");
        assert!(asked.elapsed() < Duration::from_secs(10), "{mode}: {:?}", asked.elapsed());
        eventually("calls in flight", async || in_flight(&server, "greeter").await, |calls| *calls == 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_the_client_names_travels_and_the_hosts_patience_does_not() {
    for mode in MODES {
        let server = TestServer::start(ServerOptions {
            modules: &["greeter", "relay_module"],
            config: &format!("[channel]\nmode = \"{mode}\"\n\n[http]\nrequest_timeout = \"1s\"\n"),
            ..ServerOptions::default()
        });
        let mut client = Client::one(server.http()).await;
        let named = Request::get("/relay/stream?limit=100&interval_ms=200")
            .header("connect-timeout-ms", "500")
            .body(empty())
            .unwrap();
        let lines = soon("the lines", client.send(named).await.into_body().collect())
            .await
            .unwrap()
            .to_bytes();
        let lines = String::from_utf8_lossy(&lines).into_owned();
        assert!(lines.starts_with("1\n") && lines.contains("DeadlineExceeded"), "{mode}: {lines}");

        let patient = client.get("/relay/stream?limit=8&interval_ms=200").await;
        let lines = soon("the lines", patient.into_body().collect()).await.unwrap().to_bytes();
        assert_eq!(lines, "1\n2\n3\n4\n5\n6\n7\n8\n", "{mode}: longer than the host's patience");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_ends_the_call_behind_the_call() {
    for mode in MODES {
        let server = server(mode);
        for mut client in Client::both(server.http()).await {
            let mut lines = client.get("/relay/stream?limit=1000&interval_ms=50").await;
            assert!(soon("a number", lines.body_mut().frame()).await.is_some());
            assert_eq!(in_flight(&server, "greeter").await, 1, "{mode}");
            drop(lines);
            drop(client);
            for module in ["relay", "greeter"] {
                eventually("calls in flight", async || in_flight(&server, module).await, |calls| *calls == 0).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_is_switched_off_is_unavailable_and_its_caller_degraded() {
    for mode in MODES {
        let server = server(mode);
        let refused = wharf(&server, &["modules", "disable", "greeter"]).await.unwrap_err();
        assert!(refused.contains("relay"), "{mode}: {refused}");
        wharf(&server, &["modules", "disable", "greeter", "--force"]).await.unwrap();
        let outcome = ask(&server, "/relay/hello/Ada").await;
        assert_eq!(code(&outcome), Code::Unavailable, "{mode}: {outcome}");
        let relay = wharf(&server, &["modules", "show", "relay"]).await.unwrap();
        assert_eq!(
            (&relay["state"], &relay["degraded"]),
            (&json!("running"), &json!(["greeter"])),
            "{mode}"
        );

        wharf(&server, &["modules", "enable", "greeter"]).await.unwrap();
        assert_eq!(code(&ask(&server, "/relay/hello/Ada").await), Code::Ok, "{mode}");
        let relay = wharf(&server, &["modules", "show", "relay"]).await.unwrap();
        assert_eq!(relay["degraded"], json!([]), "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trace_and_the_request_id_travel_in_both_modes() {
    for mode in MODES {
        let server = server(mode);
        let traced = Request::get("/relay/hello/Ada")
            .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
            .body(empty())
            .unwrap();
        let response = Client::one(server.http()).await.send(traced).await;
        let request_id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert!(drain(response).await > 0);
        server.process().wait_for_output("greeting somebody", Duration::from_secs(10));
        let lines = server.process().output();
        let line = |message: &str| -> Value {
            let line = lines.lines().find(|line| line.contains(message)).unwrap();
            serde_json::from_str(line).unwrap()
        };
        let (relay, greeter) = (line("asking the greeter"), line("greeting somebody"));
        assert_eq!(
            (&relay["module.id"], &greeter["module.id"]),
            (&json!("relay"), &json!("greeter")),
            "{mode}"
        );
        assert_eq!(relay["request.id"], json!(request_id), "{mode}: {relay}");
        for line in [&relay, &greeter] {
            assert_eq!(line["trace.id"], json!("0af7651916cd43dd8448eb211c80319c"), "{mode}: {line}");
        }
        assert_eq!(greeter["request.id"], relay["request.id"], "{mode}: {greeter}");
    }
}

async fn in_flight(server: &TestServer, module: &str) -> u64 {
    wharf(server, &["modules", "show", module]).await.unwrap()["in_flight"]
        .as_u64()
        .unwrap()
}

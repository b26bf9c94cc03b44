//! A calls B, B calls A back, and that call wants what the call tree itself has: the one writer of A.

use std::time::{Duration, Instant};

use serde_json::Value;
use wharf_tests::{ServerOptions, TestServer, until};

/// Far less than `database.modules.acquire_timeout`, and far more than a call takes.
const AT_ONCE: Duration = Duration::from_secs(5);
const PATIENT: (&str, &str) = ("WHARF_DATABASE__MODULES__ACQUIRE_TIMEOUT", "60s");
const REFUSED: &str = "the one writer of ring-a is held by a transaction of the call that this one comes from, by way of ring-b";
const WRITES: [&str; 5] = ["write", "begin", "publish", "record", "bill"];

fn server(mode: &str) -> TestServer {
    TestServer::start(ServerOptions {
        modules: &["ring_a", "ring_b"],
        environment: &[PATIENT, ("WHARF_CHANNEL__MODE", mode)],
        ..ServerOptions::default()
    })
}

fn call(server: &TestServer, how: &str) -> (Value, Duration) {
    let began = Instant::now();
    let answer = server.send("POST", &format!("/ring-a/{how}"), &[], &[]);
    assert_eq!(answer.status, 200, "{how}: {answer:?}");
    (answer.json(), began.elapsed())
}

fn refuses_what_would_wait_for_itself(mode: &str) {
    let server = server(mode);
    for how in WRITES {
        let (answer, took) = call(&server, &format!("hold/{how}"));
        let error = answer["error"].as_str().unwrap();
        assert!(error.contains(REFUSED), "{mode}, {how}: {answer}");
        assert!(error.contains("commit before calling other modules"), "{mode}, {how}: {answer}");
        assert!(took < AT_ONCE, "{mode}, {how}: it took {took:?}");
    }
    let (read, _) = call(&server, "hold/read");
    assert_eq!(read["error"], "", "{mode}: reading needs no writer");
    for how in WRITES {
        let (answer, _) = call(&server, &format!("free/{how}"));
        assert_eq!(answer["error"], "", "{mode}, {how}: nothing is held");
    }
    let (read, _) = call(&server, "free/read");
    // Those that held it were committed all the same, one of them around the read, and two wrote when nothing was held.
    assert_eq!(read["rows"], 6 + 6 + 2, "{mode}");
}

#[test]
fn a_call_back_that_wants_the_writer_its_own_call_tree_has_is_refused_at_once() {
    refuses_what_would_wait_for_itself("in-process");
}

#[test]
fn it_is_refused_over_a_socket_too() {
    refuses_what_would_wait_for_itself("loopback");
}

#[test]
fn a_handler_whose_transaction_has_the_writer_is_told_so_when_it_is_called_back() {
    let server = server("in-process");
    let answer = server.send("POST", "/ring-a/tell/write", &[], &[]);
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut heard = Value::Null;
    let seen = until(Duration::from_secs(30), || {
        heard = server.get("/ring-a/heard").json();
        heard.as_array().is_some_and(|heard| !heard.is_empty()).then_some(())
    });
    assert!(seen.is_some(), "nothing was heard; wharf printed:\n{}", server.process().output());
    assert!(heard[0].as_str().unwrap().contains(REFUSED), "{heard}");
}

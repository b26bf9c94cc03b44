//! What the tests share: a server with the lab in it, and the questions they keep asking.

use std::time::{Duration, Instant};

use serde_json::Value;
use wharf_tests::{ServerOptions, TestServer};

/// How long anything may take that a test waits for.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// The secret in the lab's configuration. It may be seen nowhere.
pub(crate) const CANARY: &str = "canary-7f3a9c51";

/// A configuration with short deadlines and a log for programs. `lab` is the rest of `[modules.lab]`, `more` further sections.
pub(crate) fn config(lab: &str, more: &str) -> String {
    format!(
        "[log]\nformat = \"json\"\n\
         [plugins]\ndrain_timeout = \"3s\"\nstart_timeout = \"3s\"\nstop_timeout = \"1s\"\n\
         [modules.lab]\nsecret = \"{CANARY}\"\n{lab}\n{more}\n"
    )
}

/// A server in development mode with these modules.
pub(crate) fn server(modules: &[&str], config: &str) -> TestServer {
    TestServer::start(ServerOptions {
        modules,
        config,
        ..ServerOptions::default()
    })
}

/// The module hello answers, and in time: nothing else on the server holds it up.
pub(crate) fn hello_answers(server: &TestServer) {
    let asked = Instant::now();
    let answer = server.get("/hello/Ada");
    assert_eq!((answer.status, answer.body.as_str()), (200, "Hello, Ada!\n"));
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(4), "hello took {took:?}");
}

/// Whether a status has a message with this text.
pub(crate) fn says(status: &Value, text: &str) -> bool {
    messages(status).contains(text)
}

/// The messages of a status, one a line.
pub(crate) fn messages(status: &Value) -> String {
    let messages = status["messages"].as_array().into_iter().flatten();
    messages
        .filter_map(|message| message["text"].as_str())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Waits until a module is in a state.
pub(crate) fn wait_for_state(server: &TestServer, id: &str, state: &str) -> Value {
    server.wait_for_module(id, state, |status| status["state"] == state)
}

/// Waits until the status of a module has a message with this text.
pub(crate) fn wait_for_message(server: &TestServer, id: &str, text: &str) -> Value {
    server.wait_for_module(id, text, |status| says(status, text))
}

/// The JSON objects in what a server printed.
pub(crate) fn log_lines(server: &TestServer) -> Vec<Value> {
    let output = server.process().output();
    output.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The secret was printed nowhere.
pub(crate) fn keeps_its_secret(server: &TestServer) {
    let output = server.process().output();
    assert!(!output.contains(CANARY), "the secret is in the log:\n{output}");
    let status = server.admin("GET", "/status").body;
    assert!(!status.contains(CANARY), "the secret is in the status: {status}");
}

//! A panic in any entry point fails what was asked, is seen in the status, and hurts nobody else.

use std::io::{BufRead as _, BufReader, Read as _};

use wharf_tests::open;

use super::stage::{config, hello_answers, keeps_its_secret, messages, says, server, wait_for_message, wait_for_state};

/// Route of the lab, status of the answer, what the status says then.
const IN_CALLS: &[(&str, u16, &str)] = &[
    ("/lab/panic/handler", 500, "the handler panics as asked"),
    ("/lab/panic/await", 500, "the handler panics after an await as asked"),
    ("/lab/panic/task", 200, "the tokio task panics as asked"),
    ("/lab/panic/spawn", 200, "the spawned task panics as asked"),
    ("/lab/panic/timer", 200, "the timer panics as asked"),
    ("/lab/panic/thread", 200, "the thread panics as asked"),
];

const MANY: &str = "[plugins.quarantine]\npanics = 100";

#[test]
fn a_panic_fails_its_call_and_nothing_else() {
    let server = server(&["lab_module", "hello_module"], &config("", MANY));
    let before = server.module("lab");
    for (count, (path, status, text)) in IN_CALLS.iter().enumerate() {
        let answer = server.get(path);
        assert_eq!(answer.status, *status, "{path}: {}", answer.body);
        if *status == 500 {
            assert!(answer.has_header("content-type: application/problem+json"), "{}", answer.head);
            assert_eq!(answer.json()["status"], 500, "{}", answer.body);
            assert!(answer.json()["request_id"].is_string(), "{}", answer.body);
            assert!(!answer.body.contains("as asked"), "the client is told too much: {}", answer.body);
        }
        let seen = wait_for_message(&server, "lab", text);
        assert_eq!(seen["panics"], count as u64 + 1, "{path}: {}", messages(&seen));
        assert_eq!((&seen["state"], &seen["instance"]), (&before["state"], &before["instance"]));
        assert_eq!(server.get("/lab/word").status, 200);
        hello_answers(&server);
    }
    keeps_its_secret(&server);
}

#[test]
fn a_panic_in_a_body_cuts_the_answer_where_it_is() {
    let server = server(&["lab_module", "hello_module"], &config("", MANY));
    let mut text = Vec::new();
    // Cut, not ended: whether the connection is reset is up to the system.
    let _ = open(server.http(), "/lab/panic/body").unwrap().read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text);
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert_eq!(text.matches("piece").count(), 3, "{text}");
    assert!(!text.ends_with("0\r\n\r\n"), "a cut body looks complete: {text}");
    wait_for_message(&server, "lab", "the body panics as asked");
    assert_eq!(server.get("/lab/word").status, 200);
    hello_answers(&server);
}

#[test]
fn a_panic_in_the_drop_of_a_call_is_contained() {
    let server = server(&["lab_module", "hello_module"], &config("", MANY));
    let client = open(server.http(), "/lab/panic/drop").unwrap();
    server.wait_for_module("lab", "one call in flight", |status| status["in_flight"] == 1);
    drop(client);
    let seen = wait_for_message(&server, "lab", "the drop panics as asked");
    assert_eq!(seen["panics"], 1);
    server.wait_for_module("lab", "no call in flight", |status| status["in_flight"] == 0);
    assert_eq!(server.get("/lab/word").status, 200);
    hello_answers(&server);
}

#[test]
fn a_client_that_hangs_up_ends_the_stream_it_read() {
    let server = server(&["lab_module"], &config("", ""));
    let mut client = BufReader::new(open(server.http(), "/lab/events").unwrap());
    let mut line = String::new();
    while !line.starts_with("data: 2") {
        line.clear();
        assert!(client.read_line(&mut line).unwrap() > 0, "the stream ended");
    }
    assert_eq!(server.module("lab")["in_flight"], 1);
    drop(client);
    server.wait_for_module("lab", "no call in flight", |status| status["in_flight"] == 0);
}

#[test]
fn too_many_panics_quarantine_a_module_until_an_operator_acts() {
    let three = "[plugins.quarantine]\npanics = 3";
    let server = server(&["lab_module", "hello_module"], &config("", three));
    for way_back in ["reload", "enable"] {
        for _ in 0..3 {
            assert_eq!(server.get("/lab/panic/handler").status, 500);
        }
        wait_for_state(&server, "lab", "quarantined");
        let refused = server.get("/lab/word");
        assert_eq!(refused.status, 503, "{}", refused.body);
        assert!(refused.has_header("content-type: application/problem+json"), "{}", refused.head);
        hello_answers(&server);
        let shown = server.wharf(&["modules", "show", "lab"]);
        assert_eq!(shown.code, 0, "{}", shown.err);
        assert!(shown.out.contains("quarantined: 3 panics within"), "{}", shown.out);
        let ran = server.wharf(&["modules", way_back, "lab"]);
        assert_eq!(ran.code, 0, "{way_back}: {}", ran.err);
        let status = server.module("lab");
        assert_eq!(status["state"], "running", "{way_back}: {}", messages(&status));
        assert_eq!(server.get("/lab/word").status, 200, "after {way_back}");
    }
    assert!(says(&server.module("lab"), "quarantined"), "what happened before stays to be read");
    keeps_its_secret(&server);
}

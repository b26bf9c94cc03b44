//! A module that does not come back is seen, named and kept from more, and the others go on.

use std::net::SocketAddr;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use wharf_tests::{Answer, TestServer, open, send};

use super::stage::{config, hello_answers, keeps_its_secret, server, wait_for_message};

fn in_background(address: SocketAddr, path: &'static str) -> JoinHandle<std::io::Result<Answer>> {
    thread::spawn(move || send(address, "GET", path, &[], &[]))
}

#[test]
fn a_handler_that_never_ends_is_cut_at_the_deadline() {
    let server = server(&["lab_module", "hello_module"], &config("", "[http]\nrequest_timeout = \"1s\""));
    let hanging = in_background(server.http(), "/lab/hang");
    server.wait_for_module("lab", "one call in flight", |status| status["in_flight"] == 1);
    hello_answers(&server);
    assert_eq!(server.get("/lab/word").status, 200);
    let answer = hanging.join().unwrap().unwrap();
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(answer.has_header("content-type: application/problem+json"), "{}", answer.head);
    let status = wait_for_message(&server, "lab", "a call did not answer within its deadline");
    assert_eq!((&status["errors"], &status["in_flight"]), (&1.into(), &0.into()));
}

/// Waits until the module is quarantined while hello goes on answering.
fn quarantined_while_hello_answers(server: &TestServer) {
    let end = Instant::now() + super::stage::LIMIT;
    while server.module("lab")["state"] != "quarantined" {
        assert!(Instant::now() < end, "nobody saw it: {}", server.module("lab"));
        hello_answers(server);
    }
    wait_for_message(server, "lab", "blocks its thread for more than 5 s");
    let answer = server.get("/lab/word");
    assert_eq!(answer.status, 503, "{}", answer.body);
    hello_answers(server);
    keeps_its_secret(server);
}

#[test]
fn a_handler_that_spins_in_its_poll_is_kept_from_more() {
    let server = server(&["lab_module", "hello_module"], &config("", ""));
    let spinning = in_background(server.http(), "/lab/spin/9000");
    wait_for_message(&server, "lab", "a poll took more than 100 ms");
    // While every thread that the module may have is taken.
    let waiting = in_background(server.http(), "/lab/spin/9000");
    server.wait_for_module("lab", "two calls in flight", |status| status["in_flight"] == 2);
    let third = in_background(server.http(), "/lab/word");
    quarantined_while_hello_answers(&server);
    assert_eq!(third.join().unwrap().unwrap().status, 503);
    let _ = (spinning.join(), waiting.join());
    // The thread came back; the module stays out until an operator acts.
    assert_eq!(server.get("/lab/word").status, 503);
    assert_eq!(server.wharf(&["modules", "reload", "lab"]).code, 0);
    assert_eq!(server.get("/lab/word").status, 200);
}

#[test]
fn a_handler_that_blocks_its_thread_is_kept_from_more() {
    let server = server(&["lab_module", "hello_module"], &config("", ""));
    let blocking = in_background(server.http(), "/lab/block/9000");
    quarantined_while_hello_answers(&server);
    let _ = blocking.join();
}

#[test]
fn a_call_that_spins_in_its_drop_is_kept_from_more() {
    let server = server(&["lab_module", "hello_module"], &config("", ""));
    let client = open(server.http(), "/lab/spin-in-drop/9000").unwrap();
    server.wait_for_module("lab", "one call in flight", |status| status["in_flight"] == 1);
    drop(client);
    quarantined_while_hello_answers(&server);
}

#[test]
fn a_short_block_is_noted_and_no_more() {
    let server = server(&["lab_module"], &config("", ""));
    let answer = server.get("/lab/block/400");
    assert_eq!((answer.status, answer.body.as_str()), (200, "blocked\n"));
    let status = wait_for_message(&server, "lab", "a poll took more than 100 ms");
    assert_eq!(status["state"], "running");
    let asked = Instant::now();
    assert_eq!(server.get("/lab/word").status, 200);
    assert!(asked.elapsed() < Duration::from_secs(4));
}

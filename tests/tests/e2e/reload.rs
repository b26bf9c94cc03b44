//! A module is replaced while it serves, and only by something better.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use wharf_tests::{TestServer, library, send};

use super::stage::{CANARY, LIMIT, config, hello_answers, keeps_its_secret, messages, server, wait_for_message};

const FILE: &str = "libswap.so";

fn with_swap() -> TestServer {
    let server = server(&["hello_module"], &config("", ""));
    server.install_as(&library("swap_a"), FILE);
    wait_for_version(&server, "1.0.0");
    server
}

fn wait_for_version(server: &TestServer, version: &str) {
    server.wait_for_module("swap", version, |status| {
        status["state"] == "running" && status["version"] == version
    });
    assert_eq!(server.get("/swap/version").body, version);
}

#[test]
fn a_new_build_in_a_watched_folder_takes_over_without_a_failed_request() {
    let server = with_swap();
    let (address, over) = (server.http(), AtomicBool::new(false));
    thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut answers = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let answer = send(address, "GET", "/swap/version", &[], &[]).unwrap();
                assert_eq!(answer.status, 200, "{}", answer.body);
                answers.push(answer.body);
            }
            answers
        });
        let slow = scope.spawn(move || send(address, "GET", "/swap/slow/2500", &[], &[]).unwrap());
        server.wait_for_module("swap", "the slow call in flight", |status| status["in_flight"].as_u64() >= Some(1));
        server.install_as(&library("swap_b"), FILE);
        wait_for_version(&server, "1.1.0");
        for _ in 0..20 {
            assert_eq!(server.get("/swap/version").body, "1.1.0");
        }
        over.store(true, Ordering::Relaxed);
        let answers = asking.join().unwrap();
        let first_new = answers
            .iter()
            .position(|answer| answer == "1.1.0")
            .expect("the new build was asked");
        assert!(first_new > 0, "the old build was asked");
        assert!(answers[first_new..].iter().all(|answer| answer == "1.1.0"), "{answers:?}");
        let slow = slow.join().unwrap();
        assert_eq!(
            (slow.status, slow.body.as_str()),
            (200, "1.0.0"),
            "it ends on the build that it began on"
        );
    });
    let uploaded = server.send("POST", "/swap/upload", &[], &vec![b'x'; 100_000]).json();
    assert_eq!((&uploaded["bytes"], &uploaded["version"]), (&100_000.into(), &"1.1.0".into()));
    assert!(server.get("/swap/events?limit=2").body.contains("id: 2\ndata: 1.1.0"));
}

#[test]
fn a_broken_build_leaves_the_old_one_serving() {
    let server = with_swap();
    let before = server.module("swap");
    let whole = fs::read(library("swap_b")).unwrap();
    let half = server.plugins().join(".half");
    fs::write(&half, &whole[..whole.len() / 2]).unwrap();
    server.install_as(&half, FILE);
    let status = server.wait_for_module("swap", "a refusal", |status| {
        messages(status).contains("refused") || messages(status).contains("not taken")
    });
    assert_eq!((&status["state"], &status["instance"]), (&"running".into(), &before["instance"]));
    assert_eq!(server.get("/swap/version").body, "1.0.0");
    let reload = server.wharf(&["modules", "reload", "swap"]);
    assert_eq!(reload.code, 5, "{}{}", reload.out, reload.err);
    assert_eq!(server.get("/swap/version").body, "1.0.0");
    hello_answers(&server);
    server.install_as(&library("swap_b"), FILE);
    wait_for_version(&server, "1.1.0");
}

#[test]
fn a_build_that_does_not_start_leaves_the_old_one_serving() {
    let server = server(&["lab_module"], &config("word = \"good\"", ""));
    let before = server.module("lab");
    for (lab, text) in [
        ("init = \"panic\"", "init panics as configured"),
        ("start = \"fail\"", "start fails as configured"),
        ("health = \"fail\"", "health fails as configured"),
        ("word = 7", "modules.lab.word"),
    ] {
        server.configure(&config(lab, ""));
        server.process().signal("HUP");
        let status = wait_for_message(&server, "lab", text);
        assert_eq!((&status["state"], &status["instance"]), (&"running".into(), &before["instance"]));
        assert_eq!(server.get("/lab/word").body, "good", "after {lab}");
    }
    // A secret that is wrong is not shown either.
    let short = &CANARY[..7];
    server.configure(&format!("[log]\nformat = \"json\"\n[modules.lab]\nsecret = \"{short}\"\n"));
    server.process().signal("HUP");
    wait_for_message(&server, "lab", "modules.lab.secret");
    assert!(!server.process().output().contains(short));
    let ran = server.wharf(&["modules", "plan"]);
    assert!(!format!("{}{}", ran.out, ran.err).contains(short), "{}", ran.out);
}

#[test]
fn a_changed_section_makes_a_new_instance_of_the_same_generation() {
    let server = server(&["lab_module", "hello_module"], &config("word = \"old\"", ""));
    let (before, hello) = (server.module("lab"), server.module("hello"));
    server.configure(&config("word = \"new\"", ""));
    server.process().signal("HUP");
    let after = server.wait_for_module("lab", "a new instance", |status| {
        status["state"] == "running" && status["instance"] != before["instance"]
    });
    assert_eq!(server.get("/lab/word").body, "new");
    assert_eq!(after["generation"], before["generation"]);
    assert_eq!(server.module("hello")["instance"], hello["instance"]);
    keeps_its_secret(&server);
}

#[test]
fn a_module_whose_file_is_gone_goes_on_and_says_so() {
    let server = with_swap();
    fs::remove_file(server.plugins().join(FILE)).unwrap();
    let status = wait_for_message(&server, "swap", "is gone");
    assert_eq!(status["state"], "running");
    assert_eq!(server.get("/swap/version").body, "1.0.0");
    let reload = server.wharf(&["modules", "reload", "swap"]);
    assert_eq!(server.get("/swap/version").body, "1.0.0");
    assert_eq!(reload.code, 5, "{}{}", reload.out, reload.err);
    // Whatever comes next under that name is taken.
    server.install_as(&library("swap_b"), FILE);
    server.process().wait_for_output("version 1.1.0", LIMIT);
    wait_for_version(&server, "1.1.0");
}

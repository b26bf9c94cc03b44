//! The end of a host, and the beginning of the next on the same socket.

use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use wharf_tests::{Process, install, library, open, scratch, send, until, wharf_binary};

use super::stage::{LIMIT, config, log_lines, server};

#[test]
fn a_host_that_is_told_to_end_finishes_what_it_has_and_stops_in_reverse_order() {
    let modules = ["lab_module", "needs_lab", "hello_module"];
    let mut server = server(&modules, &config("", "[shutdown]\ndeadline = \"20s\""));
    let (http, management) = (server.http(), server.management());
    let slow = thread::spawn(move || send(http, "GET", "/lab/slow/3000", &[], &[]));
    server.wait_for_module("lab", "the slow call in flight", |status| status["in_flight"] == 1);
    server.process().signal("TERM");
    let unready = until(LIMIT, || {
        send(management, "GET", "/readyz", &[], &[])
            .ok()
            .filter(|answer| answer.status == 503)
    });
    assert!(
        unready.is_some(),
        "it did not say that it is not ready:\n{}",
        server.process().output()
    );
    let answer = slow.join().unwrap().unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "first"));
    let status = server.wait(LIMIT);
    assert_eq!(status.code(), Some(0), "{}", server.process().output());

    let lines = log_lines(&server);
    let at = |id: &str, message: &str| {
        let is_it = |line: &serde_json::Value| line["message"] == message && (line["fields"]["module.id"] == id || line["module.id"] == id);
        lines
            .iter()
            .position(is_it)
            .unwrap_or_else(|| panic!("no {message:?} of {id}:\n{}", server.process().output()))
    };
    assert!(at("lab", "module is Running") < at("needs-lab", "module is Running"));
    assert!(at("needs-lab", "module is Stopped") < at("lab", "lab stops"));
    assert!(at("lab", "lab stops") < at("lab", "module is Stopped"));
}

#[test]
fn a_stuck_module_keeps_the_host_no_longer_than_its_deadline() {
    for (lab, path, told) in [
        ("", "/lab/hang", true),
        ("", "/lab/block/30000", false),
        ("stop = \"hang\"", "/lab/word", true),
        ("stop = \"spin\"", "/lab/word", true),
    ] {
        let mut server = server(&["lab_module", "hello_module"], &config(lab, "[shutdown]\ndeadline = \"4s\""));
        let client = open(server.http(), path).unwrap();
        server.wait_for_module("lab", "the call", |status| status["calls"] == 1);
        let asked = Instant::now();
        let status = server.terminate(LIMIT);
        let output = server.process().output();
        assert_eq!(status.code(), Some(6), "{lab}{path}: {output}");
        assert!(
            asked.elapsed() < Duration::from_secs(10),
            "{lab}{path}: it took {:?}",
            asked.elapsed()
        );
        assert!(
            !told || output.contains("lab stops"),
            "{lab}{path}: the module was not asked to stop: {output}"
        );
        drop(client);
    }
}

#[test]
fn a_restart_on_an_inherited_socket_refuses_no_connection() {
    let folder = scratch("inherited");
    let plugins = folder.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    install(&library("hello_module"), &plugins);
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    let start = || {
        // The shell only moves the socket to where `LISTEN_FDS` says it is, and becomes the host.
        let mut command = Command::new("sh");
        command
            .args(["-c", "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" serve --dev"])
            .arg(wharf_binary())
            .current_dir(folder.path())
            .env("WHARF_DATA_DIR", folder.path().join("data"))
            .env("WHARF_PLUGINS__DIR", &plugins)
            .env("WHARF_MANAGEMENT__ENABLED", "false");
        let process = Process::start_with_input(&mut command, Stdio::from(OwnedFd::from(socket.try_clone().unwrap())));
        process.wait_for_output("host runs", LIMIT);
        process
    };
    let (over, asked) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut host = start();
    thread::scope(|scope| {
        let asking = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let answer = send(address, "GET", "/hello/Ada", &[], &[]);
                let status = answer.as_ref().map(|answer| answer.status);
                assert!(
                    status.is_ok_and(|status| status == 200 || status == 404 || status == 503),
                    "{answer:?}"
                );
                asked.fetch_add(1, Ordering::Relaxed);
            }
        });
        let more = || {
            let before = asked.load(Ordering::Relaxed);
            until(LIMIT, || {
                (asked.load(Ordering::Relaxed) > before + 20 || asking.is_finished()).then_some(())
            });
        };
        for _ in 0..2 {
            more();
            host.signal("TERM");
            assert_eq!(host.wait(LIMIT).code(), Some(0), "{}", host.output());
            host = start();
        }
        more();
        over.store(true, Ordering::Relaxed);
        asking.join().unwrap();
    });
    assert_eq!(send(address, "GET", "/hello/Ada", &[], &[]).unwrap().status, 200);
}

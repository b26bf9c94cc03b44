//! Two hosts that share a database.

use std::time::{Duration, Instant};

use wharf_tests::{ServerOptions, TestServer, scratch};

use super::stage::config;

/// What all nodes know within; some more, since this machine runs other tests beside.
const SOON: Duration = Duration::from_secs(1);

pub(crate) fn node(name: &str, url: &str, modules: &[&str], more: &str) -> TestServer {
    TestServer::start(ServerOptions {
        modules,
        config: &config("", more),
        environment: &[("WHARF_NODE__NAME", name), ("WHARF_DATABASE__URL", url)],
        ..ServerOptions::default()
    })
}

/// How long the other node took.
pub(crate) fn followed(other: &TestServer, status: u16) -> Duration {
    let began = Instant::now();
    while other.get("/hello/Ada").status != status {
        assert!(began.elapsed() < SOON * 10, "the other node did not follow to {status}");
    }
    began.elapsed()
}

#[test]
fn what_is_decided_on_one_host_happens_on_the_other() {
    let folder = scratch("nodes");
    let url = format!("sqlite://{}", folder.path().join("shared.sqlite").display());
    let (one, two) = (node("one", &url, &["hello_module"], ""), node("two", &url, &["hello_module"], ""));
    for (arguments, status) in [(["modules", "disable", "hello"], 404), (["modules", "enable", "hello"], 200)] {
        let ran = one.wharf(&arguments);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let took = followed(&two, status);
        assert!(took < SOON * 3, "{arguments:?} took {took:?} on the other node");
    }
    let pinned = two.wharf(&["modules", "pin", "hello", "--version", "9.9.9"]);
    assert_eq!(pinned.code, 0, "{}", pinned.err);
    one.wait_for_module("hello", "the pin", |status| status["desired"]["pinned_version"] == "9.9.9");
    assert_eq!(one.get("/hello/Ada").status, 200, "a pin stops nothing that runs");
}

//! Without `--dev`: new modules wait for an operator, decisions last, and trust is asked for.

use serde_json::Value;
use wharf_tests::{ServerOptions, TestServer, library};

use super::stage::{config, messages, server, wait_for_message, wait_for_state};

const ANY: &str = "[plugins.trust]\nmode = \"any\"";

fn careful(modules: &[&str], config: &str) -> TestServer {
    TestServer::start(ServerOptions {
        modules,
        config,
        arguments: &[],
        ..ServerOptions::default()
    })
}

fn listed(server: &TestServer) -> Value {
    let ran = server.wharf(&["modules", "list", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    serde_json::from_str(&ran.out).unwrap()
}

fn succeeds(server: &TestServer, arguments: &[&str]) {
    let ran = server.wharf(arguments);
    assert_eq!(ran.code, 0, "wharf {arguments:?}: {}{}", ran.out, ran.err);
}

#[test]
fn new_modules_wait_until_somebody_enables_them_and_decisions_outlive_the_host() {
    let mut server = careful(&["lab_module", "needs_lab", "hello_module"], &config("", ANY));
    let list = listed(&server);
    assert_eq!(list["running"], true);
    for module in list["modules"].as_array().unwrap() {
        assert_eq!(module["state"], "disabled", "{module}");
        assert!(messages(module).contains("wharf modules enable"), "{module}");
    }
    assert_eq!(server.get("/lab/word").status, 404);

    // What it needs comes first.
    let early = server.wharf(&["modules", "enable", "needs-lab", "--json"]);
    assert_eq!(early.code, 5, "{}", early.out);
    assert!(early.err.contains("requires lab"), "{}", early.err);
    for id in ["lab", "needs-lab", "hello"] {
        succeeds(&server, &["modules", "enable", id]);
    }
    assert_eq!(server.get("/lab/word").status, 200);
    assert_eq!(server.get("/needs-lab/here").status, 200);

    let refused = server.wharf(&["modules", "disable", "lab", "--json"]);
    assert_eq!(refused.code, 5, "{}", refused.out);
    assert!(
        refused.err.contains("module.needed") && refused.err.contains("needs-lab"),
        "{}",
        refused.err
    );
    assert_eq!(server.get("/lab/word").status, 200);
    succeeds(&server, &["modules", "disable", "lab", "--force"]);
    assert_eq!(server.get("/lab/word").status, 404);
    let needs = server.module("needs-lab");
    assert_eq!((&needs["state"], &needs["degraded"][0]), (&"running".into(), &"lab".into()));
    assert_eq!(server.get("/needs-lab/here").status, 200);

    server.restart();
    assert_eq!(server.get("/hello/Ada").status, 200);
    assert_eq!(server.module("lab")["state"], "disabled");
    wait_for_message(&server, "needs-lab", "requires lab, which is disabled");
    succeeds(&server, &["modules", "enable", "lab"]);
    succeeds(&server, &["modules", "enable", "needs-lab"]);
    assert_eq!(server.get("/needs-lab/here").status, 200);
}

#[test]
fn by_default_only_signed_libraries_run() {
    let server = careful(&["hello_module"], "");
    let refused = server.wharf(&["modules", "enable", "hello", "--json"]);
    assert_eq!(refused.code, 5, "{}{}", refused.out, refused.err);
    assert!(refused.err.contains("trust."), "{}", refused.err);
    assert_eq!(server.get("/hello/Ada").status, 404);

    let made = server.wharf(&["keys", "new", "release", "--out", "release.key", "--json"]);
    let made: Value = serde_json::from_str(&made.out).unwrap();
    let (id, public) = (made["id"].as_str().unwrap(), made["public"].as_str().unwrap());
    server.configure(&format!("[[plugins.trust.keys]]\nid = {id:?}\npublic = {public:?}\n"));
    let file = server.plugins().join(library("hello_module").file_name().unwrap());
    succeeds(&server, &["sign", file.to_str().unwrap(), "--key", "release.key"]);
    let mut server = server;
    server.restart();
    succeeds(&server, &["modules", "enable", "hello"]);
    assert_eq!(server.get("/hello/Ada").status, 200);

    // The signature is of that file and no other.
    let other = library("swap_a");
    let signature = |path: &std::path::Path| format!("{}.sig", path.display());
    let placed = server.install(&other);
    std::fs::copy(signature(&file), signature(&placed)).unwrap();
    let plan = server.wharf(&["modules", "plan", "--json"]);
    assert_eq!(plan.code, 3, "{}", plan.out);
    assert!(plan.out.contains("trust."), "{}", plan.out);
}

#[test]
fn in_development_modules_run_at_once() {
    let server = server(&["hello_module"], "");
    wait_for_state(&server, "hello", "running");
    assert_eq!(listed(&server)["modules"][0]["id"], "hello");
    let unknown = server.wharf(&["modules", "enable", "nobody"]);
    assert_eq!(unknown.code, 5, "{}", unknown.err);
    assert!(unknown.err.contains("there is no module nobody"), "{}", unknown.err);
}

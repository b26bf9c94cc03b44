//! The module that uses every core service and gives every export, driven on a host with its core modules.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::people::{self, CORE, Person};
use crate::process::until;
use crate::server::{ServerOptions, TestServer};
use crate::workspace::root;

const SOON: Duration = Duration::from_secs(60);
const JSON: (&str, &str) = ("content-type", "application/json");
/// What the module is given as its secret. It may be seen nowhere.
const SEED: &str = "canary-of-seventeen";
/// The services of ABI 1.0. One that a later version adds is used by the module of that version.
const SERVICES: [&str; 16] = [
    "audit",
    "authz",
    "blobs",
    "cache",
    "channel",
    "config",
    "database",
    "errors",
    "events",
    "health",
    "log",
    "metrics",
    "notifier",
    "runtime",
    "scheduler",
    "secrets",
];

/// Where libraries are kept, a folder for each version of the ABI.
#[must_use]
pub fn fixtures() -> PathBuf {
    root().join("tests/fixtures")
}

/// A library that is kept: `abi-1.0`, `gamut`. There are none yet for other systems than x86-64 Linux with glibc.
#[must_use]
pub fn kept(version: &str, name: &str) -> PathBuf {
    let folder = fixtures().join(version).join("x86_64-unknown-linux-gnu");
    folder.join(format!("lib{name}.so"))
}

/// Starts a host without modules in libraries, on which the gamut can do all it does.
#[must_use]
pub fn host(config: &str, environment: &[(&str, &str)]) -> TestServer {
    let own = "[log]\nformat = \"json\"\nlevel = \"info,gamut=debug\"\n[modules.gamut]\nword = \"given\"\n";
    TestServer::start(ServerOptions {
        config: &format!("{own}{config}"),
        environment: &[&[CORE, ("WHARF_SECRET__GAMUT__SEED", SEED)][..], environment].concat(),
        ..ServerOptions::default()
    })
}

/// Everything it does, and that it was done. The gamut and the greeter run on the host.
///
/// # Panics
/// When anything is not as it must be.
pub fn drive(server: &TestServer) {
    let walker = people::person(server, "default", "walker", &["admin"]);
    let stranger = people::person(server, "default", "stranger", &[]);
    let path = format!("/gamut/tour/{}", SERVICES[0]);
    assert_eq!(server.send("POST", &path, &[], &[]).status, 401, "without a token");
    assert_eq!(stranger.send(server, "POST", &path, &[], &[]).status, 403, "without the permission");
    for service in SERVICES {
        assert_eq!(tour(server, &walker, service), expected(service), "{service}");
    }
    let unknown = walker.send(server, "POST", "/gamut/tour/moon", &[], &[]);
    assert_eq!(unknown.status, 422, "{}", unknown.body);

    without_a_request(server, &walker);
    outside(server);
    http(server, &walker);
    documents(server);
    let output = server.process().output();
    assert!(!output.contains(SEED), "the secret was printed:\n{output}");
}

/// It calls the greeter, for its caller and for itself: after one of them was replaced.
///
/// # Panics
/// When it is not greeted.
pub fn calls_the_greeter(server: &TestServer) {
    let caller = people::person(server, "default", "caller", &["admin"]);
    assert_eq!(tour(server, &caller, "channel"), expected("channel"));
}

/// The services that the ABI has today, as its snapshot lists them.
///
/// # Panics
/// When the gamut does not use them all.
pub fn knows_every_service() {
    let snapshot = root().join("plugin-api/tests/layouts.txt");
    let text = fs::read_to_string(&snapshot).unwrap_or_else(|error| panic!("{}: {error}", snapshot.display()));
    let line = text.lines().find_map(|line| line.strip_prefix("services: ")).unwrap_or_default();
    let services: Vec<&str> = line
        .split(' ')
        .map(|service| service.split('@').next().unwrap_or_default())
        .collect();
    assert_eq!(
        services, SERVICES,
        "a new service needs a tour in tests/modules/gamut, and a folder in tests/fixtures"
    );
}

/// It is loaded once more and answers as before.
///
/// # Panics
/// When it does not.
pub fn reload(server: &TestServer) {
    let before = server.module("gamut");
    let ran = server.wharf(&["modules", "reload", "gamut"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let after = server.wait_for_module("gamut", "running", |status| status["state"] == "running");
    assert!(after["generation"].as_u64() > before["generation"].as_u64(), "{before}\n{after}");
    assert_eq!(echo(server, "once more"), "once more");
}

fn tour(server: &TestServer, walker: &Person, service: &str) -> Value {
    let answer = walker.send(server, "POST", &format!("/gamut/tour/{service}"), &[], &[]);
    assert_eq!(
        answer.status,
        200,
        "{service}: {}\nwharf printed:\n{}",
        answer.body,
        server.process().output()
    );
    answer.json()
}

fn expected(service: &str) -> Value {
    match service {
        "audit" => json!({ "refused": "invalid" }),
        "authz" => json!({ "may": true, "required": true, "all": true, "explained": true, "undeclared": "undeclared" }),
        "blobs" => json!({
            "size": 2_621_440, "type": "text/plain", "right": true, "read": 2_621_440, "part": [0, 0, 1, 1],
            "copied": 2_621_440, "if_absent": "conflict", "if_matches": "conflict", "listed": ["tour/copy", "tour/large"],
            "after": 1, "signed": 2, "gone": "not-found",
        }),
        "cache" => json!({
            "one": 1, "many": [2, null, 3], "forever": true, "touched": true, "left": true, "counted": [5, 3],
            "swapped": [true, false, true], "deleted": [true, false], "deleted_many": 2, "loaded": 8, "others": false,
            "held": true, "released": true, "grows": true, "dropped": true, "cleared": 3,
        }),
        "channel" => json!({ "greeted": ["Hello, caller!", "Hello, gamut!"], "undeclared": "undeclared" }),
        "config" => json!({ "word": "given" }),
        "database" => json!({
            "same": true, "changed": 7, "unique": true, "in_tx": 602, "streamed": 602, "reader_cannot_write": true,
            "early": true, "replica": 600, "json": 602, "by_name": 602,
            "first": {
                "id": 1, "word": "first", "flag": true, "share": 0.5, "amount": "123.45", "raw": [0, 1, 255],
                "at": "1970-01-01T00:00:00Z", "key": "00000000-0000-0000-0000-000000001234",
                "tree": { "deep": [1, null, "ü"] }, "maybe": 7,
            }, "left": 0,
        }),
        "errors" => json!({ "reported": "gamut.lost" }),
        "events" => json!({ "different_ids": 3 }),
        "health" => json!({ "set": 2 }),
        "log" => json!({ "debug": true }),
        "metrics" => json!({ "refused": true }),
        "notifier" => json!({ "unknown": "invalid" }),
        "runtime" => json!({ "spawned": true }),
        "scheduler" => json!({ "kept": true, "second": false, "cancelled": [true, false], "unknown": "undeclared" }),
        "secrets" => json!({ "bytes": SEED.len(), "none": true, "undeclared": "undeclared" }),
        other => panic!("nothing is known of {other}"),
    }
}

/// What handlers and jobs did, once each; and nothing that was rolled back.
fn without_a_request(server: &TestServer, walker: &Person) {
    let wanted = [
        "event: alone",
        "event: kept",
        "transient event: fleeting",
        "walk 1: alone",
        "walk 1: kept",
    ];
    let mut seen = Vec::new();
    let done = until(SOON, || {
        seen = strings(&walker.get(server, "/gamut/seen").json());
        seen.sort();
        (seen == wanted).then_some(())
    });
    assert!(
        done.is_some(),
        "expected {wanted:?}, found {seen:?}; wharf printed:\n{}",
        server.process().output()
    );
    let ran = server.wharf(&["jobs", "run", "gamut", "nightly"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let ran = until(SOON, || {
        strings(&walker.get(server, "/gamut/seen").json())
            .contains(&"nightly".to_owned())
            .then_some(())
    });
    assert!(ran.is_some(), "the job did not run: {}", server.process().output());
}

/// What others see of it: records, mails, metrics, the log, its migrations.
fn outside(server: &TestServer) {
    let mut recorded = Vec::new();
    let found = until(SOON, || {
        let rows = lines_of(server, &["audit", "list", "--action", "gamut.step.take", "--json"]);
        recorded = rows.iter().map(Value::to_string).collect();
        (recorded.len() == 2).then_some(())
    });
    let recorded = recorded.join("\n");
    assert!(found.is_some(), "expected two records: {recorded}");
    assert!(recorded.contains("step/kept") && recorded.contains("step/alone"), "{recorded}");
    assert!(!recorded.contains("canary"), "a secret was recorded: {recorded}");

    let mails = lines_of(server, &["mail", "list", "gamut", "--json"]);
    let text = Value::from(mails.clone()).to_string();
    assert_eq!(mails.len(), 2, "{text}");

    let metrics = crate::client::send(server.management(), "GET", "/metrics", &[], &[])
        .unwrap_or_else(|error| panic!("/metrics: {error}"))
        .body;
    for (name, value) in [
        ("gamut_steps_total", "3"),
        ("gamut_tide", "4.5"),
        ("gamut_walk_seconds_count", "2"),
        ("gamut_walk_seconds_sum", "3.2"),
    ] {
        let line = metrics
            .lines()
            .find(|line| line.starts_with(name) && line.ends_with(&format!(" {value}")));
        assert!(
            line.is_some_and(|line| line.contains("module=\"gamut\"")),
            "no {name} of {value} in\n{metrics}"
        );
    }

    let lines = logged(server);
    let all = || lines.iter().filter(|line| line["module.id"] == "gamut");
    let debug = all().find(|line| line.to_string().contains("gamut detail"));
    let debug = debug.unwrap_or_else(|| panic!("no event of level debug in\n{}", server.process().output()));
    assert_eq!(debug["spans"][0]["name"], "gamut span", "{debug}");
    assert_eq!(debug["spans"][0]["fields"], json!({ "from": "here", "to": "there" }), "{debug}");
    assert!(!debug["request.id"].is_null(), "{debug}");
    assert!(!all().any(|line| line.to_string().contains("gamut trace")), "the level is debug");
    assert!(all().any(|line| line.to_string().contains("the gamut begins")));
    let lost = all().find(|line| line.to_string().contains("gamut.lost"));
    assert!(lost.is_some_and(|line| line.to_string().contains("the gamut is lost")));

    let migrations = server.wharf(&["migrate", "status", "--json"]);
    assert!(
        migrations.out.contains("0001_gamut") && migrations.out.contains("0002_seen_by_what"),
        "{}{}",
        migrations.out,
        migrations.err
    );
    // A check that was set counts, once the host has asked again.
    server.wait_for_module("gamut", "degraded", |status| status["health"] == "degraded");
}

/// What the module answers by itself: bodies, events, a panic, a key. Its trailers end a body here; that they arrive is seen with
/// gRPC, whose status they carry.
fn http(server: &TestServer, walker: &Person) {
    let large = "0123456789abcdef".repeat(100_000);
    assert!(echo(server, &large) == large, "an echo of {} bytes differs", large.len());
    assert_eq!(
        server.get("/gamut/numbers/3").body,
        "data: 1\n\ndata: 2\n\ndata: 3\n\n",
        "server-sent events"
    );
    assert_eq!(server.get("/gamut/trailing").body, "first second");
    let panicked = server.get("/gamut/panic");
    assert_eq!(panicked.status, 500, "{}", panicked.body);
    assert_eq!(server.module("gamut")["panics"], 1);
    let told = until(SOON, || {
        let lines = logged(server);
        lines.into_iter().find(|line| line.to_string().contains("because it was asked to"))
    });
    assert!(told.is_some_and(|line| line["module.id"] == "gamut"), "the panic is not in the log");

    let once = || walker.send(server, "POST", "/gamut/once", &[JSON, ("idempotency-key", "first")], b"{}");
    let (first, second) = (once(), once());
    assert_eq!(first.status, 200, "{}", first.body);
    assert_eq!(first.body, second.body, "one key, two answers");
    let rows = strings(&walker.get(server, "/gamut/seen").json());
    assert_eq!(rows.iter().filter(|row| *row == "once").count(), 1);
}

/// Its routes are in the host's list and in the merged document.
fn documents(server: &TestServer) {
    let routes = server.wharf(&["routes", "--json"]);
    let document = server.get("/openapi.json");
    for path in ["/gamut/tour/{service}", "/gamut/seen", "/gamut/echo", "/gamut/panic"] {
        assert!(routes.out.contains(path), "{path} is not in {}", routes.out);
        assert!(!document.json()["paths"][path].is_null(), "{path} is not in {}", document.body);
    }
}

fn echo(server: &TestServer, text: &str) -> String {
    let answer = server.send("POST", "/gamut/echo", &[], text.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.head);
    answer.body
}

fn strings(list: &Value) -> Vec<String> {
    let entries = list.as_array().into_iter().flatten();
    entries.filter_map(|entry| entry.as_str().map(str::to_owned)).collect()
}

fn lines_of(server: &TestServer, arguments: &[&str]) -> Vec<Value> {
    let ran = server.wharf(arguments);
    assert_eq!(ran.code, 0, "wharf {arguments:?}: {}{}", ran.out, ran.err);
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("wharf {arguments:?}: {error}: {}", ran.out))
}

fn logged(server: &TestServer) -> Vec<Value> {
    let output = server.process().output();
    output.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

//! Every endpoint of the host, its core modules and the modules that come with it, asked by every kind of caller. Rows come from the route table; what is
//! expected is in `endpoints.toml`, written by hand. An endpoint that is missing there fails.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use wharf_tests::people::{Person, host, operate, person};
use wharf_tests::{TestServer, root, until};

const SOON: Duration = Duration::from_secs(10);
/// Libraries that are loaded beside the core modules.
const MODULES: [&str; 5] = ["greeter", "hello_module", "blog", "billing", "analytics"];
/// The kinds of caller, in the order of the cells.
const CALLERS: [&str; 6] = ["anonymous", "wrong role", "other tenant", "expired", "revoked", "right"];

/// One endpoint.
struct Endpoint {
    name: String,
    method: String,
    path: String,
    is_grpc: bool,
}

#[test]
fn every_endpoint_answers_every_kind_of_caller_as_the_table_says() {
    let text = std::fs::read_to_string(root().join("tests/tests/e2e/security/endpoints.toml")).unwrap();
    let table: BTreeMap<String, String> = toml::from_str(&text).unwrap();
    // Tokens that were made with a short life have expired when the host is started again with a longer one.
    let mut server = host(
        &MODULES,
        "[modules.auth]\naccess_token_seconds = 1\n[modules.billing]\nprovider = \"test\"\n",
        &[("WHARF_SECURITY__LEEWAY", "0s")],
    );
    operate(
        &server,
        "wharf.identity.v1.Tenants/Create",
        &json!({ "id": "acme", "name": "Acme" }),
    );
    let expired = person(&server, "default", "eve", &["admin@*"]);
    server.configure("[modules.billing]\nprovider = \"test\"\n");
    server.restart();
    let mut callers: Vec<Option<Person>> = vec![
        None,
        Some(person(&server, "default", "mallory", &[])),
        Some(person(&server, "acme", "anna", &["admin"])),
        Some(expired),
        Some(person(&server, "default", "rita", &["admin@*"])),
        Some(person(&server, "default", "ada", &["admin@*"])),
    ];
    let rita = callers[4].clone().unwrap();
    let ready = until(SOON, || {
        (callers[5].as_ref()?.get(&server, "/greeter/statistics").status == 200).then_some(())
    });
    assert!(ready.is_some(), "the roles do not count");
    let out = rita.call(&server, "wharf.auth.v1.Sessions/LogOutEverywhere", &json!({}));
    assert_eq!(out.status, 200, "{}", out.body);
    let ended = until(SOON, || (rita.get(&server, "/greeter/statistics").status == 401).then_some(()));
    assert!(ended.is_some(), "a revoked token counts");

    let (mut wrong, mut found) = (String::new(), String::new());
    let endpoints = endpoints(&server);
    for endpoint in &endpoints {
        let cells: Vec<String> = callers.iter_mut().map(|caller| ask(&server, endpoint, caller)).collect();
        let cells = cells.join(" ");
        let _ = writeln!(found, "{:?} = {cells:?}", endpoint.name);
        match table.get(&endpoint.name) {
            None => {
                let _ = writeln!(wrong, "{:?} is not in the table; found {cells:?} for {CALLERS:?}", endpoint.name);
            }
            Some(expected) if *expected != cells => {
                let _ = writeln!(wrong, "{:?}: expected {expected:?}, found {cells:?} for {CALLERS:?}", endpoint.name);
            }
            Some(_) => {}
        }
    }
    for name in table.keys() {
        if !endpoints.iter().any(|endpoint| endpoint.name == *name) {
            let _ = writeln!(wrong, "{name:?} is in the table and not served");
        }
    }
    assert!(wrong.is_empty(), "{wrong}\nall that was found:\n{found}");
}

fn endpoints(server: &TestServer) -> Vec<Endpoint> {
    let ran = server.wharf(&["routes", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let rows: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    assert!(rows.len() > 200, "{rows:?}");
    let all = rows.iter().map(|row| {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        Endpoint {
            name: format!("{} {}", text("method"), text("path")),
            method: text("method").replace('*', "GET"),
            path: text("path")
                .split('/')
                .map(|part| if part.starts_with('{') { "none" } else { part })
                .collect::<Vec<_>>()
                .join("/"),
            is_grpc: text("lane") == "grpc",
        }
    });
    all.collect()
}

/// 401, 403, or `ok` for whatever is said by somebody who was let in.
fn ask(server: &TestServer, endpoint: &Endpoint, caller: &mut Option<Person>) -> String {
    let json = [("content-type", "application/json")];
    let grpc = [("content-type", "application/grpc"), ("te", "trailers"), ("grpc-timeout", "300m")];
    let asking = caller.clone();
    let status = |headers: &[(&str, &str)], body: &[u8]| match &asking {
        Some(person) => person.send(server, &endpoint.method, &endpoint.path, headers, body),
        None => server.send(&endpoint.method, &endpoint.path, headers, body),
    };
    // An empty message is refused by whoever was asked, or does no harm; a stream is asked in gRPC, which alone can carry it.
    let mut answer = status(&json, b"{}");
    if endpoint.is_grpc && answer.status >= 500 {
        answer = status(&grpc, &[0; 5]);
    }
    while answer.status == 429 {
        thread::park_timeout(Duration::from_millis(100));
        answer = status(&json, b"{}");
    }
    if endpoint.path.ends_with("LogOutEverywhere")
        && let Some(person) = caller.as_mut().filter(|_| answer.status == 200)
    {
        person.sign_in(server);
    }
    let is_grpc_answer = answer.head.to_lowercase().contains("content-type: application/grpc");
    match answer.status {
        401 => "401".to_owned(),
        403 => "403".to_owned(),
        _ if is_grpc_answer && answer.has_header("grpc-status: 16") => "401".to_owned(),
        _ if is_grpc_answer && answer.has_header("grpc-status: 7") => "403".to_owned(),
        _ => "ok".to_owned(),
    }
}

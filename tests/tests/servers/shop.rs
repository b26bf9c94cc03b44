//! Whatever sea-orm can, in a module on PostgreSQL, and that nothing stays open there.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use wharf_tests::backends::{Backend, Postgres};
use wharf_tests::{ServerOptions, TestServer, until};

const SOON: Duration = Duration::from_secs(20);

fn shop(postgres: &Backend) -> TestServer {
    let url = postgres.variable("WHARF_TEST_POSTGRES_URL");
    let key = wharf_tests::scratch("key");
    let file = key.path().join("master.key");
    std::fs::write(&file, format!("{}\n", "5a".repeat(32))).unwrap();
    TestServer::start(ServerOptions {
        modules: &["shop_module"],
        environment: &[("WHARF_DATABASE__URL", &url), ("WHARF_MASTER_KEY_FILE", file.to_str().unwrap())],
        ..ServerOptions::default()
    })
}

/// The space of the shop has no handle open and no connection in use.
fn is_free(server: &TestServer) -> bool {
    let status = space(server);
    ["transactions", "cursors", "connections_in_use"]
        .iter()
        .all(|what| status[*what] == 0)
}

fn space(server: &TestServer) -> Value {
    let ran = server.wharf(&["db", "status", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let spaces: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    spaces.into_iter().find(|space| space["module"] == "shop").unwrap()
}

#[test]
fn whatever_sea_orm_can_works_on_postgres() {
    let postgres = Backend::start(Postgres);
    let server = shop(&postgres);
    let answer = server.get("/shop/checks");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let checks: Vec<Value> = serde_json::from_str(&answer.body).unwrap();
    assert!(checks.len() >= 33, "{} checks", checks.len());
    let failed: Vec<String> = checks
        .iter()
        .filter(|check| !check["error"].is_null())
        .map(|check| format!("{} : {}", check["name"], check["error"]))
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {} failed:\n{}",
        failed.len(),
        checks.len(),
        failed.join("\n")
    );
    assert_eq!(space(&server)["dialect"], "postgres");
    assert!(until(SOON, || is_free(&server).then_some(())).is_some(), "{}", space(&server));
}

#[test]
fn nothing_stays_open_on_postgres_however_a_call_ends() {
    let postgres = Backend::start(Postgres);
    let server = shop(&postgres);
    let free = |how: &str| {
        assert!(
            until(SOON, || is_free(&server).then_some(())).is_some(),
            "{how}: {}",
            space(&server)
        );
    };
    // A client that hangs up.
    let mut stream = TcpStream::connect(server.http()).unwrap();
    stream
        .write_all(b"POST /shop/hold/wait HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")
        .unwrap();
    let open = until(SOON, || (space(&server)["transactions"] == 2).then_some(()));
    assert!(open.is_some(), "{}", space(&server));
    drop(stream);
    free("hung up");
    assert_eq!(server.send("POST", "/shop/hold/panic", &[], b"").status, 500);
    free("panicked");
    assert_eq!(server.send("POST", "/shop/hold/answer", &[], b"").body, "answered");
    free("answered");
    assert_eq!(server.send("POST", "/shop/stash", &[], b"").body, "stashed");
    free("stashed");
    assert_eq!(server.send("POST", "/shop/task", &[], b"").body, "started");
    assert!(until(SOON, || (space(&server)["transactions"] == 1).then_some(())).is_some());
    assert_eq!(server.wharf(&["modules", "reload", "shop"]).code, 0);
    free("replaced");
    assert_eq!(server.send("POST", "/shop/customers/else", &[], b"").body, "added");
    assert_eq!(server.get("/shop/count").body, "1", "what was held was not rolled back");
}

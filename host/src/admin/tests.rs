//! The API over a real socket, and the socket itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::*;
use crate::domain::migration::MigrationRow;
use crate::domain::status::{Desired, HostStatus, Linkage, ModuleStatus, State};
use crate::modules::control::{Answer, Control, ControlError, PinnedBuild, Plan, RouteRow};
use crate::telemetry::LogControl;

/// A host with one module, `blog`, that remembers what was asked.
#[derive(Default)]
struct Fake {
    asked: Mutex<Vec<String>>,
}

impl Fake {
    fn ask<T: Send + 'static>(&self, what: String, reply: Result<T, ControlError>) -> Answer<'_, T> {
        self.asked.lock().unwrap().push(what);
        Box::pin(async { reply })
    }

    fn blog(id: &str) -> Result<ModuleStatus, ControlError> {
        if id == "blog" { Ok(module()) } else { Err(error("module.unknown")) }
    }
}

impl Control for Fake {
    fn status(&self) -> Answer<'_, HostStatus> {
        let status = HostStatus {
            node: "n1".into(),
            pid: 1,
            version: "0.1.0".into(),
            abi: "1.0".into(),
            started: jiff::Timestamp::UNIX_EPOCH,
            ready: true,
            generations_loaded: 1,
            thread_keys_left: 900,
            private_bytes: 0,
            modules: vec![module()],
        };
        self.ask("status".into(), Ok(status))
    }
    fn module<'a>(&'a self, id: &'a str) -> Answer<'a, ModuleStatus> {
        self.ask(format!("module {id}"), Self::blog(id))
    }
    fn plan(&self) -> Answer<'_, Plan> {
        self.ask(
            "plan".into(),
            Ok(Plan {
                order: vec![],
                findings: vec![],
            }),
        )
    }
    fn enable<'a>(&'a self, id: &'a str) -> Answer<'a, ModuleStatus> {
        self.ask(format!("enable {id}"), Self::blog(id))
    }
    fn disable<'a>(&'a self, id: &'a str, force: bool) -> Answer<'a, ModuleStatus> {
        let reply = if force { Self::blog(id) } else { Err(error("module.needed")) };
        self.ask(format!("disable {id} {force}"), reply)
    }
    fn pin<'a>(&'a self, id: &'a str, pin: PinnedBuild) -> Answer<'a, ModuleStatus> {
        self.ask(format!("pin {id} {:?} {:?}", pin.version, pin.hash), Self::blog(id))
    }
    fn reload<'a>(&'a self, id: &'a str) -> Answer<'a, ModuleStatus> {
        self.ask(format!("reload {id}"), Err(error("internal")))
    }
    fn rescan(&self) -> Answer<'_, Plan> {
        self.ask(
            "rescan".into(),
            Ok(Plan {
                order: vec![],
                findings: vec![],
            }),
        )
    }
    fn migrations(&self) -> Answer<'_, Vec<MigrationRow>> {
        self.ask("migrations".into(), Ok(vec![]))
    }
    fn migrate<'a>(&'a self, module: Option<&'a str>) -> Answer<'a, Vec<MigrationRow>> {
        self.ask(format!("migrate {module:?}"), Ok(vec![]))
    }
    fn routes(&self) -> Answer<'_, Vec<RouteRow>> {
        self.ask("routes".into(), Ok(vec![]))
    }
    fn set_log<'a>(&'a self, directives: &'a str) -> Answer<'a, String> {
        self.ask(format!("log {directives}"), Ok(format!("info,{directives}")))
    }
}

fn error(code: &str) -> ControlError {
    ControlError {
        code: code.into(),
        message: "it is so".into(),
        hint: "do this".into(),
        findings: vec![],
    }
}

fn module() -> ModuleStatus {
    ModuleStatus {
        id: "blog".into(),
        version: "1.0.0".into(),
        description: "Posts".into(),
        state: State::Running,
        since: jiff::Timestamp::UNIX_EPOCH,
        linkage: Linkage::Dynamic,
        placement: "in-process".into(),
        generation: 1,
        instance: 1,
        hash: None,
        file: None,
        prefix: None,
        grpc_services: vec![],
        requires: vec![],
        asks: vec![],
        degraded: vec![],
        health: "serving".into(),
        calls: 0,
        in_flight: 0,
        errors: 0,
        panics: 0,
        memory_bytes: None,
        desired: Desired::default(),
        messages: vec![],
    }
}

async fn call(socket: &Path, method: &str, path: &str, body: &str) -> (u16, String, Value) {
    let stream = tokio::net::UnixStream::connect(socket).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let driver = tokio::spawn(connection);
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("host", "wharf")
        .header("content-type", "application/json")
        .body(Full::new(bytes::Bytes::copy_from_slice(body.as_bytes())))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    driver.abort();
    (status, kind, serde_json::from_slice(&bytes).unwrap())
}

#[tokio::test]
async fn every_route_reaches_the_host_and_refusals_are_problems() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin").join("wharf.sock");
    let fake = Arc::new(Fake::default());
    let parts = AdminParts {
        control: fake.clone(),
        log: LogControl::new("info").unwrap(),
        settings: Arc::new(Vec::new),
        security: Arc::new(Vec::new),
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve_admin(AdminSocket::bind(&path).unwrap(), router(parts), async {
        drop(stopped.await)
    }));

    let table = [
        ("GET", "/status", "", 200, "status"),
        ("GET", "/modules", "", 200, "status"),
        ("GET", "/modules/blog", "", 200, "module blog"),
        ("GET", "/modules/none", "", 404, "module none"),
        ("GET", "/plan", "", 200, "plan"),
        ("GET", "/routes", "", 200, "routes"),
        ("GET", "/migrations", "", 200, "migrations"),
        ("POST", "/migrations/up", "", 200, "migrate None"),
        ("POST", "/migrations/up?module=blog", "", 200, "migrate Some(\"blog\")"),
        ("POST", "/migrations/up?all=yes", "", 400, ""),
        ("POST", "/modules/blog/enable", "", 200, "enable blog"),
        ("POST", "/modules/blog/disable", "", 409, "disable blog false"),
        ("POST", "/modules/blog/disable?force=true", "", 200, "disable blog true"),
        ("POST", "/modules/blog/disable?force=perhaps", "", 400, ""),
        ("POST", "/modules/blog/reload", "", 500, "reload blog"),
        (
            "PUT",
            "/modules/blog/pin",
            "{\"version\":\"1.2.0\"}",
            200,
            "pin blog Some(\"1.2.0\") None",
        ),
        ("PUT", "/modules/blog/pin", "{}", 200, "pin blog None None"),
        ("PUT", "/modules/blog/pin", "{\"tag\":\"1.2.0\"}", 400, ""),
        ("POST", "/rescan", "", 200, "rescan"),
        ("GET", "/log", "", 200, ""),
        ("PUT", "/log", "{\"directives\":\"blog=debug\"}", 200, "log blog=debug"),
        ("PUT", "/log", "{\"level\":\"debug\"}", 400, ""),
        ("GET", "/config/explain", "", 200, ""),
        ("GET", "/nothing", "", 404, ""),
        ("DELETE", "/status", "", 405, ""),
    ];
    for (method, route, body, status, asked) in table {
        let (found, kind, answer) = call(&path, method, &format!("/admin/v1{route}"), body).await;
        assert_eq!(found, status, "{method} {route}: {answer}");
        let expected = if status == 200 {
            "application/json"
        } else {
            "application/problem+json"
        };
        assert_eq!(kind, expected, "{method} {route}");
        let last = std::mem::take(&mut *fake.asked.lock().unwrap()).pop().unwrap_or_default();
        assert_eq!(last, asked, "{method} {route}");
    }
    let (_, _, problem) = call(&path, "GET", "/admin/v1/modules/none", "").await;
    let expected = json!({
        "type": "urn:wharf:error:module.unknown", "title": "Not Found", "status": 404,
        "detail": "it is so", "code": "module.unknown", "hint": "do this"
    });
    assert_eq!(problem, expected);

    stop.send(()).unwrap();
    server.await.unwrap();
    assert!(!path.exists(), "the socket outlived the host");
}

#[tokio::test]
async fn the_socket_is_private_and_belongs_to_one_host() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin").join("wharf.sock");
    let first = AdminSocket::bind(&path).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(path.parent().unwrap()), mode(&path)), (0o700, 0o600));
    let error = AdminSocket::bind(&path).unwrap_err();
    assert!(matches!(error, SocketError::AlreadyRunning(_)), "{error}");
    drop(first);
    drop(AdminSocket::bind(&path).unwrap());
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_living_one_is_not() {
    let folder = private_folder();
    let path = folder.path().join("wharf.sock");
    let stranger = std::os::unix::net::UnixListener::bind(&path).unwrap();
    assert!(matches!(AdminSocket::bind(&path).unwrap_err(), SocketError::AlreadyRunning(_)));
    drop(stranger);
    assert!(path.exists());
    AdminSocket::bind(&path).unwrap();
}

#[tokio::test]
async fn a_file_an_open_folder_and_a_long_path_are_refused() {
    let folder = private_folder();
    let file = folder.path().join("file");
    std::fs::write(&file, "mine").unwrap();
    assert!(matches!(AdminSocket::bind(&file).unwrap_err(), SocketError::NotASocket(_)));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");

    let open = folder.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o755)).unwrap();
    let error = AdminSocket::bind(&open.join("s")).unwrap_err().to_string();
    assert!(error.contains("mode 755") && error.contains("mode 700"), "{error}");

    let error = AdminSocket::bind(&folder.path().join("x".repeat(120))).unwrap_err().to_string();
    assert!(error.contains("at most 107"), "{error}");
}

fn private_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    folder
}

//! A host with one module that remembers what it was asked, behind a real admin socket.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::runtime::Runtime;
use wharf_host::admin::{AdminParts, AdminSocket, router, serve_admin};
use wharf_host::config::Setting;
use wharf_host::domain::finding::{Finding, Severity, Stage};
use wharf_host::domain::migration::MigrationRow;
use wharf_host::domain::route::{Lane, Policy};
use wharf_host::domain::status::{Desired, HostStatus, Linkage, Message, ModuleStatus, State};
use wharf_host::modules::control::{Answer, Control, ControlError, PinnedBuild, Plan, PlannedModule, RouteRow};
use wharf_host::telemetry::LogControl;

use crate::program::Place;

/// The host; it ends when this is dropped.
pub(crate) struct FakeHost {
    place: Place,
    fake: Arc<Fake>,
    _runtime: Runtime,
}

struct Fake {
    asked: Mutex<Vec<String>>,
    log: LogControl,
    /// Goes up with each rescan, as if each brought a new build of `blog`.
    generation: AtomicU64,
}

impl FakeHost {
    pub(crate) fn start() -> Self {
        let place = Place::new();
        let runtime = Runtime::new().unwrap();
        let log = LogControl::new("info").unwrap();
        let fake = Arc::new(Fake {
            asked: Mutex::default(),
            log: log.clone(),
            generation: AtomicU64::new(1),
        });
        let parts = AdminParts {
            control: fake.clone(),
            log,
            settings: settings(&place),
            security: Arc::new(Vec::new),
        };
        let guard = runtime.enter();
        let socket = AdminSocket::bind(&place.socket()).unwrap();
        drop(guard);
        runtime.spawn(serve_admin(socket, router(parts), std::future::pending()));
        Self {
            place,
            fake,
            _runtime: runtime,
        }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// What changed or looked at one module, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.fake.asked.lock().unwrap().clone()
    }
}

impl Fake {
    fn ask(&self, what: String, reply: Result<ModuleStatus, ControlError>) -> Answer<'_, ModuleStatus> {
        self.asked.lock().unwrap().push(what);
        Box::pin(async { reply })
    }
}

impl Control for Fake {
    fn status(&self) -> Answer<'_, HostStatus> {
        let status = HostStatus {
            node: "n1".into(),
            pid: std::process::id(),
            version: "0.1.0".into(),
            abi: "1.0".into(),
            started: jiff::Timestamp::now(),
            ready: true,
            generations_loaded: 1,
            thread_keys_left: 900,
            private_bytes: 0,
            modules: vec![module()],
        };
        Box::pin(async { Ok(status) })
    }

    fn module<'a>(&'a self, id: &'a str) -> Answer<'a, ModuleStatus> {
        if id == "blog" {
            let blog = ModuleStatus {
                generation: self.generation.load(Ordering::Relaxed),
                ..module()
            };
            return Box::pin(async { Ok(blog) });
        }
        self.ask(format!("module {id}"), Err(error("module.unknown", "no such module", "")))
    }

    fn plan(&self) -> Answer<'_, Plan> {
        let blog = PlannedModule {
            id: "blog".into(),
            version: "1.0.0".into(),
            file: Some("libblog.so".into()),
            hash: None,
            action: "keep".into(),
            reason: None,
            asks: Vec::new(),
        };
        let finding = Finding {
            code: "resolve.missing".into(),
            severity: Severity::Error,
            stage: Stage::Resolve,
            module: Some("billing".into()),
            file: None,
            what: "needs blog ^2".into(),
            why: "found 1.0.0".into(),
            fix: "build blog 2".into(),
        };
        Box::pin(async {
            Ok(Plan {
                order: vec![blog],
                findings: vec![finding],
            })
        })
    }

    fn enable<'a>(&'a self, id: &'a str) -> Answer<'a, ModuleStatus> {
        self.ask(format!("enable {id}"), Ok(module()))
    }

    fn disable<'a>(&'a self, id: &'a str, force: bool) -> Answer<'a, ModuleStatus> {
        let reply = if force {
            Ok(module())
        } else {
            Err(error("module.needed", "billing needs blog", "pass --force"))
        };
        self.ask(format!("disable {id} {force}"), reply)
    }

    fn pin<'a>(&'a self, id: &'a str, pin: PinnedBuild) -> Answer<'a, ModuleStatus> {
        self.ask(format!("pin {id} {:?} {:?}", pin.version, pin.hash), Ok(module()))
    }

    fn reload<'a>(&'a self, id: &'a str) -> Answer<'a, ModuleStatus> {
        self.ask(format!("reload {id}"), Ok(module()))
    }

    fn rescan(&self) -> Answer<'_, Plan> {
        self.generation.fetch_add(1, Ordering::Relaxed);
        self.plan()
    }

    fn migrations(&self) -> Answer<'_, Vec<MigrationRow>> {
        let row = |name: &str, state: &str, version: Option<&str>| MigrationRow {
            module: "blog".into(),
            name: name.into(),
            kind: "expand".into(),
            state: state.into(),
            checksum: "abcdef".repeat(8),
            version: version.map(str::to_owned),
            applied_at: version.map(|_| "2026-06-01T12:00:00Z".to_owned()),
            statements: if version.is_some() {
                vec![]
            } else {
                vec!["CREATE TABLE tag (id INTEGER)".into()]
            },
        };
        Box::pin(async move { Ok(vec![row("0001_posts", "applied", Some("1.0.0")), row("0002_tags", "pending", None)]) })
    }

    fn migrate<'a>(&'a self, module: Option<&'a str>) -> Answer<'a, Vec<MigrationRow>> {
        self.asked.lock().unwrap().push(format!("migrate {module:?}"));
        self.migrations()
    }

    fn routes(&self) -> Answer<'_, Vec<RouteRow>> {
        let row = RouteRow {
            module: "blog".into(),
            lane: Lane::Http,
            method: "GET".into(),
            path: "/blog/{id}".into(),
            policy: Policy::Require("blog.post.read".into()),
            hidden: false,
        };
        Box::pin(async { Ok(vec![row]) })
    }

    fn set_log<'a>(&'a self, directives: &'a str) -> Answer<'a, String> {
        let reply = self.log.set(directives).map_err(|e| error("log.directives", &e.to_string(), ""));
        Box::pin(async { reply })
    }
}

/// A development host whose plugins folder is `plugins` in the place.
fn settings(place: &Place) -> Arc<dyn Fn() -> Vec<Setting> + Send + Sync> {
    let setting = |path: &str, value: String| Setting {
        path: path.into(),
        value: value.into(),
        source: "test".into(),
    };
    let plugins = place.path().join("plugins").display().to_string();
    let settings = vec![setting("plugins.dir", plugins), setting("plugins.trust.mode", "any".into())];
    Arc::new(move || settings.clone())
}

fn error(code: &str, message: &str, hint: &str) -> ControlError {
    ControlError {
        code: code.into(),
        message: message.into(),
        hint: hint.into(),
        findings: vec![],
    }
}

fn module() -> ModuleStatus {
    ModuleStatus {
        id: "blog".into(),
        version: "1.0.0".into(),
        description: "Posts\u{1b}[2J".into(),
        state: State::Running,
        since: jiff::Timestamp::now(),
        linkage: Linkage::Dynamic,
        placement: "in-process".into(),
        generation: 1,
        instance: 1,
        hash: None,
        file: Some("libblog.so".into()),
        prefix: Some("/blog".into()),
        grpc_services: vec![],
        requires: vec![],
        asks: vec![],
        degraded: vec![],
        health: "serving".into(),
        calls: 7,
        in_flight: 0,
        errors: 0,
        panics: 0,
        memory_bytes: Some(2048),
        desired: Desired::default(),
        messages: vec![Message {
            at: jiff::Timestamp::now(),
            level: "info".into(),
            text: "started".into(),
        }],
    }
}

//! Modules that are replaced while clients use them: the next version on one node after the other, or the same one again.
//!
//! In reading order: `rounds` (clients at work), `blog`, `billing`, `analytics` (what they do and what must be true afterwards), `streams`
//! (what is open elsewhere meanwhile), and here what is done to the modules.

mod analytics;
mod billing;
mod blog;
mod rounds;
mod slow;
mod streams;

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::time::Duration;

use serde_json::{Value, json};
use tonic::transport::{Channel, Endpoint};
use wharf_tests::people::{self, Person};
use wharf_tests::{Answer, Ran, ServerOptions, TestServer, library, until};

pub(crate) use analytics::Metrics;
pub(crate) use billing::Customers;
pub(crate) use blog::Posts;
pub(crate) use slow::SlowChange;
pub(crate) use streams::{Bystanders, WatchedPosts};

/// How long work in the background may take on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(120);
const JSON: (&str, &str) = ("content-type", "application/json");
/// On one node, and on several: with a database server and debug builds of two hosts two cores have enough to do.
const CLIENTS: [usize; 2] = [8, 4];
/// Builds are taken when a test says so, and not when they appear.
const CONFIG: &str = "[plugins]\nwatch = false\ndrain_timeout = \"60s\"\n[modules.billing]\nprovider = \"test\"\n";

/// The next version of a module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Next {
    pub(crate) module: &'static str,
    /// Library of its build.
    pub(crate) library: &'static str,
    pub(crate) version: &'static str,
    /// Its migration that takes away what only the version before uses.
    pub(crate) contraction: &'static str,
}

pub(crate) const BLOG: Next = Next {
    module: "blog",
    library: "blog_next_module",
    version: "1.1.0",
    contraction: "0004_no_title",
};

pub(crate) const BILLING: Next = Next {
    module: "billing",
    library: "billing_next_module",
    version: "1.1.0",
    contraction: "0005_no_whole_addresses",
};

pub(crate) const ANALYTICS: Next = Next {
    module: "analytics",
    library: "analytics_next_module",
    version: "2.0.0",
    contraction: "0003_one_table_of_ids",
};

/// What clients do with a module, and what must be true of it afterwards.
pub(crate) trait Traffic: Sync {
    /// One round of a client: a few requests, each of which must be answered as it should be.
    fn round(&self, scene: &Scene, node: usize, client: usize, number: usize);

    /// Everything that was answered is there, once, on every node.
    fn check(&self, scene: &Scene, version: &str);
}

/// The nodes of an installation, and somebody who may do everything and pays by the post.
pub(crate) struct Scene {
    pub(crate) nodes: Vec<TestServer>,
    pub(crate) ada: Person,
    /// What they pay for their posts by.
    pub(crate) subscription: String,
    /// A moment ago, by the clock of the host.
    pub(crate) now: String,
    runtime: tokio::runtime::Runtime,
    channels: Vec<Channel>,
}

/// A node with the core modules and these libraries.
pub(crate) fn node(libraries: &[&str], environment: &[(&str, &str)]) -> TestServer {
    TestServer::start(ServerOptions {
        modules: libraries,
        config: CONFIG,
        environment: &[&[people::CORE][..], environment].concat(),
        ..ServerOptions::default()
    })
}

impl Scene {
    pub(crate) fn of(nodes: Vec<TestServer>) -> Self {
        let first = &nodes[0];
        let ada = people::person(first, "default", "ada", &["admin@*"]);
        // Rules hold on every node within a second; and the account was counted.
        let seen = until(SOON, || {
            let metrics = nodes.iter().map(|node| ada.get(node, "/analytics/metrics"));
            let metrics: Vec<Answer> = metrics.filter(|answer| answer.status == 200).collect();
            let time = metrics.first()?.json()["items"][0]["first_seen"].as_str()?.to_owned();
            (metrics.len() == nodes.len()).then_some(time)
        });
        let now = seen.unwrap_or_else(|| panic!("no account was counted; wharf printed:\n{}", first.process().output()));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.unwrap();
        let mut scene = Self {
            subscription: String::new(),
            channels: Vec::new(),
            nodes,
            ada,
            now,
            runtime,
        };
        scene.channels = (0..scene.nodes.len()).map(|node| scene.connect(node)).collect();
        scene.subscription = scene.subscribe();
        scene
    }

    fn subscribe(&self) -> String {
        let meters = json!([{ "feature": "posts", "tiers": [{ "price": 50 }] }]);
        let plan = json!({ "code": "pro", "name": "Pro", "currency": "EUR", "price": 1000, "interval": "month", "meters": meters });
        let plan = self.made(0, "/billing/plans", "plan", &plan);
        let customer = json!({ "name": "Ada", "owner": format!("user:{}", self.ada.id), "currency": "EUR" });
        let customer = self.made(0, "/billing/customers", "customer", &customer);
        let asked = json!({ "customer": customer["id"], "plan": plan["id"] });
        let made = self.made(0, "/billing/subscriptions", "subscription", &asked);
        text(&made, "id").to_owned()
    }

    /// A request that must be answered with success.
    pub(crate) fn ask(&self, node: usize, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [&[JSON][..], headers].concat();
        let answer = self.ada.send(&self.nodes[node], method, path, &headers, body.as_bytes());
        assert!(
            (200..300).contains(&answer.status),
            "{method} {path} on node {node}: {} {}\nwharf printed:\n{}",
            answer.status,
            answer.body,
            self.printed(node)
        );
        answer.json()
    }

    pub(crate) fn get(&self, node: usize, path: &str) -> Value {
        self.ask(node, "GET", path, &[], &Value::Null)
    }

    /// POST with a key for retries.
    pub(crate) fn made(&self, node: usize, path: &str, key: &str, body: &Value) -> Value {
        self.ask(node, "POST", path, &[("idempotency-key", key)], body)
    }

    /// A gRPC call by tonic's own client, over one connection a node, which must succeed.
    pub(crate) fn call<M, R>(
        &self,
        node: usize,
        message: M,
        call: impl AsyncFnOnce(Channel, tonic::Request<M>) -> Result<tonic::Response<R>, tonic::Status>,
    ) -> R {
        let request = self.request(message);
        let answered = self.runtime.block_on(call(self.channels[node].clone(), request));
        answered
            .unwrap_or_else(|status| panic!("gRPC on node {node}: {status:?}\nwharf printed:\n{}", self.printed(node)))
            .into_inner()
    }

    /// A connection of its own.
    fn connect(&self, node: usize) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.nodes[node].http())).unwrap();
        self.runtime.block_on(endpoint.connect()).unwrap()
    }

    fn request<M>(&self, message: M) -> tonic::Request<M> {
        let mut request = tonic::Request::new(message);
        let bearer = format!("Bearer {}", self.ada.token);
        request.metadata_mut().insert("authorization", bearer.parse().unwrap());
        request
    }

    /// The last of what a node printed.
    fn printed(&self, node: usize) -> String {
        let output = self.nodes[node].process().output();
        let lines: Vec<&str> = output.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    pub(crate) fn wait(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let seen = until(SOON, || is_so().then_some(()));
        assert!(
            seen.is_some(),
            "waited for {what} for {SOON:?}; wharf printed:\n{}",
            self.printed(0)
        );
    }

    /// Count and sum of a metric.
    pub(crate) fn totals(&self, node: usize, metric: &str) -> (i64, i64) {
        let path = format!("/analytics/totals?metric={metric}");
        let answer = self.ada.get(&self.nodes[node], &path);
        if answer.status == 404 {
            return (0, 0);
        }
        let totals = answer.json();
        (totals["count"].as_i64().expect("a count"), totals["sum"].as_i64().expect("a sum"))
    }

    /// Waits until nothing is to be delivered any more, and nothing was given up.
    pub(crate) fn settle(&self) {
        self.wait("all events to be handled", || {
            self.nodes[0].wharf(&["events", "list", "--json"]).out.trim() == "[]"
        });
        let dead = self.nodes[0].wharf(&["events", "list", "--state", "dead", "--json"]);
        assert_eq!(dead.out.trim(), "[]", "{dead:?}");
    }

    /// The next version takes over on one node after the other while clients work; what only the version before uses goes when no node has it
    /// any more, and then there is no way back.
    pub(crate) fn upgrade(&self, next: &Next, traffic: &dyn Traffic) {
        let nodes = self.nodes.len();
        let round = |client: usize, number: usize| traffic.round(self, client % nodes, client, number);
        let clients = CLIENTS[usize::from(nodes > 1)];
        rounds::meanwhile(clients, round, |rounds| {
            rounds.pass(2);
            for (place, node) in self.nodes.iter().enumerate() {
                put(node, next.module, next.library);
                reload(node, next.module);
                assert_eq!(node.module(next.module)["version"], next.version);
                rounds.pass(2);
                if place + 1 < nodes {
                    waits(node, next);
                    rounds.pass(1);
                }
            }
            self.wait_until_contracted(next);
            rounds.pass(2);
        });
        traffic.check(self, next.version);
        self.does_not_go_back(next);
    }

    /// The same build again and again, each time as a new instance, while clients work.
    pub(crate) fn reload_again(&self, module: &str, traffic: &dyn Traffic) {
        let node = &self.nodes[0];
        let round = |client: usize, number: usize| traffic.round(self, 0, client, number);
        rounds::meanwhile(CLIENTS[0], round, |rounds| {
            for _ in 0..3 {
                rounds.pass(1);
                let before = node.module(module)["instance"].clone();
                reload(node, module);
                assert_ne!(node.module(module)["instance"], before);
            }
            rounds.pass(2);
        });
        traffic.check(self, "1.0.0");
    }

    /// Waits until what only the version before used is gone.
    pub(crate) fn wait_until_contracted(&self, next: &Next) {
        self.wait("what only the version before used to be gone", || {
            let states = self.nodes.iter().map(|node| states(node, next.module));
            states.flatten().all(|(_, state)| state == "applied")
        });
    }

    /// A post has its title in these halves.
    pub(crate) fn has_halves(&self, node: usize, path: &str, halves: (&str, &str)) {
        let post = self.get(node, path);
        assert_eq!((text(&post, "headline"), text(&post, "subtitle")), halves, "{post}");
    }

    fn does_not_go_back(&self, next: &Next) {
        let node = &self.nodes[0];
        put(node, next.module, next.module);
        let ran = node.wharf(&["modules", "reload", next.module]);
        let said = format!("{}{}", ran.out, ran.err);
        assert_eq!(ran.code, 5, "{said}");
        let clear = [next.contraction, "does not know", next.version, "run a build that knows it"];
        assert!(clear.iter().all(|word| said.contains(word)), "{said}");
        let status = node.module(next.module);
        assert_eq!((&status["state"], &status["version"]), (&json!("running"), &json!(next.version)));
    }
}

/// Puts a build in the place of the one a node has of a module.
pub(crate) fn put(node: &TestServer, module: &str, build: &str) {
    let installed = std::fs::read_dir(node.plugins()).unwrap().flatten();
    let names: Vec<String> = installed.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let name = format!("{DLL_PREFIX}{module}{DLL_SUFFIX}");
    assert!(names.contains(&name), "found {names:?}, expected {name}");
    node.install_as(&library(build), &name);
}

pub(crate) fn reload(node: &TestServer, module: &str) {
    let ran: Ran = node.wharf(&["modules", "reload", module]);
    assert_eq!(ran.code, 0, "{ran:?}\nwharf printed:\n{}", node.process().output());
}

/// Each migration of a module, and where it is.
pub(crate) fn states(node: &TestServer, module: &str) -> Vec<(String, String)> {
    let ran = node.wharf(&["migrate", "status", module, "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let rows: Value = serde_json::from_str(&ran.out).unwrap();
    let rows = rows.as_array().expect("a list").iter();
    rows.map(|row| (text(row, "name").to_owned(), text(row, "state").to_owned()))
        .collect()
}

/// What takes away waits for the version before, also when somebody asks for it.
pub(crate) fn waits(node: &TestServer, next: &Next) {
    let wanted = (next.contraction.to_owned(), "waiting".to_owned());
    let found = states(node, next.module);
    assert!(found.contains(&wanted), "{found:?}");
    let plan = node.wharf(&["migrate", "plan", next.module]);
    assert!(
        plan.code == 0 && plan.out.contains(next.contraction) && plan.out.contains("DROP"),
        "{plan:?}"
    );
    let up = node.wharf(&["migrate", "up", next.module]);
    assert_eq!(up.code, 0, "{up:?}");
    let found = states(node, next.module);
    assert!(found.contains(&wanted), "after `wharf migrate up`: {found:?}");
}

pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

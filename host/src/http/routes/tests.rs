//! What a table finds and what it refuses to be built from.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use http::{Request, Response};

use super::*;
use crate::http::body::Body;
use crate::modules::endpoint::{CallInfo, Refused, Responding};

struct Quiet;

impl Endpoint for Quiet {
    fn call(&self, _: Lane, _: Request<Body>, _: CallInfo) -> Result<Responding, Box<Refused>> {
        Ok(Box::pin(async { Response::new(Body::empty()) }))
    }
}

fn route(method: &str, template: &str) -> Route {
    Route {
        method: method.to_owned(),
        template: template.to_owned(),
        policy: Policy::Public,
        rate_class: None,
        hidden: false,
    }
}

fn module(id: &str, prefix: &str, routes: &[(&str, &str)]) -> Mounted {
    Mounted {
        id: id.to_owned(),
        prefix: Some(prefix.to_owned()),
        routes: routes.iter().map(|(method, template)| route(method, template)).collect(),
        grpc: Vec::new(),
        endpoint: Arc::new(Quiet),
        descriptors: None,
        openapi: None,
    }
}

fn grpc(id: &str, service: &str, methods: &[&str]) -> Mounted {
    let method = |name: &&str| GrpcMethod {
        service: service.to_owned(),
        method: (*name).to_owned(),
        policy: Policy::Public,
        rate_class: None,
    };
    Mounted {
        prefix: None,
        routes: Vec::new(),
        grpc: methods.iter().map(method).collect(),
        ..module(id, "", &[])
    }
}

#[test]
fn lookups_follow_the_documented_rules() {
    let table = RouteTable::build(vec![
        module(
            "greeter",
            "/greeter",
            &[
                ("GET", "/"),
                ("GET", "/hello/{name}"),
                ("POST", "/hello/{name}"),
                ("*", "/files/{*path}"),
            ],
        ),
        module("deep", "/greeter/deep", &[("GET", "/x"), ("HEAD", "/x"), ("OPTIONS", "/x")]),
    ])
    .unwrap();
    let cases = [
        ("GET", "/greeter", "greeter /greeter"),
        ("GET", "/greeter/", "greeter /greeter"),
        ("HEAD", "/greeter/hello/you", "greeter /greeter/hello/{name}"),
        ("GET", "/greeter/hello/a%2Fb", "greeter /greeter/hello/{name}"),
        ("DELETE", "/greeter/files/a/b", "greeter /greeter/files/{*path}"),
        ("DELETE", "/greeter/hello/you", "405 GET, HEAD, OPTIONS, POST"),
        ("OPTIONS", "/greeter/hello/you", "options GET, HEAD, OPTIONS, POST"),
        ("GET", "/greeter/hello/you/", "404"),
        ("GET", "/greeter/hello", "404"),
        ("GET", "/greeter%2Fhello/you", "404"),
        ("GET", "/%67reeter/hello/you", "404"),
        ("GET", "//greeter/hello/you", "404"),
        ("GET", "/greeterx/hello/you", "404"),
        ("GET", "/", "404"),
        ("GET", "", "404"),
        ("GET", "/greeter/deep/x", "deep /greeter/deep/x"),
        ("OPTIONS", "/greeter/deep/x", "deep /greeter/deep/x"),
        ("GET", "/greeter/deep", "404"),
        ("GET", "/greeter/deeper", "404"),
    ];
    for (method, path, expected) in cases {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let found = match table.http(&method, path) {
            Found::Route(entry) => format!("{} {}", entry.module, entry.template),
            Found::Options(allow) => format!("options {}", allow.to_str().unwrap()),
            Found::WrongMethod(allow) => format!("405 {}", allow.to_str().unwrap()),
            Found::Nothing => "404".to_owned(),
        };
        assert_eq!(found, expected, "{method} {path}");
    }
}

#[test]
fn grpc_methods_are_found_by_their_exact_path() {
    let table = RouteTable::build(vec![grpc("greeter", "greeter.v1.Greeter", &["Hello", "Bye"])]).unwrap();
    assert_eq!(
        table.grpc("/greeter.v1.Greeter/Hello").unwrap().template,
        "/greeter.v1.Greeter/Hello"
    );
    assert!(table.grpc("/greeter.v1.Greeter/hello").is_none());
    assert!(table.grpc("/greeter.v1.Greeter/Hello/").is_none());
    assert_eq!(table.services().len(), 1);
    assert_eq!(table.rows().len(), 2);
}

#[test]
fn all_findings_of_all_modules_are_reported_at_once() {
    let findings = RouteTable::build(vec![
        module("a", "/same", &[("GET", "/x"), ("GET", "/x"), ("get", "/y"), ("GET", "/{bad")]),
        module("b", "/same", &[]),
        module("c", "/livez", &[]),
        module("d", "/d/", &[]),
        module("e", "/e", &[("GET", "/{one}"), ("GET", "/{two}")]),
        grpc("f", "grpc.health.v1.Health", &["Check"]),
        grpc("g", "s.S", &["M", "M"]),
        grpc("h", "s.S", &["M"]),
        module("i", "/s.S", &[]),
    ])
    .unwrap_err();
    let found: Vec<_> = findings
        .iter()
        .map(|finding| (finding.module.as_deref().unwrap(), finding.code.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("a", "create.route"),
            ("a", "create.route"),
            ("a", "create.route"),
            ("b", "resolve.prefix"),
            ("c", "resolve.prefix"),
            ("d", "resolve.prefix"),
            ("e", "create.route"),
            ("f", "resolve.grpc-service"),
            ("g", "create.route"),
            ("h", "resolve.grpc-service"),
            ("i", "resolve.prefix"),
        ],
        "{findings:#?}"
    );
    assert!(findings[3].what.contains("\"a\" and \"b\""), "{}", findings[3].what);
}

#[test]
fn a_swap_is_seen_at_once_and_wakes_who_waits() {
    let routes = Routes::new();
    let mut changes = routes.changes();
    assert!(matches!(routes.load().http(&Method::GET, "/a/x"), Found::Nothing));
    routes.swap(RouteTable::build(vec![module("a", "/a", &[("GET", "/x")])]).unwrap());
    assert!(matches!(routes.load().http(&Method::GET, "/a/x"), Found::Route(_)));
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    assert_eq!(routes.rows()[0].path, "/a/x");
}

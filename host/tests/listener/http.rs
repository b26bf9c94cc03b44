//! Requests and answers: matching, what the module sees, ids, problems.

use std::sync::{Arc, Mutex};

use http::request::Parts;
use http::{Method, Request};
use wharf_host::domain::route::Policy;
use wharf_host::http::body::Body;
use wharf_host::http::gateway::TrustedProxies;
use wharf_host::http::routes::Mounted;
use wharf_host::modules::endpoint::CallInfo;
use wharf_host::security::{Admission, Denial, Gatekeeper, Principal};

use crate::rig::*;

fn greeter() -> Vec<Mounted> {
    vec![module(
        "greeter",
        vec![route("GET", "/"), route("GET", "/hello/{name}"), route("POST", "/hello/{name}")],
        mirror("greeter"),
    )]
}

#[tokio::test]
async fn one_port_speaks_http_1_and_http_2_and_modules_see_the_same() {
    let host = Host::start(greeter());
    let (status, headers, body) = Client::http1(host.address).await.get("/greeter/hello/you?a=b").await;
    assert_eq!((status.as_u16(), body.as_str()), (200, "greeter GET /hello/you?a=b host=one.test"));
    assert_eq!(headers["x-request-id"].len(), 16);
    let mut two = Client::http2(host.address).await;
    let request = Request::builder().uri("/greeter/hello/you?a=b").body(full("")).unwrap();
    let (status, headers, body) = whole(two.send(request).await).await;
    assert_eq!((status.as_u16(), body.as_str()), (200, "greeter GET /hello/you?a=b host=two.test"));
    assert_eq!(headers["x-request-id"].len(), 16);
    let seen = host.sees("a call is recorded", |seen| seen.status == 200).await;
    assert_eq!(seen.route.as_deref(), Some("/greeter/hello/{name}"));
    assert!(seen.complete);
}

#[tokio::test]
async fn a_request_can_be_answered_without_a_socket() {
    let host = Host::start(greeter());
    let request = Request::builder().uri("/greeter/hello/you").body(Body::empty()).unwrap();
    let response = Arc::clone(&host.gateway).handle(request, None).await;
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    assert_eq!(body, "greeter GET /hello/you host=-");
}

#[tokio::test]
async fn what_no_route_matches_never_reaches_a_module() {
    let endpoint = endpoint(|_, _, _| async { panic!("a module was called") });
    let host = Host::start(vec![module("greeter", vec![route("GET", "/x")], endpoint)]);
    let mut client = Client::http1(host.address).await;
    for (method, path, status) in [
        ("GET", "/", 404),
        ("GET", "/greeter", 404),
        ("GET", "/greeter/y", 404),
        ("GET", "/greeter/x/", 404),
        ("GET", "/greeter%2Fx", 404),
        ("GET", "/greeter/../greeter/x", 400),
        ("GET", "/greeter/%2e%2e/x", 400),
        ("POST", "/greeter/x", 405),
        ("OPTIONS", "/greeter/x", 204),
        ("OPTIONS", "*", 204),
    ] {
        let request = Request::builder().method(method).uri(path).body(full("")).unwrap();
        let (found, headers, body) = whole(client.send(request).await).await;
        assert_eq!(found, status, "{method} {path}");
        if status == 405 || (status == 204 && path != "*") {
            assert_eq!(headers["allow"], "GET, HEAD, OPTIONS");
        }
        if status >= 400 {
            assert_eq!(headers["content-type"], "application/problem+json");
            let problem: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(problem["status"], status);
            assert_eq!(problem["request_id"], headers["x-request-id"].to_str().unwrap());
        }
    }
}

#[tokio::test]
async fn an_absolute_target_is_served_with_its_own_host() {
    let host = Host::start(greeter());
    let answer = raw(
        host.address,
        b"GET http://right.test/greeter/hello/x HTTP/1.1\r\nhost: wrong.test\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(answer.ends_with("greeter GET /hello/x host=right.test"), "{answer}");
    let answer = raw(
        host.address,
        b"CONNECT evil.test:443 HTTP/1.1\r\nhost: evil.test\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 501"), "{answer}");
}

#[tokio::test]
async fn a_websocket_is_refused_and_an_h2c_upgrade_is_ignored() {
    let host = Host::start(greeter());
    for (to, status) in [("websocket", 501), ("h2c", 200)] {
        let mut client = Client::http1(host.address).await;
        let request = Request::builder()
            .uri("/greeter")
            .header("connection", "upgrade")
            .header("upgrade", to)
            .body(full(""))
            .unwrap();
        assert_eq!(client.send(request).await.status(), status, "{to}");
    }
}

#[tokio::test]
async fn head_is_answered_by_a_get_route_without_a_body() {
    let host = Host::start(greeter());
    let answer = raw(host.address, b"HEAD /greeter HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    assert!(host.sees("the call is recorded", |_| true).await.complete);
}

#[tokio::test]
async fn only_public_routes_are_served_without_an_authenticator() {
    let endpoint = endpoint(|_, _, _| async { panic!("a module was called") });
    let mut private = route("GET", "/private");
    private.policy = Policy::Require("greeter.secret.read".to_owned());
    let host = Host::start(vec![module("greeter", vec![private], endpoint)]);
    let (status, headers, body) = Client::http1(host.address).await.get("/greeter/private").await;
    assert_eq!(status, 401);
    assert_eq!(headers["www-authenticate"], "Bearer realm=\"wharf\"");
    assert!(body.contains("no authenticator is configured"), "{body}");
    assert!(!body.contains("greeter.secret.read"), "{body}");
}

/// Takes its time, and lets in who says the word.
struct Slow;

impl Gatekeeper for Slow {
    fn admit(&self, head: &Parts, policy: &Policy) -> Admission {
        assert_eq!(*policy, Policy::Require("greeter.secret.read".to_owned()));
        assert_eq!(head.uri.path(), "/greeter/private");
        let word = head.headers.get("authorization").cloned();
        Admission::Later(Box::pin(async move {
            tokio::task::yield_now().await;
            match word {
                Some(word) if word == "Bearer please" => Ok(Principal::Anonymous),
                Some(_) => Err(Denial::Forbidden {
                    who: Principal::Anonymous,
                    detail: "not you".to_owned(),
                }),
                None => Err(Denial::Unauthenticated {
                    detail: "who is it".to_owned(),
                }),
            }
        }))
    }
}

#[tokio::test]
async fn a_gatekeeper_may_take_its_time_and_is_asked_before_the_module() {
    let mut private = route("GET", "/private");
    private.policy = Policy::Require("greeter.secret.read".to_owned());
    let modules = vec![module("greeter", vec![private], mirror("greeter"))];
    let host = Host::with(modules, Default::default(), |gateway| gateway.with_gatekeeper(Arc::new(Slow)));
    let mut client = Client::http1(host.address).await;
    for (word, status) in [(None, 401), (Some("Bearer wrong"), 403), (Some("Bearer please"), 200)] {
        let mut request = Request::builder().uri("/greeter/private");
        if let Some(word) = word {
            request = request.header("authorization", word);
        }
        assert_eq!(
            whole(client.send(request.body(full("")).unwrap()).await).await.0,
            status,
            "{word:?}"
        );
    }
}

#[tokio::test]
async fn the_access_log_names_the_route_and_never_what_a_client_sent() {
    let host = Host::start(greeter());
    let request = Request::builder()
        .method("POST")
        .uri("/greeter/hello/canary-path?token=canary-query")
        .header("authorization", "canary-header");
    let response = Client::http1(host.address)
        .await
        .send(request.body(full("canary-body")).unwrap())
        .await;
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    whole(response).await;
    host.sees("the call is recorded", |_| true).await;
    let log = log().text();
    for expected in [
        "wharf::access",
        &format!("request.id=\"{id}\""),
        "http.route=\"/greeter/hello/{name}\"",
        "http.response.status_code=200",
    ] {
        assert!(log.contains(expected), "{expected}: {log}");
    }
    assert!(!log.contains("canary"), "{log}");
}

type Memory = Arc<Mutex<Option<(CallInfo, String)>>>;

/// A module that remembers the last call info and header names it got.
fn remembering() -> (Vec<Mounted>, Memory) {
    let last = Arc::new(Mutex::new(None));
    let memory = Arc::clone(&last);
    let endpoint = endpoint(move |_, request: Request<Body>, info| {
        let names: Vec<_> = request.headers().keys().map(http::HeaderName::as_str).collect();
        *memory.lock().unwrap() = Some((info, names.join(" ")));
        async { text("ok") }
    });
    (vec![module("greeter", vec![route("GET", "/")], endpoint)], last)
}

fn claiming() -> Request<ClientBody> {
    Request::builder()
        .uri("/greeter")
        .header("x-request-id", "chosen-by-client")
        .header("x-forwarded-for", "6.6.6.6, 1.2.3.4")
        .header("wharf-principal", "admin")
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .body(full(""))
        .unwrap()
}

#[tokio::test]
async fn strangers_choose_neither_their_address_nor_their_request_id() {
    let (modules, last) = remembering();
    let host = Host::start(modules);
    let response = Client::http1(host.address).await.send(claiming()).await;
    assert_ne!(response.headers()["x-request-id"], "chosen-by-client");
    let (info, names) = last.lock().unwrap().take().unwrap();
    assert_eq!(info.request_id.as_str(), response.headers()["x-request-id"]);
    assert!(info.peer.unwrap().ip().is_loopback());
    assert_eq!(info.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes());
    assert!(info.deadline.is_some());
    assert_eq!(names, "traceparent");
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_except_about_wharf_headers() {
    let (modules, last) = remembering();
    let proxies = TrustedProxies::new(vec!["127.0.0.0/8".parse().unwrap()], Default::default());
    let host = Host::with(modules, Default::default(), |gateway| gateway.with_trusted_proxies(proxies));
    let response = Client::http1(host.address).await.send(claiming()).await;
    assert_eq!(response.headers()["x-request-id"], "chosen-by-client");
    let (info, names) = last.lock().unwrap().take().unwrap();
    assert_eq!(info.request_id.as_str(), "chosen-by-client");
    assert_eq!(info.peer.unwrap().ip().to_string(), "1.2.3.4");
    assert_eq!(names, "x-request-id x-forwarded-for traceparent");
}

#[tokio::test]
async fn methods_of_a_wildcard_route_all_arrive() {
    let host = Host::start(vec![module("any", vec![route("*", "/{*path}")], mirror("any"))]);
    let mut client = Client::http1(host.address).await;
    for method in [Method::GET, Method::DELETE, Method::OPTIONS, Method::from_bytes(b"PURGE").unwrap()] {
        let request = Request::builder().method(&method).uri("/any/a%2Fb//c").body(full("")).unwrap();
        let (_, _, body) = whole(client.send(request).await).await;
        assert_eq!(body, format!("any {method} /a%2Fb//c host=-"));
    }
}

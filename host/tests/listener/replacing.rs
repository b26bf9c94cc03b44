//! Requests that meet a module while it is being replaced.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Request;
use http_body_util::BodyExt;
use wharf_host::domain::route::{Lane, Policy};
use wharf_host::http::body::Body;
use wharf_host::http::routes::{Mounted, RouteTable, Routes};
use wharf_host::modules::endpoint::{CallInfo, Endpoint, Refused, RefusedBecause, Responding};

use crate::rig::*;

/// An endpoint whose gate closes just as a request arrives: it swaps the table, then refuses.
struct Leaving {
    routes: Arc<Routes>,
    successor: Box<dyn Fn() -> Vec<Mounted> + Send + Sync>,
    asked: Arc<AtomicUsize>,
}

impl Endpoint for Leaving {
    fn call(&self, _: Lane, request: Request<Body>, _: CallInfo) -> Result<Responding, Box<Refused>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.routes.swap(RouteTable::build((self.successor)()).unwrap());
        Err(Box::new(Refused {
            request,
            because: RefusedBecause::Draining,
        }))
    }
}

fn leaving(successor: impl Fn() -> Vec<Mounted> + Send + Sync + 'static) -> (Host, Arc<AtomicUsize>) {
    let routes = Arc::new(Routes::new());
    let asked = Arc::new(AtomicUsize::new(0));
    let old = Leaving {
        routes: Arc::clone(&routes),
        successor: Box::new(successor),
        asked: Arc::clone(&asked),
    };
    routes.swap(RouteTable::build(vec![module("blog", vec![route("POST", "/p/{id}")], Arc::new(old))]).unwrap());
    (Host::over(routes, Default::default(), |gateway| gateway), asked)
}

fn post() -> Request<ClientBody> {
    Request::builder()
        .method("POST")
        .uri("/blog/p/1?q=2")
        .header("host", "x")
        .body(full("the body"))
        .unwrap()
}

#[tokio::test]
async fn a_request_that_meets_a_closed_gate_goes_whole_to_the_successor() {
    let (host, asked) = leaving(|| {
        let new = endpoint(|_, request: Request<Body>, _| async move {
            let uri = request.uri().to_string();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            text(format!("new {uri} {}", String::from_utf8_lossy(&body)))
        });
        vec![module("blog", vec![route("POST", "/{*path}")], new)]
    });
    let (status, _, body) = whole(Client::http1(host.address).await.send(post()).await).await;
    assert_eq!((status.as_u16(), body.as_str()), (200, "new /p/1?q=2 the body"));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_successor_that_is_stricter_is_not_reached_with_the_old_decision() {
    let (host, _) = leaving(|| {
        let mut strict = route("POST", "/p/{id}");
        strict.policy = Policy::Authenticated;
        vec![module(
            "blog",
            vec![strict],
            endpoint(|_, _, _| async { panic!("called without asking") }),
        )]
    });
    let mut client = Client::http1(host.address).await;
    assert_eq!(client.send(post()).await.status(), 503);
    assert_eq!(Client::http1(host.address).await.send(post()).await.status(), 401);
}

#[tokio::test]
async fn a_module_that_left_for_good_is_503_once_and_then_404() {
    let (host, _) = leaving(Vec::new);
    let (status, headers, _) = whole(Client::http1(host.address).await.send(post()).await).await;
    assert_eq!(status, 503);
    assert_eq!(headers["retry-after"], "1");
    assert_eq!(Client::http1(host.address).await.send(post()).await.status(), 404);
}

#[tokio::test]
async fn endless_draining_gives_up_and_busy_is_said_at_once() {
    for (because, kind) in [
        (RefusedBecause::Draining, "draining"),
        (RefusedBecause::Busy, "busy"),
        (RefusedBecause::Unavailable, "module-unavailable"),
    ] {
        let refusing = endpoint(|_, _, _| async { text("never") });
        *refusing.refuse.lock().unwrap() = Some(because);
        let host = Host::start(vec![module("blog", vec![route("GET", "/")], refusing)]);
        let (status, headers, body) = Client::http1(host.address).await.get("/blog").await;
        assert_eq!(status, 503);
        assert!(headers.contains_key("retry-after"));
        assert!(body.contains(&format!("/problems/{kind}")), "{body}");
    }
}

//! Caller and callee in one image: every way a call can go. Across two images the same code is run by the end-to-end tests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use wharf_bridge::body::{NoScope, Scope};
use wharf_bridge::{Context, Incoming, PendingCall, Received, RemoteService, Serve, Started, export};
use wharf_plugin_api::{Fault, FaultCode};

type Out = UnsyncBoxBody<Bytes, String>;
type Handling = Pin<Box<dyn Future<Output = Response<Out>> + Send>>;

/// Counts what is alive and what is entered.
#[derive(Default)]
struct Probe {
    live: AtomicUsize,
    entered: AtomicUsize,
}

struct Service<F> {
    probe: Arc<Probe>,
    handle: F,
}

struct CallScope(Arc<Probe>);

struct Entered<'a>(&'a Probe);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.entered.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for CallScope {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Scope for CallScope {
    type Guard<'a> = Entered<'a>;
    fn enter(&self) -> Entered<'_> {
        self.0.entered.fetch_add(1, Ordering::Relaxed);
        Entered(&self.0)
    }
    fn keep(&mut self) {}
}

impl<F> Serve for Service<F>
where
    F: Fn(Request<Incoming>, Arc<Probe>) -> Handling + Send + Sync + 'static,
{
    type RequestBody = Incoming;
    type Body = Out;
    type Future = Handling;
    type Call = CallScope;

    fn begin(self: &Arc<Self>, _: Received) -> CallScope {
        self.probe.live.fetch_add(1, Ordering::Relaxed);
        CallScope(self.probe.clone())
    }

    fn body(incoming: Incoming) -> Incoming {
        incoming
    }

    fn call(&self, _: &CallScope, _: u8, request: Request<Incoming>) -> Handling {
        assert_eq!(self.probe.entered.load(Ordering::Relaxed), 1, "the scope is entered");
        (self.handle)(request, self.probe.clone())
    }
}

fn service<F>(handle: F) -> (RemoteService, Arc<Probe>)
where
    F: Fn(Request<Incoming>, Arc<Probe>) -> Handling + Send + Sync + 'static,
{
    let probe = Arc::new(Probe::default());
    (
        RemoteService::new(export(Arc::new(Service {
            probe: probe.clone(),
            handle,
        })))
        .unwrap(),
        probe,
    )
}

async fn call<B>(service: &RemoteService, request: Request<B>) -> Result<Response<Incoming>, Fault>
where
    B: Body<Data = Bytes, Error: std::fmt::Display> + Send + Unpin + 'static,
{
    match begin(service, request).await {
        Started::Ready(result) => result,
        Started::Pending(pending) => pending.await,
    }
}

async fn begin<B>(service: &RemoteService, request: Request<B>) -> Started
where
    B: Body<Data = Bytes, Error: std::fmt::Display> + Send + Unpin + 'static,
{
    let mut request = Some(request);
    poll_fn(|cx| {
        let (head, body) = request.take().expect("polled once").into_parts();
        let mut head = Request::from_parts(head, ());
        Poll::Ready(service.start(cx, 0, &mut head, body, &Context::default().view(), NoScope))
    })
    .await
}

fn boxed<B>(body: B) -> Out
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    body.map_err(|e| match e {}).boxed_unsync()
}

#[tokio::test]
async fn a_body_that_is_there_crosses_whole_unless_it_must_be_asked_for() {
    let (service, _) = service(|request, _| {
        Box::pin(async move {
            let kind = match request.body() {
                Incoming::Empty => "empty",
                Incoming::Full(_) => "whole",
                Incoming::Stream(_) => "stream",
            };
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Response::new(boxed(Full::new(Bytes::from(format!("{kind} {}", body.len())))))
        })
    });
    let whole = || Full::new(Bytes::from_static(b"seven b"));
    let plain = Request::post("/").body(whole()).unwrap();
    let asks = Request::post("/").header("expect", "100-continue").body(whole()).unwrap();
    let empty = Request::post("/").body(Full::new(Bytes::new())).unwrap();
    for (request, expected) in [(plain, "whole 7"), (asks, "stream 7"), (empty, "empty 0")] {
        let response = call(&service, request).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), expected);
    }
}

#[tokio::test]
async fn a_request_and_its_response_cross_whole() {
    let (service, probe) = service(|request, _| {
        Box::pin(async move {
            assert_eq!(request.uri(), "/a/b?c=d");
            assert_eq!(request.method(), "PROPFIND");
            let headers = request.headers().clone();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let mut response = Response::new(boxed(Full::new(body)));
            *response.headers_mut() = headers;
            *response.status_mut() = http::StatusCode::CREATED;
            response
        })
    });
    let request = Request::builder()
        .method("PROPFIND")
        .uri("http://host/a/b?c=d")
        .header("x-own", "1")
        .header("accept", "text/html")
        .body(Full::new(Bytes::from_static(b"hello")))
        .unwrap();
    let response = call(&service, request).await.unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["x-own"], "1");
    assert_eq!(response.headers()["accept"], "text/html");
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
    assert_eq!(probe.live.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn frames_move_without_a_copy_and_trailers_arrive() {
    let big = Bytes::from(vec![5_u8; 100_000]);
    let address = big.as_ptr() as usize;
    let (service, _) = service(move |_, _| {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let frames: Vec<Result<_, Infallible>> = vec![Ok(Frame::data(big.clone())), Ok(Frame::trailers(trailers))];
        Box::pin(async move { Response::new(boxed(StreamBody::new(stream::iter(frames)))) })
    });
    let mut body = call(&service, Request::new(Empty::<Bytes>::new())).await.unwrap().into_body();
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.data_ref().unwrap().as_ptr() as usize, address);
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.trailers_ref().unwrap()["grpc-status"], "0");
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_pending_call_wakes_and_a_dropped_one_ends() {
    let (service, probe) = service(|_, _| {
        Box::pin(async move {
            tokio::task::yield_now().await;
            Response::new(boxed(Full::new(Bytes::from_static(b"late"))))
        })
    });
    let started = begin(&service, Request::new(Empty::<Bytes>::new())).await;
    let Started::Pending(pending) = started else {
        panic!("the first poll yields")
    };
    let pending: PendingCall = pending;
    assert_eq!(pending.await.unwrap().into_body().collect().await.unwrap().to_bytes(), "late");
    let Started::Pending(pending) = begin(&service, Request::new(Empty::<Bytes>::new())).await else {
        panic!()
    };
    assert_eq!(probe.live.load(Ordering::Relaxed), 1);
    drop(pending);
    assert_eq!(probe.live.load(Ordering::Relaxed), 0);
    assert_eq!(probe.entered.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_dropped_response_body_ends_the_call() {
    let (service, probe) = service(|_, _| {
        let frames = stream::repeat_with(|| Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"tick"))));
        Box::pin(async move { Response::new(boxed(StreamBody::new(frames))) })
    });
    let mut body = call(&service, Request::new(Empty::<Bytes>::new())).await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "tick");
    assert_eq!(probe.live.load(Ordering::Relaxed), 1);
    drop(body);
    assert_eq!(probe.live.load(Ordering::Relaxed), 0);
}

struct Bomb(&'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}

struct PanickingBody;

impl Body for PanickingBody {
    type Data = Bytes;
    type Error = Infallible;
    fn poll_frame(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("in the body")
    }
}

#[tokio::test]
async fn panics_become_faults_wherever_they_happen() {
    let fault = |fault: Fault| (fault.code, fault.message.into_string());
    let request = || Request::new(Empty::<Bytes>::new());

    let (at_once, probe) = service(|_, _| panic!("in the call"));
    assert_eq!(
        fault(call(&at_once, request()).await.unwrap_err()),
        (FaultCode::PANICKED, "in the call".into())
    );
    assert_eq!((probe.live.load(Ordering::Relaxed), probe.entered.load(Ordering::Relaxed)), (0, 0));

    let (later, probe) = service(|_, _| {
        Box::pin(async {
            tokio::task::yield_now().await;
            panic!("in a later poll")
        })
    });
    assert_eq!(fault(call(&later, request()).await.unwrap_err()).1, "in a later poll");
    assert_eq!((probe.live.load(Ordering::Relaxed), probe.entered.load(Ordering::Relaxed)), (0, 0));

    let (in_body, _) = service(|_, _| Box::pin(async { Response::new(boxed(PanickingBody)) }));
    let mut body = call(&in_body, request()).await.unwrap().into_body();
    assert_eq!(fault(body.frame().await.unwrap().unwrap_err()).1, "in the body");
    assert!(body.frame().await.is_none());

    let (in_drop, _) = service(|_, _| {
        let bomb = Bomb("in drop");
        Box::pin(async move {
            let _bomb = bomb;
            std::future::pending::<()>().await;
            unreachable!()
        })
    });
    let Started::Pending(pending) = begin(&in_drop, request()).await else {
        panic!()
    };
    drop(pending);
}

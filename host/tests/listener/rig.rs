//! A server on a free port, scripted endpoints, and clients.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wharf_host::domain::route::{GrpcMethod, Lane, Policy, Route};
use wharf_host::http::body::{Body, BoxError};
use wharf_host::http::gateway::{Gateway, Limits};
use wharf_host::http::outbound::Served;
use wharf_host::http::routes::{Mounted, RouteTable, Routes};
use wharf_host::http::server::{Listener, Server};
use wharf_host::modules::endpoint::{CallInfo, Endpoint, Refused, RefusedBecause, Responding};

/// Nothing in these tests takes this long unless it hangs.
pub const SOON: Duration = Duration::from_secs(20);

/// A finished call, as the observer saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub module: Option<String>,
    pub route: Option<String>,
    pub status: u16,
    pub grpc: Option<i32>,
    pub complete: bool,
}

type Answer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;
type Script = Box<dyn Fn(Lane, Request<Body>, CallInfo) -> Answer + Send + Sync>;

/// An endpoint that does what a closure says, until it is told to refuse.
pub struct Scripted {
    script: Script,
    pub refuse: Mutex<Option<RefusedBecause>>,
}

impl Endpoint for Scripted {
    fn call(&self, lane: Lane, request: Request<Body>, info: CallInfo) -> Result<Responding, Box<Refused>> {
        match *self.refuse.lock().unwrap() {
            Some(because) => Err(Box::new(Refused { request, because })),
            None => Ok((self.script)(lane, request, info)),
        }
    }
}

pub fn endpoint<F, A>(script: F) -> Arc<Scripted>
where
    F: Fn(Lane, Request<Body>, CallInfo) -> A + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    let script: Script = Box::new(move |lane, request, info| Box::pin(script(lane, request, info)));
    Arc::new(Scripted {
        script,
        refuse: Mutex::new(None),
    })
}

/// Answers with one line about what it was asked.
pub fn mirror(name: &'static str) -> Arc<dyn Endpoint> {
    endpoint(move |_, request: Request<Body>, _| async move {
        let host = request.headers().get("host").map_or("-", |value| value.to_str().unwrap());
        text(format!("{name} {} {} host={host}", request.method(), request.uri()))
    })
}

pub fn text(text: impl Into<Bytes>) -> Response<Body> {
    Response::new(Body::full(text))
}

pub fn route(method: &str, template: &str) -> Route {
    Route {
        method: method.to_owned(),
        template: template.to_owned(),
        policy: Policy::Public,
        rate_class: None,
        hidden: false,
    }
}

pub fn module(id: &str, routes: Vec<Route>, endpoint: Arc<dyn Endpoint>) -> Mounted {
    Mounted {
        id: id.to_owned(),
        prefix: Some(format!("/{id}")),
        routes,
        grpc: Vec::new(),
        endpoint,
        descriptors: None,
        openapi: None,
    }
}

pub fn grpc_method(service: &str, method: &str) -> GrpcMethod {
    GrpcMethod {
        service: service.to_owned(),
        method: method.to_owned(),
        policy: Policy::Public,
        rate_class: None,
    }
}

/// What all tests of this process have logged.
#[derive(Clone, Default)]
pub struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The log. Set up before the first server of the process: a callsite that is reached at the same moment as a
/// subscriber is installed may miss it.
pub fn log() -> &'static Page {
    static LOG: LazyLock<Page> = LazyLock::new(|| {
        let page = Page::default();
        let writer = page.clone();
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .init();
        page
    });
    &LOG
}

/// A running server with its table and what its observer saw.
pub struct Host {
    pub routes: Arc<Routes>,
    pub gateway: Arc<Gateway>,
    pub server: Server,
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Host {
    pub fn start(modules: Vec<Mounted>) -> Self {
        Self::with(modules, Limits::default(), |gateway| gateway)
    }

    pub fn limited(modules: Vec<Mounted>, limits: Limits) -> Self {
        Self::with(modules, limits, |gateway| gateway)
    }

    pub fn with(modules: Vec<Mounted>, limits: Limits, adapt: impl FnOnce(Gateway) -> Gateway) -> Self {
        let routes = Arc::new(Routes::new());
        routes.swap(RouteTable::build(modules).unwrap());
        Self::over(routes, limits, adapt)
    }

    pub fn over(routes: Arc<Routes>, limits: Limits, adapt: impl FnOnce(Gateway) -> Gateway) -> Self {
        log();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let writer = Arc::clone(&seen);
        let observer = Arc::new(move |served: &Served<'_>| {
            writer.lock().unwrap().push(Seen {
                module: served.module.map(str::to_owned),
                route: served.route.map(str::to_owned),
                status: served.status,
                grpc: served.grpc_status,
                complete: served.complete,
            });
        });
        let gateway = Gateway::new(Arc::clone(&routes)).with_limits(limits).with_observer(observer);
        let gateway = Arc::new(adapt(gateway));
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let server = Server::start(listener, Arc::clone(&gateway), None);
        Self {
            address: server.address(),
            routes,
            gateway,
            server,
            seen,
        }
    }

    /// Waits until the observer has seen a call like this.
    pub async fn sees(&self, what: &str, like: impl Fn(&Seen) -> bool) -> Seen {
        until(what, || self.seen.lock().unwrap().iter().find(|seen| like(seen)).cloned()).await
    }
}

/// Waits for a condition with a deadline.
pub async fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + SOON;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

pub async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, work)
        .await
        .unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

pub type ClientBody = http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>;

pub fn full(bytes: impl Into<Bytes>) -> ClientBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A connection of a client that speaks HTTP/1.1 or HTTP/2 with prior knowledge.
pub enum Client {
    One(hyper::client::conn::http1::SendRequest<ClientBody>),
    Two(hyper::client::conn::http2::SendRequest<ClientBody>),
}

impl Client {
    pub async fn http1(address: SocketAddr) -> Self {
        let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (client, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        Self::One(client)
    }

    pub async fn http2(address: SocketAddr) -> Self {
        let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        Self::Two(client)
    }

    pub async fn try_send(&mut self, request: Request<ClientBody>) -> Result<Response<hyper::body::Incoming>, hyper::Error> {
        match self {
            Self::One(client) => {
                client.ready().await?;
                soon("a response", client.send_request(request)).await
            }
            Self::Two(client) => {
                client.ready().await?;
                let (mut head, body) = request.into_parts();
                if head.uri.authority().is_none() {
                    head.uri = format!("http://two.test{}", head.uri).parse().unwrap();
                }
                soon("a response", client.send_request(Request::from_parts(head, body))).await
            }
        }
    }

    pub async fn send(&mut self, request: Request<ClientBody>) -> Response<hyper::body::Incoming> {
        self.try_send(request).await.unwrap()
    }

    pub async fn get(&mut self, path: &str) -> (StatusCode, http::HeaderMap, String) {
        let request = Request::builder().uri(path).header("host", "one.test").body(full("")).unwrap();
        whole(self.send(request).await).await
    }
}

pub async fn whole(response: Response<hyper::body::Incoming>) -> (StatusCode, http::HeaderMap, String) {
    let (head, body) = response.into_parts();
    let bytes = soon("a body", body.collect()).await.unwrap().to_bytes();
    (head.status, head.headers, String::from_utf8(bytes.to_vec()).unwrap())
}

/// Writes bytes to a fresh connection and reads until the server closes it.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may close while we write: what it said before that is what counts.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = soon("the end of the connection", stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

//! The sides that are compared: the routes in this program, and the same in a library.

use std::convert::Infallible;
use std::future::Future;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use axum::Router;
use axum::routing::future::RouteFuture;
use http::{Request, Response};
use http_body::Body as HttpBody;
use tower_service::Service;
use wharf_host::domain::route::Lane;
use wharf_host::http::body::Body;
use wharf_host::http::problem::{ErrorKind, Problem};
use wharf_host::http::request_id::RequestId;
use wharf_host::modules::endpoint::{CallInfo, Endpoint, Refused, Responding};
use wharf_host::modules::inspect::{InspectRules, inspect};
use wharf_host::modules::instance::Instance;
use wharf_host::modules::open::{Opening, open};
use wharf_host::modules::standing::Limits;
use wharf_host::security::{NoRules, Principal};
use wharf_host::services::{Channels, Shared, Spans, Work, WorkSettings};
use wharf_host::telemetry::{LineFormat, LogControl, LogSink, Metrics, ModuleLog};

/// The host's part around modules: a runtime and what instances share.
pub(crate) struct Rig {
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) shared: Shared,
}

/// The routes in this program as the gateway would call them, without a bridge.
pub(crate) struct Linked(pub(crate) Router);

/// One thing that answers.
#[derive(Clone)]
pub(crate) enum Side {
    /// axum's router, called directly: the baseline.
    Router(Router),
    /// Behind the host's own trait: the router in this program, or an instance from a library.
    Endpoint(Arc<dyn Endpoint>),
}

/// No module calls another.
pub(crate) struct Alone;

impl Channels for Alone {
    fn call(&self, module: &str, _: Request<Body>, info: CallInfo) -> Responding {
        let response = Problem::response(
            ErrorKind::Unavailable,
            &format!("module {module:?} is not there"),
            &info.request_id,
            true,
        );
        Box::pin(std::future::ready(response))
    }
}

impl Rig {
    /// With modules that find others through `channels`.
    pub(crate) fn new(channels: Arc<dyn Channels>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let sink = LogSink::writer(LineFormat::Json, Box::new(std::io::stderr()));
        let metrics = Metrics::new()?;
        let mut backends = wharf_host::services::Backends::in_memory();
        let work = {
            let _entered = runtime.enter();
            Work::on(&mut backends, "bench", &metrics, WorkSettings::default())
        };
        let shared = Shared {
            work,
            node: "bench".to_owned(),
            log: ModuleLog::new(LogControl::new("info")?, sink),
            spans: Arc::new(Spans::default()),
            metrics,
            channels,
            authorizer: Arc::new(NoRules),
            error_sinks: Vec::new(),
            backends,
            runtime: runtime.handle().clone(),
        };
        Ok(Self { runtime, shared })
    }

    /// An instance of the library `lib<name>.so` beside this program.
    pub(crate) fn load(&self, name: &str) -> Result<Arc<Instance>> {
        let file = library(name)?;
        let bytes = std::fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let inspected = inspect(&bytes, &InspectRules::default()).map_err(|findings| anyhow!("{findings:#?}"))?;
        let image = open(&Opening {
            copy: &file,
            manifest: &inspected.manifest,
            descriptors: &inspected.descriptors,
            reserve_thread_keys: 16,
        })?;
        let limits = Limits::default();
        let instance = self
            .runtime
            .block_on(Instance::create(image, "{}".to_owned(), &self.shared, limits))
            .map_err(|fault| anyhow!("{name} could not be created: {fault}"))?;
        self.runtime
            .block_on(instance.start())
            .map_err(|fault| anyhow!("{name} could not be started: {fault}"))?;
        Ok(instance)
    }

    /// A side by name: `static`, `linked`, `plain` or `tokio`.
    pub(crate) fn side(&self, name: &str) -> Result<Side> {
        Ok(match name {
            "static" => Side::Router(bench_router::router()),
            "linked" => Side::Endpoint(Arc::new(Linked(bench_router::router()))),
            "plain" | "tokio" => Side::Endpoint(Arc::new(self.load(&format!("bench_{name}"))?)),
            _ => bail!("found side {name:?}, expected static, linked, plain or tokio"),
        })
    }
}

/// A library that was built together with this program.
pub(crate) fn library(name: &str) -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let folder = program.parent().context("this program lies in no folder")?;
    let suffix = wharf_host::modules::os::Target::HOST.library_suffix();
    let file = folder.join(format!("lib{name}{suffix}"));
    if !file.exists() {
        bail!(
            "{} is missing; build it with `cargo build --release -p {}`",
            file.display(),
            name.replace('_', "-")
        );
    }
    Ok(file)
}

/// axum's future with the host's body in its response.
struct Routed(RouteFuture<Infallible>);

impl Endpoint for Linked {
    #[inline]
    fn call(&self, _: Lane, request: Request<Body>, _: CallInfo) -> Result<Responding, Box<Refused>> {
        Ok(Box::pin(Routed(self.0.clone().call(request))))
    }
}

impl Future for Routed {
    type Output = Response<Body>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response<Body>> {
        Pin::new(&mut self.0).poll(cx).map(|answer| {
            let Ok(response) = answer;
            response.map(Body::new)
        })
    }
}

/// What the gateway knows of a call, with the deadline it gives every request.
pub(crate) fn call_info() -> CallInfo {
    CallInfo {
        request_id: RequestId::random(),
        trace_id: *b"0123456789abcdef",
        span_id: *b"01234567",
        trace_flags: 1,
        peer: Some(([127, 0, 0, 1], 40_000).into()),
        deadline: Instant::now().checked_add(Duration::from_secs(3600)),
        deadline_is_named: false,
        caller: None,
        principal: Principal::Anonymous,
        belongings: wharf_host::modules::belongings::Belongings::default(),
    }
}

impl Side {
    /// Answers one request and reads the whole body; returns the number of its bytes.
    #[inline]
    pub(crate) fn answer(&self, request: Request<Body>, info: &CallInfo) -> usize {
        match self {
            Self::Router(router) => {
                let Ok(response) = ready(router.clone().call(request));
                drain(response)
            }
            Self::Endpoint(endpoint) => match endpoint.call(Lane::Http, request, info.clone()) {
                Ok(responding) => drain(ready(responding)),
                Err(_) => 0,
            },
        }
    }
}

/// Polls with a waker that does nothing until it is ready.
#[inline]
pub(crate) fn ready<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
}

#[inline]
fn drain<B>(response: Response<B>) -> usize
where
    B: HttpBody<Data = bytes::Bytes> + Unpin,
{
    assert!(response.status().is_success(), "the route answered {}", response.status());
    let mut body = response.into_body();
    let mut cx = Context::from_waker(Waker::noop());
    let mut bytes = 0;
    loop {
        match Pin::new(&mut body).poll_frame(&mut cx) {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(frame))) => bytes += frame.data_ref().map_or(0, bytes::Bytes::len),
            Poll::Ready(_) => return bytes,
        }
    }
}

//! Stage 7: an instance, from its creation to its drop, and the endpoint it is for the listener.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use wharf_bridge::body::Scope;
use wharf_bridge::context::Short;
use wharf_bridge::{Context, Incoming, PendingCall, RemoteService, Started};
use wharf_plugin_api::exports::http::{HttpExport, PolicyKind};
use wharf_plugin_api::module::{Health, ModuleRef, export};
use wharf_plugin_api::{Fault, FaultCode};

use super::current;
use super::endpoint::{CallInfo, Endpoint, Refused, RefusedBecause, Responding};
use super::open::Image;
use super::standing::{Gate, GateWatch, InFlight, Limits, Standing, Who};
use super::visiting::Visiting;
use crate::domain::route::{Lane, Policy, Route};
use crate::http::body::{Body, BoxError};
use crate::http::problem::{ErrorKind, Problem};
use crate::services::{Provider, Shared};

static INSTANCES: AtomicU64 = AtomicU64::new(0);

/// One instance of a module.
pub struct Instance {
    /// What is known of it.
    pub standing: Arc<Standing>,
    /// The code it runs.
    pub image: Image,
    /// Its routes, as it exported them.
    pub routes: Vec<Route>,
    /// Routes it gave no policy for, or one this host does not know: not served.
    pub unserved: Vec<String>,
    http: Option<Arc<RemoteService>>,
    provider: Provider,
    /// Taken out when the instance ends.
    module: Mutex<Option<Arc<ModuleRef>>>,
}

impl Instance {
    /// Makes an instance. Runs on the caller's task: the supervisor puts a deadline around it.
    ///
    /// # Errors
    /// The module's fault: its own error, a panic, a config that does not fit, an import that is not declared.
    pub async fn create(image: Image, section: String, shared: &Shared, limits: Limits) -> Result<Arc<Self>, Fault> {
        let who = Who {
            module: image.manifest.id.clone(),
            version: image.manifest.version.to_string(),
            generation: image.generation,
            instance: INSTANCES.fetch_add(1, Ordering::Relaxed) + 1,
        };
        let standing = Standing::new(who, limits);
        let provider = Provider::new(standing.clone(), image.manifest.clone(), section, shared.clone());
        let created = {
            let _visit = current::visit(&standing, None, None);
            (image.root.create())(provider.host_ref(), image.linkage)
        };
        let module = match Visiting::new(standing.clone(), created).await {
            Ok(module) => module,
            Err(fault) => {
                provider.retire();
                return Err(fault);
            }
        };
        let exported = {
            let _visit = current::visit(&standing, None, None);
            export::<HttpExport>(&module)?
        };
        let mut routes = Vec::new();
        let mut unserved = Vec::new();
        let mut http = None;
        if let Some(HttpExport { service, routes: listed }) = exported {
            http = Some(Arc::new(RemoteService::new(service)?));
            for route in listed {
                match policy(route.policy, &route.permission) {
                    Some(policy) => routes.push(Route {
                        method: route.method.into(),
                        template: route.template.into(),
                        policy,
                        rate_class: Some(route.rate_class.into_string()).filter(|class| !class.is_empty()),
                    }),
                    None => unserved.push(format!("{} {}", route.method, route.template)),
                }
            }
        }
        Ok(Arc::new(Self {
            standing,
            image,
            routes,
            unserved,
            http,
            provider,
            module: Mutex::new(Some(Arc::new(module))),
        }))
    }

    fn module(&self) -> Result<Arc<ModuleRef>, Fault> {
        self.module
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .ok_or_else(|| Fault::new(FaultCode::STOPPED, "this instance was stopped"))
    }

    async fn step<T>(&self, begin: impl FnOnce(&ModuleRef) -> wharf_plugin_api::future::FfiFuture<T>) -> Result<T, Fault> {
        let module = self.module()?;
        let future = {
            let _visit = current::visit(&self.standing, None, None);
            begin(&module)
        };
        Visiting::new(self.standing.clone(), future).await
    }

    /// Begins its work.
    ///
    /// # Errors
    /// The module's fault.
    pub async fn start(&self) -> Result<(), Fault> {
        self.step(|module| module.start()).await
    }

    /// Ends its work.
    ///
    /// # Errors
    /// The module's fault.
    pub async fn stop(&self) -> Result<(), Fault> {
        self.step(|module| module.stop()).await
    }

    /// Asks how it is.
    ///
    /// # Errors
    /// The module's fault.
    pub async fn health(&self) -> Result<Health, Fault> {
        self.step(|module| module.health()).await
    }

    /// Ends everything it has of the host and drops its objects. Blocks as long as its drop does: call it on a thread that
    /// may be lost.
    pub fn retire(&self) {
        self.standing.set_gate(Gate::Cut);
        self.provider.retire();
        let module = self.module.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _visit = current::visit(&self.standing, None, None);
        drop(module);
    }
}

/// The service holds the module's state: its drop is a visit too.
impl Drop for Instance {
    fn drop(&mut self) {
        let _visit = current::visit(&self.standing, None, None);
        drop(self.http.take());
    }
}

fn policy(kind: PolicyKind, permission: &str) -> Option<Policy> {
    match kind {
        PolicyKind::PUBLIC => Some(Policy::Public),
        PolicyKind::AUTHENTICATED => Some(Policy::Authenticated),
        PolicyKind::REQUIRE if !permission.is_empty() => Some(Policy::Require(permission.to_owned())),
        _ => None,
    }
}

/// An instance as the listener sees it.
impl Endpoint for Arc<Instance> {
    fn call(&self, lane: Lane, request: Request<Body>, info: CallInfo) -> Result<Responding, Box<Refused>> {
        let Some(http) = &self.http else {
            return Err(Box::new(Refused {
                request,
                because: RefusedBecause::Unavailable,
            }));
        };
        match self.standing.enter() {
            Ok(in_flight) => Ok(Box::pin(Calling {
                http: http.clone(),
                is_grpc: is_grpc(lane, &request),
                lane,
                standing: self.standing.clone(),
                info,
                state: State::New(request),
                in_flight: Some(in_flight),
                watch: GateWatch::default(),
            })),
            Err(gate) => {
                let because = match gate {
                    Gate::Open => RefusedBecause::Busy,
                    Gate::Draining | Gate::Cut => RefusedBecause::Draining,
                    Gate::Quarantined => RefusedBecause::Unavailable,
                };
                Err(Box::new(Refused { request, because }))
            }
        }
    }
}

fn is_grpc(lane: Lane, request: &Request<Body>) -> bool {
    lane == Lane::Grpc
        || request
            .headers()
            .get(http::header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// A call in a module: every poll is a visit, every failure a response.
struct Calling {
    http: Arc<RemoteService>,
    standing: Arc<Standing>,
    info: CallInfo,
    lane: Lane,
    is_grpc: bool,
    state: State,
    in_flight: Option<InFlight>,
    watch: GateWatch,
}

enum State {
    New(Request<Body>),
    Pending(PendingCall),
    Done,
}

/// The host's own bodies need nothing to be entered.
#[derive(Clone, Copy)]
struct HostScope;

impl Scope for HostScope {
    type Guard<'a> = ();
    fn enter(&self) {}
}

impl Future for Calling {
    type Output = Response<Body>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Response<Body>> {
        let this = &mut *self;
        if let Some(kind) = ended_by(&this.standing) {
            this.end();
            return Poll::Ready(this.failure(kind.0, kind.1));
        }
        let polled = {
            let Some(_visit) = current::visit(&this.standing, Some(&this.info), Some(cx.waker())) else {
                return Poll::Pending;
            };
            match std::mem::replace(&mut this.state, State::Done) {
                State::New(request) => {
                    let lane = u8::from(this.lane == Lane::Grpc);
                    match this.http.start(cx, lane, request, &context(&this.info), HostScope) {
                        Started::Ready(result) => Poll::Ready(result),
                        Started::Pending(call) => {
                            this.watch.pending(&this.standing, cx.waker());
                            this.state = State::Pending(call);
                            Poll::Pending
                        }
                    }
                }
                State::Pending(mut call) => match Pin::new(&mut call).poll(cx) {
                    Poll::Pending => {
                        this.state = State::Pending(call);
                        Poll::Pending
                    }
                    ready => ready,
                },
                State::Done => Poll::Pending,
            }
        };
        polled.map(|result| match result {
            Ok(response) => this.answer(response),
            Err(fault) => this.faulted(&fault),
        })
    }
}

impl Calling {
    #[inline]
    fn answer(&mut self, response: Response<Incoming>) -> Response<Body> {
        if response.status().is_server_error() {
            self.standing.errors.fetch_add(1, Ordering::Relaxed);
        }
        let (parts, body) = response.into_parts();
        let body = match body {
            Incoming::Empty => Body::empty(),
            Incoming::Full(Some(bytes)) => Body::full(bytes),
            stream => Body::new(ModuleBody {
                body: Some(stream),
                standing: self.standing.clone(),
                info: self.info.clone(),
                _in_flight: self.in_flight.take(),
                watch: GateWatch::default(),
            }),
        };
        Response::from_parts(parts, body)
    }

    #[cold]
    fn faulted(&self, fault: &Fault) -> Response<Body> {
        self.standing.errors.fetch_add(1, Ordering::Relaxed);
        let kind = match fault.code {
            FaultCode::PANICKED => ErrorKind::Panicked,
            FaultCode::INVALID => ErrorKind::BadRequest,
            FaultCode::STOPPED => ErrorKind::Stopped,
            FaultCode::DEADLINE => ErrorKind::Deadline,
            _ => ErrorKind::Internal,
        };
        tracing::warn!(
            module.id = self.standing.who.module,
            module.instance = self.standing.who.instance,
            request.id = %self.info.request_id,
            fault.code = fault.code.name(),
            error = %fault,
            "a call failed in the module"
        );
        self.failure(kind, "the module failed to answer; the log has more under this request id")
    }

    fn failure(&self, kind: ErrorKind, detail: &str) -> Response<Body> {
        Problem::response(kind, detail, &self.info.request_id, self.is_grpc)
    }

    /// Drops what is left, as a visit.
    fn end(&mut self) {
        if matches!(self.state, State::Pending(_)) {
            let visit = current::visit(&self.standing, Some(&self.info), None);
            self.state = State::Done;
            drop(visit);
        }
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        if matches!(self.state, State::Pending(_)) && self.info.deadline.is_some_and(|at| at <= Instant::now()) {
            self.standing.late();
        }
        self.end();
        self.watch.end(&self.standing);
    }
}

/// What ends calls from outside.
fn ended_by(standing: &Standing) -> Option<(ErrorKind, &'static str)> {
    match standing.gate() {
        Gate::Open | Gate::Draining => None,
        Gate::Cut => Some((ErrorKind::Stopped, "the module was stopped or replaced before it answered")),
        Gate::Quarantined => Some((ErrorKind::Unavailable, "the module is quarantined; its status says why")),
    }
}

fn context(info: &CallInfo) -> Context {
    Context {
        trace_id: info.trace_id,
        span_id: info.span_id,
        trace_flags: info.trace_flags,
        token: 0,
        timeout: info.deadline.map(|at| at.saturating_duration_since(Instant::now())),
        request_id: Short::new(&info.request_id),
        caller: info.caller.as_deref().map_or(Short::EMPTY, Short::new),
        peer: info.peer,
    }
}

/// A streaming response body: every poll is a visit, and it keeps the call in flight.
struct ModuleBody {
    body: Option<Incoming>,
    standing: Arc<Standing>,
    info: CallInfo,
    _in_flight: Option<InFlight>,
    watch: GateWatch,
}

impl HttpBody for ModuleBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Some((_, why)) = ended_by(&this.standing) {
            this.end();
            return Poll::Ready(Some(Err(why.into())));
        }
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        let polled = {
            let Some(_visit) = current::visit(&this.standing, Some(&this.info), Some(cx.waker())) else {
                return Poll::Pending;
            };
            Pin::new(body).poll_frame(cx)
        };
        match polled {
            Poll::Pending => {
                this.watch.pending(&this.standing, cx.waker());
                Poll::Pending
            }
            Poll::Ready(Some(Err(fault))) => {
                this.standing.errors.fetch_add(1, Ordering::Relaxed);
                this.end();
                Poll::Ready(Some(Err(Box::new(fault))))
            }
            Poll::Ready(frame) => Poll::Ready(frame.map(|frame| frame.map_err(Into::into))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl ModuleBody {
    fn end(&mut self) {
        if self.body.is_some() {
            let visit = current::visit(&self.standing, Some(&self.info), None);
            self.body = None;
            drop(visit);
        }
    }
}

impl Drop for ModuleBody {
    fn drop(&mut self) {
        self.end();
        self.watch.end(&self.standing);
    }
}

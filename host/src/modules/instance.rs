//! Stage 7: an instance, from its creation to its drop, and the endpoint it is for the listener.
//!
//! Long because creation, call and streaming body are one way of a request, and share who enters and who leaves.

mod listed;

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
use wharf_bridge::{Incoming, PendingCall, RemoteService, Started, View};
use wharf_plugin_api::exports::http::HttpExport;
use wharf_plugin_api::exports::migrations::MigrationsExport;
use wharf_plugin_api::exports::openapi::OpenApiExport;
use wharf_plugin_api::module::{Health, ModuleRef, export};
use wharf_plugin_api::{Fault, FaultCode};

use super::belongings::Belongings;
use super::current;
use super::duties::{AtWork, Duties};
use super::endpoint::{CallInfo, Endpoint, Refused, RefusedBecause, Responding};
use super::open::Image;
use super::standing::{Gate, GateWatch, InFlight, Limits, Standing, Who};
use super::visiting::Visiting;
use crate::domain::route::{Lane, Route};
use crate::http::body::{Body, BoxError};
use crate::http::gateway::trace::say_grpc_status;
use crate::http::problem::{ErrorKind, Problem};
use crate::ports::database::Space;
use crate::services::{Provider, Shared, Unfinished};
use crate::telemetry::ActiveSpan;

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
    /// What it says of its routes.
    pub openapi: Option<Arc<serde_json::Value>>,
    /// How its tables come to be.
    pub(super) migrations: MigrationsExport,
    pub(super) duties: Duties,
    pub(super) at_work: AtWork,
    http: Option<RemoteService>,
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
        let declared = image.manifest.permissions.iter().filter(|permission| permission.installation);
        let everywhere: Vec<&str> = declared.map(|permission| permission.name.as_str()).collect();
        shared.authorizer.reach_everywhere(&everywhere);
        let provider = Provider::new(standing.clone(), image.manifest.clone(), section, shared.clone());
        let unfinished = Unfinished::new(&provider);
        provider.prepare().await?;
        let created = {
            let _stay = current::stay(&standing);
            (image.root.create())(provider.host_ref(), image.linkage)
        };
        let module = Visiting::on_own_thread(standing.clone(), created).await?;
        let exported = {
            let _stay = current::stay(&standing);
            export::<HttpExport>(&module)?
        };
        let migrations = {
            let _stay = current::stay(&standing);
            export::<MigrationsExport>(&module)?.unwrap_or_else(|| MigrationsExport {
                migrations: Vec::new().into(),
            })
        };
        let openapi = {
            let _stay = current::stay(&standing);
            export::<OpenApiExport>(&module)?
        };
        let duties = {
            let _stay = current::stay(&standing);
            Duties::ask(&module, &image.manifest, shared.work.events.settings())?
        };
        let mut routes = Vec::new();
        let mut unserved = Vec::new();
        let mut http = None;
        if let Some(HttpExport { service, routes: listed }) = exported {
            http = Some(RemoteService::new(service)?);
            for route in listed {
                match listed::served(route) {
                    Ok(route) => routes.push(route),
                    Err(name) => unserved.push(name),
                }
            }
        }
        unfinished.finish();
        Ok(Arc::new(Self {
            openapi: openapi.and_then(|export| read_document(&standing.who.module, export.document.as_str())),
            standing,
            image,
            routes,
            unserved,
            migrations,
            duties,
            at_work: AtWork::default(),
            http,
            provider,
            module: Mutex::new(Some(Arc::new(module))),
        }))
    }

    pub(super) fn provider(&self) -> &Provider {
        &self.provider
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
            let _stay = current::stay(&self.standing);
            begin(&module)
        };
        Visiting::on_own_thread(self.standing.clone(), future).await
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

    /// Its space in the database; none when it imports none.
    #[must_use]
    pub fn space(&self) -> Option<Arc<dyn Space>> {
        self.provider.holding().map(|holding| holding.space.clone())
    }

    /// How many transactions and streams of its database it has open.
    #[must_use]
    pub fn open_handles(&self) -> usize {
        self.provider.holding().map_or(0, |holding| holding.handles.count())
    }

    /// Rolls back and closes what it has open in its database, whoever still holds on to it.
    pub(super) fn let_go(&self) {
        self.provider.let_go();
    }

    /// Ends everything it has of the host and drops its objects. Blocks as long as its drop does: call it on a thread that
    /// may be lost.
    pub fn retire(&self) {
        self.standing.set_gate(Gate::Cut);
        self.provider.retire();
        let module = self.module.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _stay = current::stay(&self.standing);
        drop(module);
    }
}

/// The service holds the module's state: its drop is a visit too.
impl Drop for Instance {
    fn drop(&mut self) {
        let _visit = current::visit(&self.standing, None, None);
        drop((self.http.take(), std::mem::take(&mut self.duties)));
    }
}

/// A document that cannot be read is worth a line in the log, and no failure: it is documentation.
fn read_document(module: &str, text: &str) -> Option<Arc<serde_json::Value>> {
    match serde_json::from_str(text) {
        Ok(document) => Some(Arc::new(document)),
        Err(error) => {
            tracing::warn!(module.id = module, error = %error, "the OpenAPI document of a module cannot be read and is left out");
            None
        }
    }
}

/// An instance as the listener sees it.
impl Endpoint for Arc<Instance> {
    #[inline]
    fn call(&self, lane: Lane, request: Request<Body>, info: CallInfo) -> Result<Responding, Box<Refused>> {
        if self.http.is_none() {
            return Err(Box::new(Refused {
                request,
                because: RefusedBecause::Unavailable,
            }));
        }
        match self.standing.enter() {
            Ok(()) => Ok(Calling::boxed(self, lane, request, info)),
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

/// A call in a module: every poll is a visit, every failure a response.
struct Calling {
    instance: Arc<Instance>,
    info: CallInfo,
    lane: Lane,
    state: State,
    /// Whether it is this that counts the call as in flight; later it is the response body.
    is_counted: bool,
    watch: GateWatch,
    /// The work of the module; with a streaming body it ends with that.
    span: ActiveSpan,
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
    fn keep(&mut self) {}
}

impl Future for Calling {
    type Output = Response<Body>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Response<Body>> {
        let this = &mut *self;
        if let Some(kind) = ended_by(&this.instance.standing) {
            this.end();
            this.info.belongings = Belongings::default();
            this.end_span(kind.0);
            return Poll::Ready(this.failure(kind.0, kind.1));
        }
        let polled = {
            let standing = &this.instance.standing;
            let Some(_visit) = current::visit(standing, Some(&this.info), Some(cx.waker())) else {
                return Poll::Pending;
            };
            match (&mut this.state, &this.instance.http) {
                (State::New(request), Some(http)) => {
                    let lane = u8::from(this.lane == Lane::Grpc);
                    let body = std::mem::replace(request.body_mut(), Body::empty());
                    match http.start(cx, lane, request, body, &view(&this.info), HostScope) {
                        Started::Ready(result) => {
                            this.state = State::Done;
                            Poll::Ready(result)
                        }
                        Started::Pending(call) => {
                            this.watch.pending(standing, cx.waker());
                            this.state = State::Pending(call);
                            Poll::Pending
                        }
                    }
                }
                (State::Pending(call), _) => {
                    let polled = Pin::new(call).poll(cx);
                    if polled.is_ready() {
                        this.state = State::Done;
                    } else {
                        this.watch.pending(standing, cx.waker());
                    }
                    polled
                }
                _ => Poll::Pending,
            }
        };
        let response = match polled {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(response)) => this.answer(response),
            Poll::Ready(Err(fault)) => this.faulted(&fault),
        };
        // A streaming body has a hold on them of its own; otherwise the call has ended now, whoever keeps this future.
        this.info.belongings = Belongings::default();
        this.span = ActiveSpan::none();
        Poll::Ready(response)
    }
}

impl Calling {
    /// Written where it stays: request and call are large, and each move of them is a copy.
    #[inline]
    fn boxed(instance: &Arc<Instance>, lane: Lane, request: Request<Body>, mut info: CallInfo) -> Pin<Box<Self>> {
        let span = instance.provider.handling(lane, &request, &mut info);
        let mut room = Box::<Self>::new_uninit();
        let calling = room.as_mut_ptr();
        // SAFETY: every field is written once, in memory that is theirs.
        let calling = unsafe {
            (&raw mut (*calling).state).write(State::New(request));
            (&raw mut (*calling).info).write(info);
            (&raw mut (*calling).instance).write(Arc::clone(instance));
            (&raw mut (*calling).lane).write(lane);
            (&raw mut (*calling).is_counted).write(true);
            (&raw mut (*calling).watch).write(GateWatch::default());
            (&raw mut (*calling).span).write(span);
            room.assume_init()
        };
        Box::into_pin(calling)
    }

    #[inline]
    fn answer(&mut self, response: Response<Incoming>) -> Response<Body> {
        let standing = &self.instance.standing;
        if response.status().is_server_error() {
            standing.errors.fetch_add(1, Ordering::Relaxed);
            self.span.fail("failed");
        }
        say_grpc_status(&mut self.span, response.headers());
        let (parts, body) = response.into_parts();
        let body = match body {
            Incoming::Empty => Body::empty(),
            Incoming::Full(Some(bytes)) => Body::full(bytes),
            stream => Body::new(ModuleBody {
                body: Some(stream),
                standing: standing.clone(),
                info: self.info.clone(),
                _in_flight: std::mem::take(&mut self.is_counted).then(|| InFlight::taken_over(standing)),
                watch: GateWatch::default(),
                span: std::mem::replace(&mut self.span, ActiveSpan::none()),
            }),
        };
        Response::from_parts(parts, body)
    }

    #[cold]
    fn faulted(&mut self, fault: &Fault) -> Response<Body> {
        self.span.fail(fault.code.name());
        self.instance.standing.errors.fetch_add(1, Ordering::Relaxed);
        let kind = match fault.code {
            FaultCode::PANICKED => ErrorKind::Panicked,
            FaultCode::INVALID => ErrorKind::BadRequest,
            FaultCode::STOPPED => ErrorKind::Stopped,
            FaultCode::DEADLINE => ErrorKind::Deadline,
            _ => ErrorKind::Internal,
        };
        tracing::warn!(
            module.id = self.instance.standing.who.module,
            module.instance = self.instance.standing.who.instance,
            request.id = %self.info.request_id,
            fault.code = fault.code.name(),
            error = %fault,
            "a call failed in the module"
        );
        self.failure(kind, "the module failed to answer; the log has more under this request id")
    }

    fn failure(&self, kind: ErrorKind, detail: &str) -> Response<Body> {
        Problem::response(kind, detail, &self.info.request_id, self.lane == Lane::Grpc)
    }

    #[cold]
    fn end_span(&mut self, kind: ErrorKind) {
        self.span.fail(kind.row().title);
        self.span = ActiveSpan::none();
    }

    /// Drops what is left, as a visit.
    fn end(&mut self) {
        if matches!(self.state, State::Pending(_)) {
            let visit = current::visit(&self.instance.standing, Some(&self.info), None);
            self.state = State::Done;
            drop(visit);
        }
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        if matches!(self.state, State::Pending(_)) && self.info.deadline.is_some_and(|at| at <= Instant::now()) {
            self.instance.standing.late();
        }
        if matches!(self.state, State::Pending(_)) {
            self.span.fail("cancelled");
        }
        self.end();
        self.watch.end(&self.instance.standing);
        if self.is_counted {
            self.instance.standing.leave();
        }
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

#[inline]
fn view(info: &CallInfo) -> View<'_> {
    View {
        trace_id: &info.trace_id,
        span_id: &info.span_id,
        trace_flags: info.trace_flags,
        token: 0,
        deadline: info.deadline.into(),
        request_id: info.request_id.as_bytes(),
        caller: info.caller.as_deref().unwrap_or_default().as_bytes(),
        peer: info.peer,
        principal: info.principal.wire(),
    }
}

/// A streaming response body: every poll is a visit, and it keeps the call in flight.
struct ModuleBody {
    body: Option<Incoming>,
    standing: Arc<Standing>,
    info: CallInfo,
    _in_flight: Option<InFlight>,
    watch: GateWatch,
    span: ActiveSpan,
}

impl HttpBody for ModuleBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Some((kind, why)) = ended_by(&this.standing) {
            this.span.fail(kind.row().title);
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
                this.span.fail(fault.code.name());
                this.end();
                Poll::Ready(Some(Err(Box::new(fault))))
            }
            Poll::Ready(frame) => {
                if let Some(Ok(frame)) = &frame
                    && let Some(trailers) = frame.trailers_ref()
                {
                    say_grpc_status(&mut this.span, trailers);
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
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
            self.info.belongings = Belongings::default();
        }
    }
}

impl Drop for ModuleBody {
    fn drop(&mut self) {
        self.end();
        self.watch.end(&self.standing);
    }
}

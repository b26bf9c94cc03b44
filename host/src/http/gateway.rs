//! The way of a request, from its head to the answer of a module.

mod admit;
mod calling;
mod clock;
mod glimpse;
pub mod limits;
mod make;
pub mod proxies;
mod target;
pub(crate) mod trace;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use bytes::Bytes;
use http::header::ALLOW;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;

pub(crate) use self::clock::Clock;
use self::glimpse::{Glimpse, Media};
pub use self::limits::Limits;
pub use self::proxies::TrustedProxies;
pub(crate) use self::target::strip as strip_target;
use super::body::{Body, BoxError};
use super::cors::{Allowed, Cors};
use super::inbound::{BodyLimits, Inbound, Phase, Progress};
use super::outbound::{OnResponse, Record, Served, ServedBody};
use super::problem::{ErrorKind, Problem, Wire};
use super::request_id::RequestId;
use super::routes::{Found, RouteTable, Routes};
use super::shield::Shield;
use crate::domain::route::Lane;
use crate::modules::endpoint::{CallInfo, Responding};
use crate::security::denials::OnDenied;
use crate::security::{CallTokens, Gatekeeper, Principal, RateLimits};
use crate::telemetry::Tracer;

/// `x-request-id`.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Something the host serves itself: probes, metrics, gRPC health, the admin API. Asked when no route of a
/// module matches, and never behind the [`Gatekeeper`]: what must not be public belongs on another listener.
pub trait Local: Send + Sync + 'static {
    /// Takes a request, or gives it back.
    ///
    /// # Errors
    /// The request, when the path is not one of its own.
    fn call(&self, request: Request<Body>) -> Result<Responding, Box<Request<Body>>>;
}

/// Takes the requests of one listener. Cheap to share; made with [`Gateway::new`] and the `with_` functions.
pub struct Gateway {
    routes: Arc<Routes>,
    locals: Vec<Arc<dyn Local>>,
    gatekeeper: Arc<dyn Gatekeeper>,
    rates: Arc<RateLimits>,
    denied: Option<Arc<dyn OnDenied>>,
    cors: Option<Cors>,
    shield: Shield,
    /// Routes of the host itself that have policies, such as the admin API.
    own: RouteTable,
    calls: Option<Arc<CallTokens>>,
    observer: Option<Arc<dyn OnResponse>>,
    tracer: Tracer,
    proxies: TrustedProxies,
    pub(super) limits: Limits,
    in_flight: AtomicUsize,
}

/// What stops a request on its way.
pub(crate) struct Refusal {
    pub(crate) kind: ErrorKind,
    pub(crate) detail: String,
    /// Further header fields of the answer.
    pub(crate) fields: Vec<(HeaderName, HeaderValue)>,
}

/// The way of one connection into the gateway. Every call under way holds it, so that its connection can tell
/// whether it is idle.
pub(super) struct Door {
    pub(super) gateway: Arc<Gateway>,
    calls: AtomicU64,
}

/// What is known of a request besides its head and body.
struct Call {
    info: CallInfo,
    media: Media,
    clock: Clock,
}

impl Gateway {
    /// Requests whose response has not ended.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn message_bytes(&self) -> u64 {
        self.limits.message_bytes
    }

    pub(super) fn entered(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn left(&self, served: &Served<'_>) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        if let Some(observer) = &self.observer {
            observer.served(served);
        }
    }

    /// Answers one request. Dropping the future drops the module's work on it. Servers do this for each request of
    /// a connection; a test can do it without one.
    pub async fn handle<B>(self: Arc<Self>, request: Request<B>, peer: Option<SocketAddr>) -> Response<ServedBody>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        Arc::new(Door::new(self)).handle(request, peer).await
    }

    async fn answer<B>(
        &self,
        mut head: Parts,
        body: B,
        mut call: Call,
        record: &mut Record,
        wire: &mut Wire,
    ) -> Result<Response<Body>, Refusal>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        self.count_address(&head, &call.info)?;
        if let Some(answer) = self.cors.as_ref().and_then(|cors| cors.preflight(&head)) {
            return Ok(answer);
        }
        if head.headers.len() > self.limits.header_count {
            let detail = format!(
                "found {} header fields, expected at most {}",
                head.headers.len(),
                self.limits.header_count
            );
            return Err(Refusal::new(ErrorKind::HeaderTooLarge, detail));
        }
        let entry = match self.find(&head, call.media, wire)? {
            Found::Route(entry) => entry,
            other => return self.unrouted(other, head, body, call, *wire).await,
        };
        record.lane = entry.lane;
        record.entry = Some(Arc::clone(&entry));
        call.info.principal = match self.admit(&mut head, &entry, &call.info).await {
            Ok(principal) => principal,
            Err(refusal) if entry.hidden && matches!(refusal.kind, ErrorKind::Unauthenticated | ErrorKind::Forbidden) => {
                let in_sight = self.routes.load().in_sight(&head.method, head.uri.path());
                return self.unrouted(in_sight, head, body, call, *wire).await;
            }
            Err(refusal) => return Err(refusal),
        };
        record.rate = self.count_caller(&head, &entry, &call.info).await?;
        let body = self.inbound(body, &call, *wire)?;
        if *wire == Wire::Connect {
            return crate::grpc::connect::serve(self, &entry, head, body, call.info, &call.clock, call.media == Media::Json).await;
        }
        self.call_module(entry, head, body, call).await
    }

    /// Answers what no route takes, or none that the caller may know of.
    async fn unrouted<B>(&self, found: Found, head: Parts, body: B, call: Call, wire: Wire) -> Result<Response<Body>, Refusal>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        match found {
            Found::Options(allow) => Ok(no_content(Some(allow))),
            Found::WrongMethod(allow) => {
                let detail = format!(
                    "found method {}, expected one of: {}",
                    head.method,
                    allow.to_str().unwrap_or_default()
                );
                Err(Refusal::new(ErrorKind::MethodNotAllowed, detail).with(ALLOW, allow))
            }
            Found::Nothing | Found::Route(_) => self.local(head, body, call, wire).await,
        }
    }

    /// Looks the route up, and finds out in which language the client wants its errors.
    fn find(&self, head: &Parts, media: Media, wire: &mut Wire) -> Result<Found, Refusal> {
        let path = head.uri.path();
        if media == Media::Grpc {
            if head.method != Method::POST {
                return Ok(Found::WrongMethod(HeaderValue::from_static("POST")));
            }
            return Ok(self.routes.load().grpc(path).cloned().map_or(Found::Nothing, Found::Route));
        }
        if *head.method.as_str() == *"CONNECT" {
            return Err(Refusal::new(ErrorKind::NotImplemented, "this host is not a proxy"));
        }
        if path == "*" {
            let allow = HeaderValue::from_static("GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE");
            return Ok(if head.method == Method::OPTIONS {
                Found::Options(allow)
            } else {
                Found::Nothing
            });
        }
        if target::has_dot_segment(path) {
            return Err(Refusal::new(
                ErrorKind::BadRequest,
                "found a `.` or `..` segment in the path, expected a path without",
            ));
        }
        let table = self.routes.load();
        match table.http(&head.method, path) {
            Found::Nothing => {}
            found => return Ok(found),
        }
        let Some(entry) = table.grpc(path) else {
            return Ok(self.own.http(&head.method, path));
        };
        let post = HeaderValue::from_static("POST");
        match (media, &head.method) {
            (_, &Method::OPTIONS) => Ok(Found::Options(HeaderValue::from_static("OPTIONS, POST"))),
            (_, method) if *method != Method::POST => Ok(Found::WrongMethod(post)),
            (Media::Json | Media::Proto, _) => {
                *wire = Wire::Connect;
                Ok(Found::Route(Arc::clone(entry)))
            }
            _ => Err(Refusal::new(
                ErrorKind::UnsupportedMediaType,
                "this is a gRPC method, expected content-type application/grpc, application/proto or application/json",
            )),
        }
    }

    /// Header fields of the host's own, where the module has not set them.
    fn finish(&self, fields: &mut HeaderMap, wire: Wire, page: Option<Allowed>, record: &Record) {
        if let Some(rate) = &record.rate {
            rate.write(fields);
        }
        if let Some(cors) = &self.cors {
            cors.mark(page, fields);
        }
        if wire != Wire::Grpc {
            self.shield.write(fields);
        }
    }

    /// Puts the limits around a body. Streams of gRPC have no size or pace of their own: each message has.
    fn inbound<B>(&self, body: B, call: &Call, wire: Wire) -> Result<Body, Refusal>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        let Some(progress) = &call.clock.progress else {
            return Ok(Body::empty());
        };
        let limits = match wire {
            Wire::Http => BodyLimits {
                bytes: self.limits.body_bytes,
                pace: self.limits.body_pace,
            },
            Wire::Connect => BodyLimits {
                bytes: self.limits.message_bytes.min(self.limits.body_bytes),
                pace: self.limits.body_pace,
            },
            Wire::Grpc => BodyLimits {
                bytes: u64::MAX,
                pace: None,
            },
        };
        if body.size_hint().lower() > limits.bytes {
            return Err(too_large(limits.bytes));
        }
        Ok(Body::new(Inbound::new(body, limits, Arc::clone(progress))))
    }

    async fn local<B>(&self, head: Parts, body: B, call: Call, wire: Wire) -> Result<Response<Body>, Refusal>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        let mut request = Request::from_parts(head, self.inbound(body, &call, wire)?);
        for local in &self.locals {
            match local.call(request) {
                Ok(responding) => return Ok(trace::untraced(responding.await)),
                Err(back) => request = *back,
            }
        }
        let detail = match wire {
            Wire::Grpc => "no module serves this gRPC method",
            _ => "no module serves this path",
        };
        Err(Refusal::new(ErrorKind::NotFound, detail))
    }

    /// What the client did wrong with its body while the module worked, if anything.
    fn fault_of_client(&self, clock: &Clock) -> Option<Refusal> {
        match clock.progress.as_ref()?.phase() {
            Phase::Flowing | Phase::Waiting => None,
            Phase::TooLarge => Some(too_large(self.limits.body_bytes)),
            Phase::TooSlow => Some(Refusal::new(ErrorKind::RequestTimeout, "the request body arrived too slowly")),
        }
    }
}

impl Door {
    pub(super) fn new(gateway: Arc<Gateway>) -> Self {
        Self {
            gateway,
            calls: AtomicU64::new(0),
        }
    }

    /// Calls since the connection began.
    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(super) async fn handle<B>(self: Arc<Self>, request: Request<B>, peer: Option<SocketAddr>) -> Response<ServedBody>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let gateway = &*self.gateway;
        let started = Instant::now();
        let (mut head, body) = request.into_parts();
        let trusted = peer.is_some_and(|peer| gateway.proxies.trusts(peer.ip()));
        let glimpse = Glimpse::of(&head.headers, trusted);
        let carried = gateway.calls.as_ref().and_then(|calls| glimpse.carried(calls, &head));
        let known = carried.as_ref().and_then(|carried| carried.as_ref().ok());
        let (caller, belongings) = known.map(|carried| carried.above()).unwrap_or_default();
        let request_id = known
            .and_then(|carried| carried.request_id)
            .or(glimpse.request_id)
            .unwrap_or_else(RequestId::random);
        let (trace, span) = gateway.begin(glimpse.traceparent);
        let peer = match known {
            // The listener's peer is this host itself.
            Some(carried) => carried.peer,
            None if trusted => gateway.proxies.client(peer, &head.headers),
            None => peer,
        };
        glimpse.clean(&mut head.headers, trusted);
        let page = gateway.cors.as_ref().and_then(|cors| cors.allowed(&head.headers));
        if let Some(carried) = carried {
            head.extensions.insert(carried);
        }

        let mut record = Record::new(Arc::clone(&self), started, head.method.clone(), request_id, trace.trace_id, span);
        let explicit = glimpse.timeout.and_then(|timeout| started.checked_add(timeout));
        let progress = (!body.is_end_stream()).then(|| Arc::new(Progress::new(started)));
        let clock = Clock {
            explicit,
            patience: gateway.limits.request_timeout,
            started,
            progress,
        };
        let info = CallInfo {
            request_id,
            trace_id: trace.trace_id,
            span_id: trace.span_id,
            trace_flags: trace.flags,
            peer,
            deadline: clock.deadline_for_module(),
            deadline_is_named: explicit.is_some(),
            caller,
            principal: Principal::Anonymous,
            belongings,
        };
        let call = Call {
            info,
            media: glimpse.media,
            clock,
        };
        let mut wire = Wire::Http;
        if call.media == Media::Grpc {
            wire = Wire::Grpc;
            record.lane = Lane::Grpc;
        }
        let outcome = if glimpse.upgrade {
            Err(Refusal::new(ErrorKind::NotImplemented, "this host does not upgrade connections"))
        } else {
            gateway.answer(head, body, call, &mut record, &mut wire).await
        };
        let mut response = outcome.unwrap_or_else(|refusal| refusal.into_response(&request_id, wire));
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert(X_REQUEST_ID, value);
        }
        gateway.finish(response.headers_mut(), wire, page, &record);
        let deadline = if wire == Wire::Grpc { explicit } else { None };
        ServedBody::wrap(response, record, deadline)
    }
}

impl Refusal {
    pub(crate) fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            fields: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.fields.push((name, value));
        self
    }

    fn into_response(self, request_id: &RequestId, wire: Wire) -> Response<Body> {
        let mut response = Problem::on(self.kind, &self.detail, request_id, wire);
        for (name, value) in self.fields {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

fn no_content(allow: Option<HeaderValue>) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Some(allow) = allow {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

fn too_large(limit: u64) -> Refusal {
    Refusal::new(
        ErrorKind::BodyTooLarge,
        format!("found a request body of more than {limit} bytes, expected at most that many"),
    )
}

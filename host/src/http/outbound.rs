//! The body of a response on its way out, and the record that is written when it has ended.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Sleep;

use super::body::{Body, BoxError};
use super::gateway::Door;
use super::gateway::trace::{Untraced, describe};
use super::problem::{ErrorKind, GRPC_STATUS, GrpcCode, write_grpc_status};
use super::request_id::RequestId;
use super::routes::Entry;
use crate::domain::route::Lane;
use crate::security::rates::RateFields;
use crate::telemetry::ActiveSpan;

/// Status in the record of a call whose client left before a response began.
pub const CLIENT_LEFT: u16 = 499;

/// One finished call, for metrics. The same data goes to the log as an event of target `wharf::access`.
#[derive(Debug)]
#[non_exhaustive]
pub struct Served<'a> {
    /// Module that served it; none when no route matched or the host answered.
    pub module: Option<&'a str>,
    /// Path template with the prefix (`http.route`), never the path itself.
    pub route: Option<&'a str>,
    /// Request method.
    pub method: &'a Method,
    /// Which of the module's services.
    pub lane: Lane,
    /// HTTP status; [`CLIENT_LEFT`] when the client left before a response began.
    pub status: u16,
    /// gRPC status, if the answer had one.
    pub grpc_status: Option<i32>,
    /// From the request head to the end of the response body.
    pub duration: Duration,
    /// The kind of failure, when the host made the answer.
    pub error: Option<ErrorKind>,
    /// Whether the body reached its end; false when the client left or the body failed.
    pub complete: bool,
    /// Request id.
    pub request_id: &'a str,
    /// W3C trace id.
    pub trace_id: [u8; 16],
}

/// Gets each finished call. Called from the task of the connection: be quick.
pub trait OnResponse: Send + Sync + 'static {
    /// A call has ended.
    fn served(&self, served: &Served<'_>);
}

impl<F: Fn(&Served<'_>) + Send + Sync + 'static> OnResponse for F {
    fn served(&self, served: &Served<'_>) {
        self(served);
    }
}

/// A response body that ends the record of its call.
#[derive(Debug)]
pub struct ServedBody {
    body: Body,
    deadline: Option<Pin<Box<Sleep>>>,
    /// Bytes still to come, where that is known: hyper does not ask for the end of such a body.
    left: Option<u64>,
    record: Record,
}

/// The record of one call under way. Dropping it writes it, however the call ended.
pub(super) struct Record {
    door: Arc<Door>,
    started: Instant,
    method: Method,
    pub(super) request_id: RequestId,
    pub(super) trace_id: [u8; 16],
    span: ActiveSpan,
    pub(super) lane: Lane,
    pub(super) entry: Option<Arc<Entry>>,
    /// What the client is told of its rate class.
    pub(super) rate: Option<RateFields>,
    status: u16,
    grpc_status: Option<i32>,
    error: Option<ErrorKind>,
    complete: bool,
}

impl ServedBody {
    /// Wraps a response. With a `deadline` the stream of a gRPC call is ended by it with status 4.
    pub(super) fn wrap(response: Response<Body>, mut record: Record, deadline: Option<Instant>) -> Response<Self> {
        record.status = response.status().as_u16();
        record.error = response.extensions().get::<ErrorKind>().copied();
        if response.extensions().get::<Untraced>().is_some() {
            std::mem::replace(&mut record.span, ActiveSpan::none()).discard();
        }
        if record.lane == Lane::Grpc {
            let of_connect = || response.extensions().get::<GrpcCode>().map(|code| code.0);
            record.grpc_status = grpc_status_of(response.headers()).or_else(of_connect);
        }
        let over = response.body().is_end_stream() || record.method == Method::HEAD;
        record.complete = over;
        let deadline = deadline.filter(|_| !over).map(|at| Box::pin(tokio::time::sleep_until(at.into())));
        let left = response.body().size_hint().exact().or_else(|| content_length(response.headers()));
        response.map(|body| Self {
            body,
            deadline,
            left,
            record,
        })
    }

    /// Keeps what the record has to say about a frame.
    fn note(&mut self, frame: &Option<Result<Frame<Bytes>, BoxError>>) {
        let record = &mut self.record;
        match frame {
            None => record.complete = true,
            Some(Err(_)) => record.error = record.error.or(Some(ErrorKind::Internal)),
            Some(Ok(frame)) => match frame.data_ref() {
                Some(data) => {
                    self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
                    record.complete = self.left == Some(0) || self.body.is_end_stream();
                }
                None => {
                    record.grpc_status = frame.trailers_ref().and_then(grpc_status_of).or(record.grpc_status);
                    record.complete = true;
                }
            },
        }
    }

    /// Ends a gRPC stream with trailers of the host's own.
    fn end_with(&mut self, kind: ErrorKind, message: &str) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.body = Body::empty();
        self.deadline = None;
        self.record.grpc_status = Some(kind.row().grpc);
        self.record.error = Some(kind);
        let mut trailers = HeaderMap::new();
        write_grpc_status(&mut trailers, kind.row().grpc, message);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }
}

impl HttpBody for ServedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            return self.end_with(ErrorKind::Deadline, "deadline exceeded");
        }
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Err(error))) if self.record.lane == Lane::Grpc => {
                tracing::warn!(target: "wharf::http", { request.id = %self.record.request_id, error = %error }, "response stream failed");
                self.end_with(ErrorKind::Internal, "the response stream failed")
            }
            Poll::Ready(frame) => {
                self.note(&frame);
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Record {
    pub(super) fn new(
        door: Arc<Door>,
        started: Instant,
        method: Method,
        request_id: RequestId,
        trace_id: [u8; 16],
        span: ActiveSpan,
    ) -> Self {
        door.gateway.entered();
        Self {
            door,
            started,
            method,
            request_id,
            trace_id,
            span,
            lane: Lane::Http,
            entry: None,
            rate: None,
            status: CLIENT_LEFT,
            grpc_status: None,
            error: None,
            complete: false,
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let served = Served {
            module: self.entry.as_ref().map(|entry| &*entry.module),
            route: self.entry.as_ref().map(|entry| &*entry.template),
            method: &self.method,
            lane: self.lane,
            status: self.status,
            grpc_status: self.grpc_status,
            duration: self.started.elapsed(),
            error: self.error,
            complete: self.complete,
            request_id: &self.request_id,
            trace_id: self.trace_id,
        };
        log(&served);
        describe(&mut self.span, &served);
        self.door.gateway.left(&served);
    }
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record")
            .field("request_id", &self.request_id)
            .field("entry", &self.entry)
            .finish_non_exhaustive()
    }
}

fn log(served: &Served<'_>) {
    tracing::info!(
        target: "wharf::access",
        {
        request.id = served.request_id,
        trace.id = %format_args!("{:032x}", u128::from_be_bytes(served.trace_id)),
        module.id = served.module,
        http.route = served.route,
        http.request.method = served.method.as_str(),
        http.response.status_code = served.status,
        grpc.status = served.grpc_status,
        error = served.error.map(|kind| kind.row().title),
        complete = served.complete,
        duration_ms = served.duration.as_secs_f64() * 1e3
        },
        "request served"
    );
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn grpc_status_of(headers: &HeaderMap) -> Option<i32> {
    headers.get(GRPC_STATUS)?.to_str().ok()?.parse().ok()
}

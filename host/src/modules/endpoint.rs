//! What the listener sees of a module: something that takes a request.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Instant;

use http::{Request, Response};

use super::belongings::Belongings;
use crate::domain::route::Lane;
use crate::http::body::Body;
use crate::http::request_id::RequestId;
use crate::security::Principal;
use crate::telemetry::TraceContext;

/// What the host knows of a call beside the request itself.
#[derive(Clone, Debug)]
pub struct CallInfo {
    /// Request id: taken from a trusted proxy or made here. At most 64 visible ASCII characters.
    pub request_id: RequestId,
    /// W3C trace id, 16 bytes, all zero when there is none.
    pub trace_id: [u8; 16],
    /// W3C parent span id for the callee.
    pub span_id: [u8; 8],
    /// W3C trace flags.
    pub trace_flags: u8,
    /// Address of the peer, after trusted proxies.
    pub peer: Option<SocketAddr>,
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
    /// Whether a caller named the deadline, which then holds for the whole call. Otherwise it is the host's own patience, which
    /// ends when the response begins.
    pub deadline_is_named: bool,
    /// Module that calls, for calls from module to module.
    pub caller: Option<String>,
    /// Who is calling: from outside, or whoever the calling module acts for.
    pub principal: Principal,
    /// What core services keep for it until it has ended.
    pub belongings: Belongings,
}

impl CallInfo {
    /// Where in its trace the call is.
    #[inline]
    #[must_use]
    pub const fn context(&self) -> TraceContext {
        TraceContext {
            trace_id: self.trace_id,
            span_id: self.span_id,
            flags: self.trace_flags,
        }
    }

    /// Puts it below a span.
    #[inline]
    pub fn set_context(&mut self, context: TraceContext) {
        self.trace_id = context.trace_id;
        self.span_id = context.span_id;
        self.trace_flags = context.flags;
    }
}

/// Why an endpoint did not take a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusedBecause {
    /// This instance drains: look in the route table again.
    Draining,
    /// Too many calls in flight in this module.
    Busy,
    /// Not running, or quarantined.
    Unavailable,
}

/// A request that was not taken, given back whole.
pub struct Refused {
    /// The request, untouched.
    pub request: Request<Body>,
    /// Why.
    pub because: RefusedBecause,
}

/// A response to come. Dropping it ends the module's work on the call.
pub type Responding = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// A module instance behind its drain gate.
pub trait Endpoint: Send + Sync + 'static {
    /// Takes a request, or gives it back at once. The call counts as in flight until the response body has
    /// ended or was dropped. The response carries module failures already as problem+json or gRPC status.
    ///
    /// # Errors
    /// [`Refused`] with the request, when the gate is closed.
    fn call(&self, lane: Lane, request: Request<Body>, info: CallInfo) -> Result<Responding, Box<Refused>>;
}

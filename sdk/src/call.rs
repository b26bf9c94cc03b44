//! The call a handler works on.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Instant;

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::bridge::scope::{self, CallScope};
use crate::principal::Principal;

/// What the host knows of the current call. An extractor: `async fn show(call: Call) -> ...`.
///
/// Only inside a handler's own future; a spawned task takes it along by value.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// Id of the request, also in the log and in the `x-request-id` header of the response.
    pub request_id: String,
    /// W3C trace id in hex, if there is a trace.
    pub trace_id: Option<String>,
    /// Address of the client, after trusted proxies.
    pub peer: Option<SocketAddr>,
    /// The module that calls, if it is not a client from outside.
    pub caller: Option<String>,
    /// Who is calling; none: anybody.
    pub principal: Option<Principal>,
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
}

impl Call {
    /// The call that is being handled now, if any. Events and runs of jobs are none.
    #[must_use]
    pub fn current() -> Option<Self> {
        scope::current_call(|call| {
            if call.is_own {
                return None;
            }
            let context = call.context.copy();
            Some(Self {
                request_id: context.request_id.as_str().to_owned(),
                trace_id: (context.trace_id != [0; 16])
                    .then(|| u128::from_be_bytes(context.trace_id))
                    .map(|id| format!("{id:032x}")),
                peer: context.peer,
                caller: Some(context.caller.as_str()).filter(|caller| !caller.is_empty()).map(str::to_owned),
                principal: Principal::read(call.context.principal()),
                deadline: context.deadline.instant(),
            })
        })
        .flatten()
    }
}

impl<S: Sync> FromRequestParts<S> for Call {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::current().unwrap_or_default())
    }
}

/// W3C trace context of a call, if it has a trace.
pub(crate) fn traceparent(call: &CallScope) -> Option<String> {
    let context = call.context.copy();
    let (trace, span) = (u128::from_be_bytes(context.trace_id), u64::from_be_bytes(context.span_id));
    (trace != 0).then(|| format!("00-{trace:032x}-{span:016x}-{:02x}", context.trace_flags))
}

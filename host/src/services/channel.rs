//! `channel`: from a module to another module, in process or over the loopback.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use http::{Request, Response};
use wharf_bridge::{Context, Incoming, Received, Serve};
use wharf_plugin_api::abi_stable::sabi_trait::TD_Opaque;
use wharf_plugin_api::abi_stable::std_types::{RArc, RResult, RStr};
use wharf_plugin_api::http::FfiService;
use wharf_plugin_api::services::channel::{Behalf, Channel, Channel_TO, ChannelRef};
use wharf_plugin_api::{Fault, FaultCode, guard};

use super::Inner;
use super::entered::{Entered, EnteredBody};
use crate::http::body::Body;
use crate::http::gateway::trace::say_grpc_status;
use crate::http::request_id::{RequestId, random_u64};
use crate::modules::current;
use crate::modules::endpoint::{CallInfo, Responding};
use crate::ports::traces::SpanKind;
use crate::security::Principal;
use crate::telemetry::{ActiveSpan, TraceContext};

/// The way to other modules.
pub trait Channels: Send + Sync + 'static {
    /// Calls `module` with a gRPC request. Whatever goes wrong is a response with a gRPC status.
    fn call(&self, module: &str, request: Request<Body>, info: CallInfo) -> Responding;
}

#[derive(Clone)]
struct Opener(Arc<Inner>);

pub(super) fn object(inner: &Arc<Inner>) -> ChannelRef {
    Channel_TO::from_ptr(RArc::new(Opener(inner.clone())), TD_Opaque)
}

impl Channel for Opener {
    fn open(&self, module: RStr<'_>, behalf: Behalf) -> RResult<FfiService, Fault> {
        guard(|| {
            if !self.0.manifest.modules.contains_key(module.as_str()) {
                return Err(Fault::new(
                    FaultCode::UNDECLARED,
                    format!(
                        "module {module} is not declared; add `{module} = \"^1\"` with the range you need under [modules] in wharf.toml"
                    ),
                ));
            }
            if behalf != Behalf::CALLER && behalf != Behalf::OWN {
                return Err(Fault::new(
                    FaultCode::UNSUPPORTED,
                    format!("this host knows no identity {} to call with", behalf.0),
                ));
            }
            Ok(wharf_bridge::export(Arc::new(Outlet {
                inner: self.0.clone(),
                callee: module.as_str().to_owned(),
                behalf,
            })))
        })
        .unwrap_or_else(Err)
        .into()
    }
}

/// Takes the calls of one module to one other.
struct Outlet {
    inner: Arc<Inner>,
    callee: String,
    behalf: Behalf,
}

/// A response to come, in the form the bridge wants.
struct Answer(Responding);

impl Future for Answer {
    type Output = Response<Body>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Response<Body>> {
        self.0.as_mut().poll(cx)
    }
}

impl Serve for Outlet {
    type RequestBody = Body;
    type Body = Body;
    type Future = Answer;
    type Call = CallerContext;

    fn begin(self: &Arc<Self>, context: Received) -> CallerContext {
        CallerContext(context)
    }

    fn body(incoming: Incoming) -> Body {
        match incoming {
            Incoming::Empty => Body::empty(),
            Incoming::Full(Some(bytes)) => Body::full(bytes),
            stream => Body::new(stream),
        }
    }

    fn call(&self, caller: &CallerContext, _lane: u8, request: Request<Body>) -> Answer {
        let mut info = self.info(&caller.0.copy());
        if self.inner.standing.is_retired() {
            let request_id = info.request_id;
            return Answer(Box::pin(async move {
                crate::http::problem::Problem::response(
                    crate::http::problem::ErrorKind::Stopped,
                    "the calling instance was stopped",
                    &request_id,
                    true,
                )
            }));
        }
        let mut span = self.span(&info, request.uri().path());
        if let Some(context) = span.context() {
            info.set_context(context);
        }
        let runtime = self.inner.shared.runtime.clone();
        let answer = {
            let _entered = runtime.enter();
            self.inner.shared.channels.call(&self.callee, request, info)
        };
        // A task of the module may wait for it on a thread of the module's own runtime.
        let answer = Entered::new(runtime.clone(), answer);
        Answer(Box::pin(async move {
            span.fail("cancelled");
            let response = answer.await;
            span.succeed();
            say_grpc_status(&mut span, response.headers());
            response.map(|body| Body::new(EnteredBody::new(runtime, body, span)))
        }))
    }
}

impl Outlet {
    /// In the caller's name: whoever the call that runs on this thread came from. In its own: the module, with what its
    /// manifest asks for.
    fn principal(&self) -> Principal {
        if self.behalf == Behalf::OWN {
            return self.inner.own_principal();
        }
        current::with(|_, call| call.map(|call| call.principal.clone())).unwrap_or_default()
    }

    /// The call as its caller sees it.
    fn span(&self, info: &CallInfo, path: &str) -> ActiveSpan {
        if !self.inner.shared.log.tracer().is_on() {
            return ActiveSpan::none();
        }
        let mut span = self.inner.span_in(Some(info.context()), SpanKind::Client, "call");
        if span.is_recorded() {
            let name = path.trim_start_matches('/').to_owned();
            let (service, method) = name.rsplit_once('/').unwrap_or((&name, ""));
            span.set("rpc.system", "grpc");
            span.set("rpc.service", service.to_owned());
            span.set("rpc.method", method.to_owned());
            span.set("wharf.callee", self.callee.clone());
            span.rename(name);
        }
        span
    }

    /// Where the call belongs: to what the module works on here, unless it says otherwise, as a task does that took its call along.
    fn place(&self, context: &Context) -> TraceContext {
        let given = TraceContext {
            trace_id: context.trace_id,
            span_id: context.span_id,
            flags: context.trace_flags,
        };
        match self.inner.context() {
            Some(here) if !given.is_some() || here.trace_id == given.trace_id => here,
            _ => given,
        }
    }

    /// What travels: the caller's request id and trace, the smaller of both deadlines. In its own name a module starts a
    /// request of its own, within the same trace.
    fn info(&self, context: &Context) -> CallInfo {
        let own = self.behalf == Behalf::OWN;
        let (inherited, deadline_is_named) =
            current::with(|_, call| call.map_or((None, false), |call| (call.deadline, call.deadline_is_named)));
        let begun = current::with(|_, call| call.map(|call| call.request_id));
        let asked = context.deadline.instant();
        let request_id = RequestId::parse(context.request_id.as_bytes())
            .or(begun)
            .filter(|_| !own)
            .unwrap_or_else(RequestId::random);
        let place = self.place(context);
        CallInfo {
            request_id,
            trace_id: place.trace_id,
            span_id: match place.span_id {
                [0, 0, 0, 0, 0, 0, 0, 0] => random_u64().to_be_bytes(),
                above => above,
            },
            trace_flags: place.flags,
            // Of the outermost call, in the module's own name too: whatever comes of a request came from there.
            peer: current::with(|_, call| call.and_then(|call| call.peer)),
            deadline: match (inherited, asked) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            },
            deadline_is_named,
            caller: Some(self.inner.standing.who.module.clone()),
            principal: self.principal(),
            belongings: current::with(|_, call| call.map(|call| call.belongings.below(&self.inner.standing.who.module)))
                .unwrap_or_default(),
        }
    }
}

/// The caller's context.
struct CallerContext(Received);

impl wharf_bridge::body::Scope for CallerContext {
    type Guard<'a> = ();

    fn enter(&self) {}

    fn keep(&mut self) {
        self.0.keep();
    }
}

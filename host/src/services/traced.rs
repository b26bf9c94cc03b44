//! What a module asks of core services, as spans below what it works on.

use http::Request;

use super::{Inner, Provider};
use crate::domain::route::Lane;
use crate::http::body::Body;
use crate::modules::endpoint::CallInfo;
use crate::ports::traces::SpanKind;
use crate::telemetry::{ActiveSpan, TraceContext};

impl Inner {
    /// Where what this instance does now, on this thread, belongs; none outside of calls, events and runs, and without a trace.
    pub(super) fn context(&self) -> Option<TraceContext> {
        let call = self.with_call(CallInfo::context).filter(TraceContext::is_some)?;
        Some(self.shared.log.tracer().innermost(&call))
    }

    /// A span of this instance, below what it works on now. Nobody takes it: nothing is looked at.
    #[inline]
    pub(super) fn span(&self, kind: SpanKind, name: &'static str) -> ActiveSpan {
        if !self.shared.log.tracer().is_on() {
            return ActiveSpan::none();
        }
        self.span_in(self.context(), kind, name)
    }

    /// The same below a place that the caller knows.
    pub(super) fn span_in(&self, context: Option<TraceContext>, kind: SpanKind, name: &'static str) -> ActiveSpan {
        let (tracer, who) = (self.shared.log.tracer(), &self.standing.who);
        match context {
            Some(context) => tracer.span(&context, kind, name).of(&who.module, who.instance),
            None => ActiveSpan::none(),
        }
    }

    /// A span that leaves work for others, and the trace context that travels with the work: that of the span, or, where nothing is
    /// recorded, that of what the instance works on. `given` counts where the instance works on nothing.
    pub(super) fn leaves(&self, name: &'static str, given: &str) -> (ActiveSpan, String) {
        let here = self.context().or_else(|| TraceContext::parse(given.as_bytes()));
        let span = self.span_in(here, SpanKind::Producer, name);
        let travels = span.context().or(here).map(|context| context.to_header());
        (span, travels.unwrap_or_default())
    }
}

impl Provider {
    /// The work of the module on a call, which goes on below it. Nobody takes spans: nothing is looked at.
    #[inline]
    pub(crate) fn handling(&self, lane: Lane, request: &Request<Body>, info: &mut CallInfo) -> ActiveSpan {
        if !self.0.shared.log.tracer().is_on() {
            return ActiveSpan::none();
        }
        self.below(info, SpanKind::Internal, || match lane {
            // The path of a method that was found: there are only so many.
            Lane::Grpc => request.uri().path().trim_start_matches('/').to_owned(),
            Lane::Http => "handle".to_owned(),
        })
    }

    /// A span of this instance below what it is about to work on; that is then below the span.
    #[cold]
    pub(crate) fn below(&self, info: &mut CallInfo, kind: SpanKind, name: impl FnOnce() -> String) -> ActiveSpan {
        let context = info.context();
        if !context.is_recorded() {
            return ActiveSpan::none();
        }
        let who = &self.0.standing.who;
        let span = self
            .0
            .shared
            .log
            .tracer()
            .span(&context, kind, name())
            .of(&who.module, who.instance);
        if let Some(context) = span.context() {
            info.set_context(context);
        }
        span
    }

    /// Where work begins that somebody left, or that nobody did: a trace of its own. Without a tracer only what came goes on.
    pub(crate) fn origin(&self, came: Option<TraceContext>) -> TraceContext {
        let tracer = self.0.shared.log.tracer();
        match came {
            Some(came) => came,
            None if tracer.is_on() => tracer.begin(),
            None => TraceContext::default(),
        }
    }
}

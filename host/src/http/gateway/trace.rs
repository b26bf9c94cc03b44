//! The span of a request: what the listener makes of the trace context that came, and what it says of the request in the end.

use std::future::Future;
use std::pin::Pin;

use http::{HeaderMap, Method, Response};

use super::Gateway;
use crate::domain::route::Lane;
use crate::http::body::Body;
use crate::http::outbound::Served;
use crate::http::problem::{GRPC_STATUS, grpc_name};
use crate::http::request_id::random_u64;
use crate::modules::endpoint::CallInfo;
use crate::ports::traces::SpanKind;
use crate::telemetry::{ActiveSpan, TraceContext, traces};

/// A response of the host itself to a request that is no work: a probe, a page. There is no trace of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Untraced;

impl Gateway {
    /// Goes on with the trace of the caller, or begins one. Without a span of this host the module's is below the caller's trace all
    /// the same, and has an id of its own in logs.
    pub(super) fn begin(&self, came: Option<TraceContext>) -> (TraceContext, ActiveSpan) {
        let above = came.unwrap_or_else(|| self.tracer.begin());
        let span = self.tracer.span(&above, SpanKind::Server, "request");
        let own = span.context().unwrap_or_else(|| TraceContext {
            span_id: random_u64().to_be_bytes(),
            ..above
        });
        (own, span)
    }

    /// A step of a request.
    pub(super) fn step(&self, info: &CallInfo, name: &'static str) -> ActiveSpan {
        if !self.tracer.is_on() {
            return ActiveSpan::none();
        }
        self.tracer.span(&info.context(), SpanKind::Internal, name)
    }

    /// Begins something whose steps are below the request.
    pub(super) fn in_request<R>(&self, info: &CallInfo, begin: impl FnOnce() -> R) -> R {
        let context = info.context();
        if !self.tracer.is_on() || !context.is_recorded() {
            return begin();
        }
        let _entered = traces::enter(&self.tracer, context);
        begin()
    }

    /// Waits for something whose steps are below the request.
    pub(super) async fn steps_of<T>(&self, info: &CallInfo, work: Pin<Box<dyn Future<Output = T> + Send>>) -> T {
        let context = info.context();
        if !self.tracer.is_on() || !context.is_recorded() {
            return work.await;
        }
        traces::Around::new(&self.tracer, context, work).await
    }
}

/// Marks the answer of something that the host serves itself.
pub(crate) fn untraced(mut answer: Response<Body>) -> Response<Body> {
    answer.extensions_mut().insert(Untraced);
    answer
}

/// What a status of gRPC says of a call, if there is one among these fields.
pub(crate) fn say_grpc_status(span: &mut ActiveSpan, fields: &HeaderMap) {
    if !span.is_recorded() {
        return;
    }
    let Some(code) = fields.get(GRPC_STATUS).and_then(|status| status.to_str().ok()?.parse::<i32>().ok()) else {
        return;
    };
    span.set("rpc.grpc.status_code", i64::from(code));
    if code != 0 {
        span.fail(grpc_name(code));
    }
}

/// What is known of a request when it has ended. Its path may say more than a trace should keep, so only the template is in it.
pub(crate) fn describe(span: &mut ActiveSpan, served: &Served<'_>) {
    if !span.is_recorded() {
        return;
    }
    let method = known(served.method);
    span.rename(match (served.lane, served.route) {
        (Lane::Grpc, Some(route)) => route.trim_start_matches('/').to_owned(),
        (Lane::Http, Some(route)) => format!("{method} {route}"),
        (_, None) => method.to_owned(),
    });
    span.set("http.request.method", method);
    span.set("http.response.status_code", i64::from(served.status));
    span.set("wharf.request.id", served.request_id.to_owned());
    if let Some(route) = served.route {
        span.set("http.route", route.to_owned());
    }
    if let Some(module) = served.module {
        span.set("wharf.module", module.to_owned());
    }
    if let Some(code) = served.grpc_status {
        span.set("rpc.system", "grpc");
        span.set("rpc.grpc.status_code", i64::from(code));
    }
    if !served.complete {
        span.set("wharf.complete", false);
    }
    let title = served.error.map(|error| error.row().title);
    if let Some(title) = title {
        span.set("error.type", title);
    }
    // What a client did wrong is no failure of ours; an answer that began well and broke off is.
    let is_broken = served.status < 400 && title.is_some() && served.grpc_status.is_none();
    if served.status >= 500 || served.grpc_status.is_some_and(is_fault) || is_broken {
        span.fail(title.unwrap_or("failed"));
    }
}

/// Methods that are no standard have one name, so that a client cannot invent names of spans.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}

/// Statuses of gRPC that are a fault of the server: unknown, deadline exceeded, unimplemented, internal, unavailable, data loss.
const fn is_fault(code: i32) -> bool {
    matches!(code, 2 | 4 | 12 | 13 | 14 | 15)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::http::routes::Routes;
    use crate::ports::traces::RecentTraces;
    use crate::telemetry::Tracer;

    #[test]
    fn a_call_without_trace_starts_one_and_one_with_goes_on_with_it() {
        let gateway = Gateway::new(Arc::new(Routes::new()));
        let (one, span) = gateway.begin(None);
        assert!(one.is_some() && !one.is_recorded() && !span.is_recorded());
        assert_ne!(one, gateway.begin(None).0);
        let came = TraceContext {
            trace_id: [1; 16],
            span_id: [2; 8],
            flags: 1,
        };
        let (own, _) = gateway.begin(Some(came));
        assert!(own.trace_id == came.trace_id && own.flags == 1 && own.span_id != came.span_id);
        let recording = gateway.with_tracer(Tracer::new(1.0, vec![Arc::new(RecentTraces::new(1))]));
        let (own, span) = recording.begin(Some(came));
        assert_eq!(Some(own), span.context());
    }
}

//! Steps of a request inside the host, made where they happen by code that knows of no request.
//!
//! Whoever has the span of the request goes into it on this thread; what runs then may open steps below it. Elsewhere a step is nothing,
//! for the price of a look at a variable of the thread.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{ActiveSpan, TraceContext, Tracer};
use crate::ports::traces::SpanKind;

thread_local! {
    static HERE: RefCell<Option<(Tracer, TraceContext)>> = const { RefCell::new(None) };
}

/// Goes into a span on this thread, until the guard is dropped.
pub(crate) fn enter(tracer: &Tracer, context: TraceContext) -> Entered {
    Entered(HERE.with(|here| here.replace(Some((tracer.clone(), context)))))
}

/// A step of the request that this thread works on; nothing when it works on none that is recorded.
pub(crate) fn step(name: &'static str) -> ActiveSpan {
    HERE.with(|here| match &*here.borrow() {
        None => ActiveSpan::none(),
        Some((tracer, context)) => tracer.span(context, SpanKind::Internal, name),
    })
}

/// Restores what was before.
#[must_use = "dropping it leaves the span"]
pub(crate) struct Entered(Option<(Tracer, TraceContext)>);

impl Drop for Entered {
    fn drop(&mut self) {
        HERE.with(|here| here.replace(self.0.take()));
    }
}

/// A future that is inside a span in every poll.
pub(crate) struct Around<F> {
    tracer: Tracer,
    context: TraceContext,
    future: F,
}

impl<F> Around<F> {
    pub(crate) fn new(tracer: &Tracer, context: TraceContext, future: F) -> Self {
        Self {
            tracer: tracer.clone(),
            context,
            future,
        }
    }
}

impl<F: Future + Unpin> Future for Around<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let _entered = enter(&this.tracer, this.context);
        Pin::new(&mut this.future).poll(cx)
    }
}

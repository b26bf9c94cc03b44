//! Spans of a host: where a call is in its trace, and what becomes of spans that end.
//!
//! A host whose spans nobody takes has a [`Tracer`] that is off. Then a span is a null pointer, and making one is a branch.

mod context;
mod span;
mod step;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::http::request_id::random_u64;
use crate::ports::traces::{FinishedSpan, SpanId, SpanKind, SpanSink};

pub use context::{EventOrigin, TraceContext};
pub use span::ActiveSpan;
pub(crate) use step::{Around, enter, step};

/// Makes the spans of one host. Clones are the same.
#[derive(Clone, Default)]
pub struct Tracer(Option<Arc<Inner>>);

struct Inner {
    sinks: Vec<Arc<dyn SpanSink>>,
    sample: f64,
    /// Spans that modules have open, by the span of the call they are in, in the order in which they were opened.
    nested: Mutex<HashMap<SpanId, Vec<SpanId>>>,
}

impl Tracer {
    /// Nobody takes its spans.
    #[must_use]
    pub const fn off() -> Self {
        Self(None)
    }

    /// Gives spans to these; off without any. Of the traces that begin here it records the share `sample`, from 0 to 1; of those that
    /// began elsewhere the ones that their caller records too.
    #[must_use]
    pub fn new(sample: f64, sinks: Vec<Arc<dyn SpanSink>>) -> Self {
        if sinks.is_empty() {
            return Self::off();
        }
        Self(Some(Arc::new(Inner {
            sinks,
            sample,
            nested: Mutex::default(),
        })))
    }

    /// Whether anybody takes spans.
    #[inline]
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// A trace that begins here. It has no span yet.
    #[must_use]
    pub fn begin(&self) -> TraceContext {
        let (high, low) = (random_u64(), random_u64());
        let mut trace_id = [0; 16];
        let (first, second) = trace_id.split_at_mut(8);
        first.copy_from_slice(&high.to_be_bytes());
        second.copy_from_slice(&low.to_be_bytes());
        let is_recorded = self.0.as_ref().is_some_and(|inner| is_in_share(low, inner.sample));
        TraceContext {
            trace_id,
            span_id: [0; 8],
            flags: u8::from(is_recorded),
        }
    }

    /// A span below `parent`; nothing when this trace is not recorded.
    #[inline]
    pub fn span(&self, parent: &TraceContext, kind: SpanKind, name: impl Into<Cow<'static, str>>) -> ActiveSpan {
        match &self.0 {
            Some(inner) if parent.is_recorded() => ActiveSpan::open(inner, parent, kind, name.into()),
            _ => ActiveSpan::none(),
        }
    }

    /// A span that a module opened in a call, below another one of its own or of the call. As long as it is open, what the module asks
    /// of core services in this call is below the innermost of these.
    pub(crate) fn nested(&self, call: &TraceContext, parent: Option<TraceContext>, name: String) -> ActiveSpan {
        let span = self.span(parent.as_ref().unwrap_or(call), SpanKind::Internal, name);
        match &self.0 {
            Some(inner) => span.nested_in(inner, call.span_id),
            None => span,
        }
    }

    /// Where what a module does in a call belongs: the innermost span it has open there, else the call.
    ///
    /// The ABI does not say which span a thread is in, so this goes by the order of opening. With several at a time in one call, in
    /// futures that are joined, the wrong one of them may be named; trace and call are right in any case.
    #[must_use]
    pub(crate) fn innermost(&self, call: &TraceContext) -> TraceContext {
        let Some(inner) = &self.0 else { return *call };
        let nested = inner.nested.lock().unwrap_or_else(PoisonError::into_inner);
        let innermost = nested.get(&call.span_id).and_then(|open| open.last().copied());
        TraceContext {
            span_id: innermost.unwrap_or(call.span_id),
            ..*call
        }
    }

    /// Ready when all spans so far are where they belong, or lost.
    pub async fn flush(&self) {
        for sink in self.0.iter().flat_map(|inner| &inner.sinks) {
            sink.flush().await;
        }
    }
}

impl Inner {
    fn finished(&self, span: FinishedSpan) {
        let span = Arc::new(span);
        self.sinks.iter().for_each(|sink| sink.take(&span));
    }

    fn opened(&self, call: SpanId, span: SpanId) {
        let mut nested = self.nested.lock().unwrap_or_else(PoisonError::into_inner);
        nested.entry(call).or_default().push(span);
    }

    fn closed(&self, call: SpanId, span: SpanId) {
        let mut nested = self.nested.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = nested.get_mut(&call) {
            open.retain(|known| *known != span);
            if open.is_empty() {
                nested.remove(&call);
            }
        }
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_on() { "Tracer(on)" } else { "Tracer(off)" })
    }
}

/// Whether a trace is recorded, by its last eight bytes: hosts with the same share decide alike.
fn is_in_share(low: u64, share: f64) -> bool {
    #[allow(clippy::cast_precision_loss, reason = "a share needs no more than the 53 bits of a float")]
    let place = (low >> 1) as f64 / (u64::MAX >> 1) as f64;
    share >= 1.0 || place < share
}

#[cfg(test)]
mod tests;

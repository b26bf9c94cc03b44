//! A span that is open.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use wharf_plugin_api::Fault;

use super::{Inner, TraceContext};
use crate::http::request_id::random_u64;
use crate::ports::traces::{AttributeValue, FinishedSpan, SpanId, SpanKind, SpanStatus};

/// Longest text of an attribute, in bytes; what is longer is cut.
const LONGEST: usize = 2_048;
/// Most attributes of a span; more are left out.
const MOST: usize = 64;

/// A span that is open, or nothing where its trace is not recorded. Dropping it ends it.
#[must_use = "dropping it ends it"]
pub struct ActiveSpan(Option<Box<Open>>);

struct Open {
    tracer: Arc<Inner>,
    span: FinishedSpan,
    flags: u8,
    began: Instant,
    /// The call whose innermost span it may be.
    within: Option<SpanId>,
}

impl ActiveSpan {
    /// Nothing is recorded.
    #[inline]
    pub const fn none() -> Self {
        Self(None)
    }

    #[cold]
    pub(super) fn open(tracer: &Arc<Inner>, parent: &TraceContext, kind: SpanKind, name: Cow<'static, str>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let started_ns = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        Self(Some(Box::new(Open {
            tracer: Arc::clone(tracer),
            span: FinishedSpan {
                trace_id: parent.trace_id,
                span_id: random_u64().to_be_bytes(),
                parent: (parent.span_id != [0; 8]).then_some(parent.span_id),
                name,
                kind,
                started_ns,
                ended_ns: started_ns,
                module: None,
                instance: 0,
                attributes: Vec::new(),
                status: SpanStatus::Unset,
            },
            flags: parent.flags,
            began: Instant::now(),
            within: None,
        })))
    }

    pub(super) fn nested_in(mut self, tracer: &Inner, call: SpanId) -> Self {
        if let Some(open) = &mut self.0 {
            open.within = Some(call);
            tracer.opened(call, open.span.span_id);
        }
        self
    }

    /// Whether anything is recorded: what costs something to say is said only then.
    #[inline]
    #[must_use]
    pub const fn is_recorded(&self) -> bool {
        self.0.is_some()
    }

    /// Where what it causes belongs; none when nothing is recorded.
    #[must_use]
    pub fn context(&self) -> Option<TraceContext> {
        self.0.as_ref().map(|open| TraceContext {
            trace_id: open.span.trace_id,
            span_id: open.span.span_id,
            flags: open.flags,
        })
    }

    /// Says which module it is of. Instance 0: none.
    pub fn of(mut self, module: &str, instance: u64) -> Self {
        if let Some(open) = &mut self.0 {
            open.span.module = Some(module.to_owned());
            open.span.instance = instance;
        }
        self
    }

    /// Gives it another name.
    pub fn rename(&mut self, name: impl Into<Cow<'static, str>>) {
        if let Some(open) = &mut self.0 {
            open.span.name = name.into();
        }
    }

    /// Says something of it, in place of what was said under this name before.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<AttributeValue>) {
        let Some(open) = &mut self.0 else { return };
        let (name, value) = (name.into(), cut(value.into()));
        let attributes = &mut open.span.attributes;
        if let Some(known) = attributes.iter_mut().find(|(known, _)| *known == name) {
            known.1 = value;
        } else if attributes.len() < MOST {
            attributes.push((name, value));
        }
    }

    /// The same, in a chain.
    pub fn with(mut self, name: &'static str, value: impl Into<AttributeValue>) -> Self {
        self.set(name, value);
        self
    }

    /// Says that it failed, with a code or a few words: never the text of an error, which may hold what others must not see.
    pub fn fail(&mut self, why: impl Into<Cow<'static, str>>) {
        if let Some(open) = &mut self.0 {
            open.span.status = SpanStatus::Error(why.into());
        }
    }

    /// Takes back that it failed.
    pub fn succeed(&mut self) {
        if let Some(open) = &mut self.0 {
            open.span.status = SpanStatus::Unset;
        }
    }

    /// Says how it went.
    pub fn settle<T>(&mut self, result: &Result<T, Fault>) {
        if let Some(open) = &mut self.0 {
            open.span.status = match result {
                Ok(_) => SpanStatus::Unset,
                Err(fault) => SpanStatus::Error(Cow::Borrowed(fault.code.name())),
            };
        }
    }

    /// Does something as this span, which ends with it. When it is dropped before, it has failed.
    ///
    /// # Errors
    /// Those of `work`.
    pub async fn around<T, E>(mut self, work: impl Future<Output = Result<T, E>>, code: impl FnOnce(&E) -> &'static str) -> Result<T, E> {
        self.fail("cancelled");
        let result = work.await;
        if let Some(open) = &mut self.0 {
            open.span.status = match &result {
                Ok(_) => SpanStatus::Unset,
                Err(error) => SpanStatus::Error(Cow::Borrowed(code(error))),
            };
        }
        result
    }

    /// Forgets it, as if it had never been opened.
    pub fn discard(mut self) {
        if let Some(open) = self.0.take() {
            open.leave();
        }
    }
}

impl Open {
    fn leave(&self) {
        if let Some(call) = self.within {
            self.tracer.closed(call, self.span.span_id);
        }
    }

    #[cold]
    fn finish(mut self) {
        self.leave();
        let took = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.span.ended_ns = self.span.started_ns.saturating_add(took);
        self.tracer.finished(self.span);
    }
}

impl Drop for ActiveSpan {
    #[inline]
    fn drop(&mut self) {
        if let Some(open) = self.0.take() {
            (*open).finish();
        }
    }
}

impl fmt::Debug for ActiveSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(open) => f.debug_tuple("ActiveSpan").field(&open.span.name).finish(),
            None => f.write_str("ActiveSpan(none)"),
        }
    }
}

fn cut(value: AttributeValue) -> AttributeValue {
    match value {
        AttributeValue::Text(text) if text.len() > LONGEST => {
            let end = text.floor_char_boundary(LONGEST);
            AttributeValue::Text(Cow::Owned(text.get(..end).unwrap_or_default().to_owned()))
        }
        value => value,
    }
}

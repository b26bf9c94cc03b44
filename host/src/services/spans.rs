//! Spans of modules that are open: their names, fields, and the call they belong to.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::modules::endpoint::CallInfo;
use crate::telemetry::{ActiveSpan, FieldValue, TraceContext};

/// Open spans of all instances; ids are unique over the host.
#[derive(Debug)]
pub struct Spans {
    next: AtomicU64,
    open: Mutex<HashMap<u64, Held>>,
}

/// One open span.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) parent: u64,
    pub(super) name: String,
    pub(super) fields: Vec<(String, FieldValue<'static>)>,
    pub(super) call: Option<CallIds>,
}

/// The ids of a call, kept by its spans.
#[derive(Clone, Debug)]
pub(super) struct CallIds {
    pub(super) request_id: String,
    pub(super) context: TraceContext,
}

/// A span, and what it is in the trace of its call.
#[derive(Debug)]
struct Held {
    span: Span,
    traced: ActiveSpan,
}

impl CallIds {
    pub(super) fn of(call: &CallInfo) -> Self {
        Self {
            request_id: call.request_id.to_string(),
            context: call.context(),
        }
    }
}

impl Default for Spans {
    fn default() -> Self {
        Self {
            next: AtomicU64::new(1),
            open: Mutex::default(),
        }
    }
}

impl Spans {
    /// How many are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.lock().len()
    }

    /// Opens one. Without a call of its own it belongs to its parent's. `trace` makes what it is in the trace of that call, below what
    /// its parent is there.
    pub(super) fn insert(&self, mut span: Span, trace: impl FnOnce(&TraceContext, Option<TraceContext>) -> ActiveSpan) -> u64 {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut open = self.lock();
        let parent = open.get(&span.parent);
        let above = parent.and_then(|parent| parent.traced.context());
        if span.call.is_none() {
            span.call = parent.and_then(|parent| parent.span.call.clone());
        }
        let traced = match &span.call {
            Some(call) => trace(&call.context, above.filter(|above| above.trace_id == call.context.trace_id)),
            None => ActiveSpan::none(),
        };
        open.insert(id, Held { span, traced });
        id
    }

    pub(super) fn record(&self, id: u64, fields: Vec<(String, FieldValue<'static>)>) {
        let mut open = self.lock();
        if let Some(Held { span, .. }) = open.get_mut(&id) {
            for (name, value) in fields {
                match span.fields.iter_mut().find(|(known, _)| *known == name) {
                    Some(field) => field.1 = value,
                    None => span.fields.push((name, value)),
                }
            }
        }
    }

    pub(super) fn remove(&self, id: u64) {
        // Where it goes is told without the lock.
        let Some(Held { span, mut traced }) = self.lock().remove(&id) else {
            return;
        };
        if traced.is_recorded() {
            for (name, value) in span.fields {
                traced.set(name, value.to_attribute());
            }
        }
    }

    /// A span and those around it, outermost first.
    pub(super) fn chain(&self, mut id: u64) -> Vec<Span> {
        let open = self.lock();
        let mut chain = Vec::new();
        while let Some(Held { span, .. }) = open.get(&id) {
            chain.push(span.clone());
            id = span.parent;
            if chain.len() >= 32 {
                break;
            }
        }
        chain.reverse();
        chain
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Held>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

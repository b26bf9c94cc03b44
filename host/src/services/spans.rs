//! Spans of modules that are open: their names, fields, and the call they belong to.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::telemetry::FieldValue;

/// Open spans of all instances; ids are unique over the host.
#[derive(Debug)]
pub struct Spans {
    next: AtomicU64,
    open: Mutex<HashMap<u64, Span>>,
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
    pub(super) trace_id: [u8; 16],
    pub(super) span_id: [u8; 8],
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
        self.open.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Opens one. Without a call of its own it belongs to its parent's.
    pub(super) fn insert(&self, mut span: Span) -> u64 {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if span.call.is_none() {
            span.call = open.get(&span.parent).and_then(|parent| parent.call.clone());
        }
        open.insert(id, span);
        id
    }

    pub(super) fn record(&self, id: u64, fields: Vec<(String, FieldValue<'static>)>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(span) = open.get_mut(&id) {
            for (name, value) in fields {
                match span.fields.iter_mut().find(|(known, _)| *known == name) {
                    Some(field) => field.1 = value,
                    None => span.fields.push((name, value)),
                }
            }
        }
    }

    pub(super) fn remove(&self, id: u64) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// A span and those around it, outermost first.
    pub(super) fn chain(&self, mut id: u64) -> Vec<Span> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut chain = Vec::new();
        while let Some(span) = open.get(&id) {
            chain.push(span.clone());
            id = span.parent;
            if chain.len() >= 32 {
                break;
            }
        }
        chain.reverse();
        chain
    }
}

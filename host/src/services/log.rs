//! `log`: events and spans of a module, in the host's stream, with who it is and which call it works on.

use std::sync::{Arc, Mutex, PoisonError};

use tracing::Level as TracingLevel;
use wharf_plugin_api::abi_stable::sabi_trait::TD_Opaque;
use wharf_plugin_api::abi_stable::std_types::{RArc, RSlice, RStr};
use wharf_plugin_api::services::log::{FieldKind, Level, LevelWatch, Log, Log_TO, LogField, LogRecord, LogRef};
use wharf_plugin_api::{guard, guard_drop};

use super::errors::ErrorEvent;
use super::spans::{CallIds, Span};
use super::{Inner, Shared};
use crate::modules::current;
use crate::modules::standing::Standing;
use crate::telemetry::{ActiveSpan, FieldValue, LevelCell, ModuleEvent, SpanFields, Subscription};

/// What an instance's log keeps: its level and who wants to hear of changes.
pub(super) struct LogState {
    level: LevelCell,
    watches: Arc<Mutex<Vec<LevelWatch>>>,
    subscription: Mutex<Option<Subscription>>,
}

impl LogState {
    pub(super) fn new(standing: &Standing, shared: &Shared) -> Arc<Self> {
        let level = shared.log.control().cell_for_module(&standing.who.module);
        let watches: Arc<Mutex<Vec<LevelWatch>>> = Arc::default();
        let subscription = shared.log.control().subscribe({
            let (watches, level) = (watches.clone(), level.clone());
            move |_| {
                for watch in watches.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                    watch.level(Level(level.number()));
                }
            }
        });
        Arc::new(Self {
            level,
            watches,
            subscription: Mutex::new(Some(subscription)),
        })
    }

    /// Lets go of the module's callbacks.
    pub(super) fn stop(&self) {
        self.subscription.lock().unwrap_or_else(PoisonError::into_inner).take();
        let watches = std::mem::take(&mut *self.watches.lock().unwrap_or_else(PoisonError::into_inner));
        drop(watches);
    }
}

#[derive(Clone)]
struct Service(Arc<Inner>);

pub(super) fn object(inner: &Arc<Inner>) -> LogRef {
    Log_TO::from_ptr(RArc::new(Service(inner.clone())), TD_Opaque)
}

impl Log for Service {
    fn max_level(&self) -> Level {
        Level(self.0.log.level.number())
    }

    fn watch_level(&self, changed: LevelWatch) {
        guard_drop(|| {
            changed.level(self.max_level());
            if !self.0.standing.is_retired() {
                self.0.log.watches.lock().unwrap_or_else(PoisonError::into_inner).push(changed);
            }
        });
    }

    fn event(&self, record: &LogRecord<'_>) {
        guard_drop(|| write(&self.0, record));
    }

    fn span_new(&self, record: &LogRecord<'_>) -> u64 {
        guard(|| {
            let call = current::with(|_, call| call.map(CallIds::of));
            let fields = record
                .fields
                .iter()
                .map(|field| (field.name.as_str().to_owned(), value(field).into_owned()))
                .collect();
            let span = Span {
                parent: record.span,
                name: record.message.as_str().to_owned(),
                fields,
                call,
            };
            let (tracer, who) = (self.0.shared.log.tracer(), &self.0.standing.who);
            self.0.shared.spans.insert(span, |call, parent| match tracer.is_on() {
                true => tracer
                    .nested(call, parent, record.message.as_str().to_owned())
                    .of(&who.module, who.instance),
                false => ActiveSpan::none(),
            })
        })
        .unwrap_or(u64::MAX)
    }

    fn span_record(&self, span: u64, fields: RSlice<'_, LogField<'_>>) {
        guard_drop(|| {
            let fields = fields
                .iter()
                .map(|field| (field.name.as_str().to_owned(), value(field).into_owned()))
                .collect();
            self.0.shared.spans.record(span, fields);
        });
    }

    fn span_close(&self, span: u64) {
        guard_drop(|| self.0.shared.spans.remove(span));
    }

    fn panicked(&self, message: RStr<'_>, file: RStr<'_>, line: u32) {
        guard_drop(|| {
            let place = format!("{file}:{line}");
            self.0.standing.panicked(&message, &place);
            let text = format!("panicked at {place}: {message}");
            emit(&self.0, TracingLevel::ERROR, "panic", Some((&file, line)), &text, &[], 0);
        });
    }
}

/// Writes a reported failure.
pub(super) fn write_error(inner: &Arc<Inner>, event: &ErrorEvent, more: &[LogField<'_>]) {
    let chain = event.chain.join(": ");
    let mut fields = vec![
        ("error.kind", FieldValue::from(event.kind.as_str())),
        ("error.chain", FieldValue::from(chain.as_str())),
    ];
    fields.extend(more.iter().map(|field| (field.name.as_str(), value(field))));
    emit(inner, TracingLevel::ERROR, "error", None, &event.message, &fields, 0);
}

fn write(inner: &Arc<Inner>, record: &LogRecord<'_>) {
    let level = match record.level {
        Level::ERROR => TracingLevel::ERROR,
        Level::WARN => TracingLevel::WARN,
        Level::INFO => TracingLevel::INFO,
        Level::DEBUG => TracingLevel::DEBUG,
        _ => TracingLevel::TRACE,
    };
    let fields: Vec<(&str, FieldValue<'_>)> = record.fields.iter().map(|field| (field.name.as_str(), value(field))).collect();
    let place = (!record.file.is_empty()).then(|| (record.file.as_str(), record.line));
    emit(inner, level, &record.target, place, &record.message, &fields, record.span);
}

fn emit(
    inner: &Arc<Inner>,
    level: TracingLevel,
    target: &str,
    place: Option<(&str, u32)>,
    message: &str,
    fields: &[(&str, FieldValue<'_>)],
    span: u64,
) {
    let who = &inner.standing.who;
    let chain = if span == 0 { Vec::new() } else { inner.shared.spans.chain(span) };
    let names: Vec<Vec<(&str, FieldValue<'_>)>> = chain
        .iter()
        .map(|span| span.fields.iter().map(|(name, value)| (name.as_str(), value.clone())).collect())
        .collect();
    let spans: Vec<SpanFields<'_>> = chain
        .iter()
        .zip(&names)
        .map(|(span, fields)| SpanFields { name: &span.name, fields })
        .collect();
    let from_span = chain.last().and_then(|span| span.call.clone());
    current::with(|_, call| {
        let ids = from_span.or_else(|| call.map(CallIds::of));
        inner.shared.log.emit(&ModuleEvent {
            module: &who.module,
            instance: who.instance,
            generation: who.generation,
            level,
            target,
            file: place.map(|(file, _)| file),
            line: place.map(|(_, line)| line),
            message,
            fields,
            spans: &spans,
            request_id: ids.as_ref().map(|ids| ids.request_id.as_str()),
            trace_id: ids.as_ref().map(|ids| ids.context.trace_id),
            span_id: ids.as_ref().map(|ids| ids.context.span_id),
        });
    });
}

fn value<'a>(field: &LogField<'a>) -> FieldValue<'a> {
    match field.kind {
        FieldKind::I64 => FieldValue::I64(field.bits.cast_signed()),
        FieldKind::U64 => FieldValue::U64(field.bits),
        FieldKind::F64 => FieldValue::F64(f64::from_bits(field.bits)),
        FieldKind::BOOL => FieldValue::Bool(field.bits != 0),
        _ => FieldValue::from(field.text.as_str()),
    }
}

//! tracing's dispatcher of a shared library: events and spans go to the host, in the name of the instance that is running.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_core::LevelFilter;
use tracing_core::span::Current;
use wharf_plugin_api::abi_stable::std_types::RStr;
use wharf_plugin_api::services::log::{FieldKind, Level as LogLevel, LogField, LogRecord, LogRef};

use super::scope;

/// Most detailed level that any instance of this library wants. An event above it costs one load in its callsite.
static MAX_LEVEL: AtomicU8 = AtomicU8::new(0);

/// Sets the level and makes every callsite ask again.
pub(crate) fn set_max_level(level: u8) {
    if MAX_LEVEL.swap(level, Ordering::Relaxed) != level {
        tracing_core::callsite::rebuild_interest_cache();
    }
}

/// The dispatcher.
#[derive(Default)]
pub(crate) struct Forward {
    spans: Mutex<HashMap<u64, Span>>,
}

struct Span {
    log: LogRef,
    metadata: &'static Metadata<'static>,
    handles: usize,
}

thread_local! {
    static STACK: std::cell::RefCell<Vec<u64>> = const { std::cell::RefCell::new(Vec::new()) };
}

fn code(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

impl Forward {
    fn with_span<R>(&self, id: &Id, with: impl FnOnce(&mut Span) -> R) -> Option<R> {
        self.spans
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_mut(&id.into_u64())
            .map(with)
    }
}

fn innermost() -> u64 {
    STACK.try_with(|stack| stack.borrow().last().copied()).ok().flatten().unwrap_or(0)
}

/// The explicit parent, or the span that is entered, or none for a root.
fn parent(explicit: Option<&Id>, contextual: bool) -> u64 {
    match explicit {
        Some(id) => id.into_u64(),
        None if contextual => innermost(),
        None => 0,
    }
}

impl Subscriber for Forward {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if code(metadata.level()) <= MAX_LEVEL.load(Ordering::Relaxed) {
            Interest::sometimes()
        } else {
            Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match MAX_LEVEL.load(Ordering::Relaxed) {
            0 => LevelFilter::OFF,
            1 => LevelFilter::ERROR,
            2 => LevelFilter::WARN,
            3 => LevelFilter::INFO,
            4 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        })
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        scope::current_core(|core| code(metadata.level()) <= core.level.load(Ordering::Relaxed)).unwrap_or(false)
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let metadata = attributes.metadata();
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let opened = scope::current_core(|core| {
            let log = core.log.clone()?;
            let parent = parent(attributes.parent(), attributes.is_contextual());
            let id = fields.lend(metadata, metadata.name(), parent, |record| log.span_new(record));
            Some((id, log))
        });
        let Some((id, log)) = opened.flatten() else {
            return Id::from_u64(u64::MAX);
        };
        self.spans
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, Span { log, metadata, handles: 1 });
        Id::from_u64(id.max(1))
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        let log = self.with_span(span, |span| span.log.clone());
        if let Some(log) = log {
            fields.lend_fields(|lent| log.span_record(span.into_u64(), lent.into()));
        }
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let span = parent(event.parent(), event.is_contextual());
        scope::current_core(|core| {
            if let Some(log) = &core.log {
                let message = std::mem::take(&mut fields.message);
                fields.lend(event.metadata(), &message, span, |record| log.event(record));
            }
        });
    }

    fn enter(&self, span: &Id) {
        let _ = STACK.try_with(|stack| stack.borrow_mut().push(span.into_u64()));
    }

    fn exit(&self, span: &Id) {
        let _ = STACK.try_with(|stack| {
            let mut stack = stack.borrow_mut();
            if let Some(at) = stack.iter().rposition(|id| *id == span.into_u64()) {
                stack.remove(at);
            }
        });
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.with_span(id, |span| span.handles += 1);
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(span) = spans.get_mut(&id.into_u64()) else { return false };
        span.handles -= 1;
        if span.handles > 0 {
            return false;
        }
        let closed = spans.remove(&id.into_u64());
        drop(spans);
        if let Some(span) = closed {
            span.log.span_close(id.into_u64());
        }
        true
    }

    fn current_span(&self) -> Current {
        match innermost() {
            0 => Current::none(),
            id => {
                let id = Id::from_u64(id);
                match self.with_span(&id, |span| span.metadata) {
                    Some(metadata) => Current::new(id, metadata),
                    None => Current::none(),
                }
            }
        }
    }
}

/// Collects fields; the message stands apart.
#[derive(Default)]
struct Fields {
    message: String,
    list: Vec<(&'static str, Value)>,
}

enum Value {
    Text(String),
    Bits(FieldKind, u64),
}

impl Fields {
    fn lend_fields<R>(&self, with: impl FnOnce(&[LogField<'_>]) -> R) -> R {
        let lent: Vec<LogField<'_>> = self
            .list
            .iter()
            .map(|(name, value)| match value {
                Value::Text(text) => LogField {
                    name: RStr::from_str(name),
                    kind: FieldKind::TEXT,
                    bits: 0,
                    text: RStr::from_str(text),
                },
                Value::Bits(kind, bits) => LogField {
                    name: RStr::from_str(name),
                    kind: *kind,
                    bits: *bits,
                    text: RStr::from_str(""),
                },
            })
            .collect();
        with(&lent)
    }

    fn lend<R>(&self, metadata: &Metadata<'_>, message: &str, span: u64, with: impl FnOnce(&LogRecord<'_>) -> R) -> R {
        self.lend_fields(|fields| {
            with(&LogRecord {
                level: LogLevel(code(metadata.level())),
                target: metadata.target().into(),
                file: metadata.file().unwrap_or_default().into(),
                line: metadata.line().unwrap_or_default(),
                message: message.into(),
                fields: fields.into(),
                span,
            })
        })
    }

    fn bits(&mut self, field: &Field, kind: FieldKind, bits: u64) {
        self.list.push((field.name(), Value::Bits(kind, bits)));
    }

    fn text(&mut self, field: &Field, text: String) {
        if field.name() == "message" {
            self.message = text;
        } else {
            self.list.push((field.name(), Value::Text(text)));
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.bits(field, FieldKind::F64, value.to_bits());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.bits(field, FieldKind::I64, value.cast_unsigned());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.bits(field, FieldKind::U64, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.bits(field, FieldKind::BOOL, u64::from(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value.to_owned());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut next = value.source();
        while let Some(cause) = next {
            let _ = write!(text, ": {cause}");
            next = cause.source();
        }
        self.text(field, text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.text(field, format!("{value:?}"));
    }
}

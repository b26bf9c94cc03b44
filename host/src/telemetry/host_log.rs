//! The host's own `tracing` events, written in the same stream and format as those of modules.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record as SpanRecord};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use super::control::LogControl;
use super::module_log::{ModuleEvent, ModuleLog};
use super::record::{FieldValue, Record, SpanFields};
use super::sink::LogSink;
use super::traces::{ActiveSpan, TraceContext};
use crate::modules::current;
use crate::modules::endpoint::CallInfo;
use crate::modules::standing::Standing;

/// A layer that writes events of the host. Its levels change at run time.
#[derive(Clone, Debug)]
pub struct HostLog {
    control: LogControl,
    sink: LogSink,
}

/// Another program part has installed a subscriber for the process.
#[derive(Debug, thiserror::Error)]
#[error("the process has a tracing subscriber already; a process has one host that logs globally")]
pub struct InstallError;

type Fields = Vec<(&'static str, FieldValue<'static>)>;

/// Fields of a span, kept with it.
struct Kept(Fields);

/// The span of a linked-in module in the trace of the call it was opened in.
struct Traced(ActiveSpan);

/// Collects fields; the message is one of them.
#[derive(Default)]
struct Collect {
    message: String,
    fields: Fields,
}

impl HostLog {
    /// Over the levels and the stream of a host.
    #[must_use]
    pub fn new(control: LogControl, sink: LogSink) -> Self {
        Self { control, sink }
    }

    /// A whole subscriber with only this layer, for `tracing::subscriber::with_default` in tests and for [`install`].
    #[must_use]
    pub fn into_subscriber(self) -> impl Subscriber + Send + Sync {
        Registry::default().with(self)
    }
}

/// Makes the host's log that of the whole process. Only the binary does this.
///
/// # Errors
/// [`InstallError`] when there is one already.
pub fn install(control: &LogControl, sink: &LogSink) -> Result<(), InstallError> {
    let log = HostLog::new(control.clone(), sink.clone());
    tracing::subscriber::set_global_default(log.into_subscriber()).map_err(|_| InstallError)
}

impl<S: Subscriber + for<'l> LookupSpan<'l>> Layer<S> for HostLog {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.control.allows(metadata.target(), *metadata.level()) {
            Interest::always()
        } else if *metadata.level() <= self.control.most_verbose() {
            // A linked-in module has levels by its id, which a callsite does not know.
            Interest::sometimes()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let (target, level) = (metadata.target(), *metadata.level());
        in_linked(target, |standing, log, _| {
            log.control().allows_module(&standing.who.module, target, level)
        })
        .unwrap_or_else(|| self.control.allows(target, level))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.control.most_verbose())
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut collect = Collect::default();
        attributes.record(&mut collect);
        let Some(span) = context.span(id) else { return };
        let traced = in_linked(attributes.metadata().target(), |standing, log, call| {
            if !log.tracer().is_on() {
                return ActiveSpan::none();
            }
            let mut above = span.scope().skip(1);
            let parent = above.find_map(|span| span.extensions().get::<Traced>()?.0.context());
            open(standing, log, call, parent, attributes.metadata().name())
        });
        let mut extensions = span.extensions_mut();
        if let Some(traced) = traced.filter(ActiveSpan::is_recorded) {
            extensions.insert(Traced(traced));
        }
        extensions.insert(Kept(collect.fields));
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let mut extensions = span.extensions_mut();
        if let Some(Traced(mut traced)) = extensions.remove::<Traced>() {
            for (name, value) in extensions.remove::<Kept>().map(|kept| kept.0).unwrap_or_default() {
                traced.set(name, value.to_attribute());
            }
        }
    }

    fn on_record(&self, id: &Id, values: &SpanRecord<'_>, context: Context<'_, S>) {
        let mut collect = Collect::default();
        values.record(&mut collect);
        if let Some(span) = context.span(id)
            && let Some(Kept(fields)) = span.extensions_mut().get_mut::<Kept>()
        {
            for (name, value) in collect.fields {
                fields.retain(|(other, _)| *other != name);
                fields.push((name, value));
            }
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut collect = Collect::default();
        event.record(&mut collect);
        let mut kept: Vec<(&'static str, Fields)> = Vec::new();
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            let fields = span.extensions().get::<Kept>().map(|kept| kept.0.clone()).unwrap_or_default();
            kept.push((span.name(), fields));
        }
        let spans: Vec<SpanFields<'_>> = kept.iter().map(|(name, fields)| SpanFields { name, fields }).collect();
        let metadata = event.metadata();
        let was_of_a_module = in_linked(metadata.target(), |standing, log, call| {
            log.emit(&ModuleEvent {
                module: &standing.who.module,
                instance: standing.who.instance,
                generation: standing.who.generation,
                level: *metadata.level(),
                target: metadata.target(),
                file: metadata.file(),
                line: metadata.line(),
                message: &collect.message,
                fields: &collect.fields,
                spans: &spans,
                request_id: call.map(|call| &*call.request_id),
                trace_id: call.map(|call| call.trace_id),
                span_id: call.map(|call| call.span_id),
            });
        });
        if was_of_a_module.is_some() || !self.control.allows(metadata.target(), *metadata.level()) {
            return;
        }
        self.sink.write(&Record {
            at: Timestamp::now(),
            level: *metadata.level(),
            target: metadata.target(),
            file: metadata.file(),
            line: metadata.line(),
            message: &collect.message,
            fields: &collect.fields,
            spans: &spans,
            origin: None,
        });
    }
}

/// A span of a linked-in module. Outside of calls, and below no span of one, it belongs to no trace.
fn open(standing: &Standing, log: &ModuleLog, call: Option<&CallInfo>, parent: Option<TraceContext>, name: &'static str) -> ActiveSpan {
    let Some(within) = call.map(CallInfo::context).or(parent) else {
        return ActiveSpan::none();
    };
    let parent = parent.filter(|parent| parent.trace_id == within.trace_id);
    let span = log.tracer().nested(&within, parent, name.to_owned());
    span.of(&standing.who.module, standing.who.instance)
}

/// Runs `with` when this thread is in a linked-in module and the event is not the host's own. Such a module has no dispatcher
/// of its own: its events come here, and go to the stream of the host whose instance it is.
fn in_linked<R>(target: &str, with: impl FnOnce(&Standing, &ModuleLog, Option<&CallInfo>) -> R) -> Option<R> {
    if target == "wharf" || target.starts_with("wharf::") || target.starts_with("wharf_host") {
        return None;
    }
    current::with(|standing, call| {
        let standing = standing.filter(|standing| standing.is_linked())?;
        Some(with(standing, standing.log()?, call))
    })
}

impl Collect {
    fn text(&mut self, field: &Field, text: String) {
        if field.name() == "message" {
            self.message = text;
        } else {
            self.fields.push((field.name(), FieldValue::Text(Cow::Owned(text))));
        }
    }
}

impl Visit for Collect {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value.to_owned());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.push((field.name(), FieldValue::Bool(value)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.push((field.name(), FieldValue::I64(value)));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.push((field.name(), FieldValue::U64(value)));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.fields.push((field.name(), FieldValue::F64(value)));
    }

    /// The whole chain, since the message of an error is rarely the cause.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        self.text(field, text);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn host_events_have_fields_spans_and_levels_that_change() {
        let (sink, captured) = LogSink::capture();
        let control = LogControl::new("info").unwrap();
        let log = HostLog::new(control.clone(), sink);
        tracing::subscriber::with_default(log.into_subscriber(), || {
            let say = || tracing::debug!(n = 1, "detail");
            let span = tracing::info_span!("load", module.id = "blog", size = tracing::field::Empty);
            span.record("size", 7);
            span.in_scope(|| tracing::info!(ok = true, "loaded {}", 1));
            say();
            control.set("debug").unwrap();
            say();
        });
        let events = captured.events();
        assert_eq!(
            events.iter().map(|e| e.message.as_str()).collect::<Vec<_>>(),
            ["loaded 1", "detail"]
        );
        assert_eq!(events[0].fields["ok"], true);
        assert_eq!(events[0].spans[0].0, "load");
        assert_eq!(events[0].spans[0].1["size"], 7);
        assert!(events[0].line.contains("load{module.id=blog size=7}: "), "{}", events[0].line);
    }

    #[test]
    fn an_error_is_logged_with_its_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::io::Error);
        let (sink, captured) = LogSink::capture();
        let log = HostLog::new(LogControl::new("info").unwrap(), sink);
        tracing::subscriber::with_default(log.into_subscriber(), || {
            let error = Outer(std::io::Error::other("inner"));
            tracing::error!(error = &error as &(dyn Error + 'static), "failed");
        });
        assert_eq!(captured.events()[0].fields["error"], "outer: inner");
    }
}

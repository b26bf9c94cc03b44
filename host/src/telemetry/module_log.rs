//! Events of modules, written in the host's stream with who they are from; and their spans, which go to its traces.

use jiff::Timestamp;
use tracing::Level;

use super::control::LogControl;
use super::record::{FieldValue, Origin, Record, SpanFields};
use super::sink::LogSink;
use super::traces::Tracer;

/// One event of a module, as it came across the ABI. The identity is the host's knowledge, not the module's word.
#[derive(Clone, Copy, Debug)]
pub struct ModuleEvent<'a> {
    /// Id of the module.
    pub module: &'a str,
    /// Instance.
    pub instance: u64,
    /// Generation.
    pub generation: u64,
    /// How much it matters.
    pub level: Level,
    /// Rust module path, as a rule.
    pub target: &'a str,
    /// Source file.
    pub file: Option<&'a str>,
    /// Line in it, from 1.
    pub line: Option<u32>,
    /// The message.
    pub message: &'a str,
    /// Its fields.
    pub fields: &'a [(&'a str, FieldValue<'a>)],
    /// Spans it happened in, outermost first.
    pub spans: &'a [SpanFields<'a>],
    /// Request it belongs to.
    pub request_id: Option<&'a str>,
    /// W3C trace id; all zero counts as none.
    pub trace_id: Option<[u8; 16]>,
    /// W3C span id; all zero counts as none.
    pub span_id: Option<[u8; 8]>,
}

/// Writes events of modules, and makes spans of theirs. Clones share levels, stream and traces.
#[derive(Clone, Debug)]
pub struct ModuleLog {
    control: LogControl,
    sink: LogSink,
    tracer: Tracer,
}

impl ModuleLog {
    /// Over the levels and the stream of a host, whose spans nobody takes.
    #[must_use]
    pub fn new(control: LogControl, sink: LogSink) -> Self {
        Self {
            control,
            sink,
            tracer: Tracer::off(),
        }
    }

    /// Gives spans to this one.
    #[must_use]
    pub fn with_tracer(mut self, tracer: Tracer) -> Self {
        self.tracer = tracer;
        self
    }

    /// Makes the spans.
    #[inline]
    #[must_use]
    pub fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    /// The levels.
    #[must_use]
    pub fn control(&self) -> &LogControl {
        &self.control
    }

    /// Writes one event, if the levels allow it. A caller that asks its [`super::LevelCell`] first saves the work of making the event.
    pub fn emit(&self, event: &ModuleEvent<'_>) {
        if !self.control.allows_module(event.module, event.target, event.level) {
            return;
        }
        let renamed: Vec<(&str, FieldValue<'_>)>;
        let fields = if event.fields.iter().any(|(name, _)| reserved(name).is_some()) {
            renamed = event
                .fields
                .iter()
                .map(|(name, value)| (reserved(name).unwrap_or(name), value.clone()))
                .collect();
            &renamed
        } else {
            event.fields
        };
        self.sink.write(&Record {
            at: Timestamp::now(),
            level: event.level,
            target: event.target,
            file: event.file,
            line: event.line,
            message: event.message,
            fields,
            spans: event.spans,
            origin: Some(Origin {
                module: event.module,
                instance: event.instance,
                generation: event.generation,
                request_id: event.request_id,
                trace_id: event.trace_id,
                span_id: event.span_id,
            }),
        });
    }
}

/// Another name for a field that would look like one the host writes.
fn reserved(name: &str) -> Option<&'static str> {
    match name {
        "module.id" => Some("field.module.id"),
        "module.instance" => Some("field.module.instance"),
        "module.generation" => Some("field.module.generation"),
        "request.id" => Some("field.request.id"),
        "trace.id" => Some("field.trace.id"),
        "span.id" => Some("field.span.id"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use std::time::Duration;

    use super::*;

    fn event<'a>(level: Level, target: &'a str, message: &'a str) -> ModuleEvent<'a> {
        ModuleEvent {
            module: "blog",
            instance: 3,
            generation: 1,
            level,
            target,
            file: None,
            line: None,
            message,
            fields: &[],
            spans: &[],
            request_id: Some("r-1"),
            trace_id: None,
            span_id: None,
        }
    }

    #[tokio::test]
    async fn events_carry_their_identity_and_cannot_claim_another() {
        let (sink, captured) = LogSink::capture();
        let log = ModuleLog::new(LogControl::new("info").unwrap(), sink);
        let fields = [("module.id", FieldValue::from("billing")), ("n", FieldValue::I64(-1))];
        log.emit(&ModuleEvent {
            fields: &fields,
            ..event(Level::INFO, "blog", "hello")
        });
        let seen = captured.wait_for(Duration::from_secs(5), |e| e.message == "hello").await.unwrap();
        assert_eq!(
            (seen.module.as_deref(), seen.instance, seen.request_id.as_deref()),
            (Some("blog"), Some(3), Some("r-1"))
        );
        assert_eq!(seen.fields["field.module.id"], "billing");
        assert!(
            seen.line.ends_with("module.id=blog module.instance=3 request.id=r-1"),
            "{}",
            seen.line
        );
    }

    #[test]
    fn levels_count_for_each_module_and_target() {
        let (sink, captured) = LogSink::capture();
        let log = ModuleLog::new(LogControl::new("warn,blog::db=debug").unwrap(), sink);
        log.emit(&event(Level::INFO, "blog::http", "no"));
        log.emit(&event(Level::DEBUG, "blog::db", "yes"));
        log.control().set("blog=info").unwrap();
        log.emit(&event(Level::INFO, "blog::http", "now"));
        let messages: Vec<_> = captured.events().into_iter().map(|e| e.message).collect();
        assert_eq!(messages, ["yes", "now"]);
    }
}

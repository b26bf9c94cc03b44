//! Where log lines go: standard output, a writer, or memory for tests.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;
use tracing::Level;

use super::format;
use super::record::Record;

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineFormat {
    /// For people.
    Text {
        /// With colours.
        colours: bool,
    },
    /// One JSON object a line.
    Json,
}

/// A place for log lines. Clones share it. A line is written whole, under a lock; a reader that does not read makes writers wait.
#[derive(Clone)]
pub struct LogSink(Arc<Kind>);

/// What a capturing sink has seen. Clones share it.
#[derive(Clone, Default)]
pub struct Captured(Arc<CapturedInner>);

/// One event as it was captured.
#[derive(Clone, Debug)]
pub struct CapturedEvent {
    /// Its level.
    pub level: Level,
    /// Its target.
    pub target: String,
    /// Its message.
    pub message: String,
    /// Module it is from; `None` for the host's own.
    pub module: Option<String>,
    /// Instance it is from.
    pub instance: Option<u64>,
    /// Generation it is from.
    pub generation: Option<u64>,
    /// Request it belongs to.
    pub request_id: Option<String>,
    /// Trace it belongs to, hex.
    pub trace_id: Option<String>,
    /// Its fields.
    pub fields: BTreeMap<String, Value>,
    /// Names and fields of its spans, outermost first.
    pub spans: Vec<(String, BTreeMap<String, Value>)>,
    /// The line as text, without its line end.
    pub line: String,
}

enum Kind {
    Stdout(LineFormat),
    Writer(LineFormat, Mutex<Box<dyn Write + Send>>),
    Capture(Captured),
}

#[derive(Default)]
struct CapturedInner {
    events: Mutex<Vec<CapturedEvent>>,
    more: Notify,
}

impl LineFormat {
    /// Text for standard output: colours on a terminal, unless `NO_COLOR` is set or the terminal is dumb.
    #[must_use]
    pub fn text_for_stdout() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && std::env::var_os("TERM").is_none_or(|t| t != "dumb");
        Self::Text {
            colours: wanted && io::stdout().is_terminal(),
        }
    }
}

impl LogSink {
    /// Standard output.
    #[must_use]
    pub fn stdout(format: LineFormat) -> Self {
        Self(Arc::new(Kind::Stdout(format)))
    }

    /// Any writer.
    #[must_use]
    pub fn writer(format: LineFormat, writer: Box<dyn Write + Send>) -> Self {
        Self(Arc::new(Kind::Writer(format, Mutex::new(writer))))
    }

    /// Memory.
    #[must_use]
    pub fn capture() -> (Self, Captured) {
        let captured = Captured::default();
        (Self(Arc::new(Kind::Capture(captured.clone()))), captured)
    }

    /// Writes one event. A line that cannot be written is lost: there is nowhere to say so.
    pub(super) fn write(&self, record: &Record<'_>) {
        match &*self.0 {
            Kind::Stdout(format) => drop(io::stdout().lock().write_all(line(record, *format).as_bytes())),
            Kind::Writer(format, writer) => {
                let line = line(record, *format);
                drop(writer.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes()));
            }
            Kind::Capture(captured) => captured.push(record),
        }
    }
}

impl fmt::Debug for LogSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &*self.0 {
            Kind::Stdout(_) => "LogSink(stdout)",
            Kind::Writer(..) => "LogSink(writer)",
            Kind::Capture(_) => "LogSink(capture)",
        })
    }
}

impl Captured {
    /// All events so far, oldest first.
    #[must_use]
    pub fn events(&self) -> Vec<CapturedEvent> {
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All lines so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.events().into_iter().map(|event| event.line).collect()
    }

    /// The first event that matches, seen already or within the deadline; `None` after it.
    pub async fn wait_for(&self, deadline: Duration, matches: impl Fn(&CapturedEvent) -> bool) -> Option<CapturedEvent> {
        let find = async {
            loop {
                let more = self.0.more.notified();
                tokio::pin!(more);
                // Registered before looking, so that no event between the two is missed.
                more.as_mut().enable();
                if let Some(event) = self.events().into_iter().find(&matches) {
                    return event;
                }
                more.await;
            }
        };
        tokio::time::timeout(deadline, find).await.ok()
    }

    /// Forgets what was seen.
    pub fn clear(&self) {
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn push(&self, record: &Record<'_>) {
        let event = captured(record);
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
        self.0.more.notify_waiters();
    }
}

impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lines()).finish()
    }
}

fn line(record: &Record<'_>, format: LineFormat) -> String {
    let mut line = String::with_capacity(256);
    match format {
        LineFormat::Text { colours } => format::text(record, colours, &mut line),
        LineFormat::Json => format::json(record, &mut line),
    }
    line
}

fn captured(record: &Record<'_>) -> CapturedEvent {
    let origin = record.origin.as_ref();
    CapturedEvent {
        level: record.level,
        target: record.target.to_owned(),
        message: record.message.to_owned(),
        module: origin.map(|o| o.module.to_owned()),
        instance: origin.map(|o| o.instance),
        generation: origin.map(|o| o.generation),
        request_id: origin.and_then(|o| o.request_id).map(str::to_owned),
        trace_id: origin.and_then(|o| o.trace_hex()),
        fields: format::object_of(record.fields).into_iter().collect(),
        spans: record
            .spans
            .iter()
            .map(|s| (s.name.to_owned(), format::object_of(s.fields).into_iter().collect()))
            .collect(),
        line: line(record, LineFormat::Text { colours: false }).trim_end().to_owned(),
    }
}

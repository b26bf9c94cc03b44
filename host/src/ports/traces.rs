//! Where spans go when they have ended: memory, a collector.
//!
//! Names and meanings are those of OpenTelemetry (opentelemetry.io/docs/specs/otel/trace/api), so that an adapter has nothing to invent.

mod memory;

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use memory::{MOST_SPANS, RecentTraces, SpanRow, TraceRow, TraceTree};

/// A W3C trace id; all zero: none.
pub type TraceId = [u8; 16];
/// A W3C span id; all zero: none.
pub type SpanId = [u8; 8];
/// A boxed future, so that the trait can be an object.
pub type FlushFuture<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A span that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct FinishedSpan {
    /// Trace it belongs to.
    pub trace_id: TraceId,
    /// Its id.
    pub span_id: SpanId,
    /// Span it is below; none for the first of its trace.
    pub parent: Option<SpanId>,
    /// What it is about, without ids and the like: few names, many spans.
    pub name: Cow<'static, str>,
    /// Its place between callers and callees.
    pub kind: SpanKind,
    /// When it began, nanoseconds since 1970.
    pub started_ns: u64,
    /// When it ended, nanoseconds since 1970; never before it began.
    pub ended_ns: u64,
    /// Module it happened in; none: the host itself.
    pub module: Option<String>,
    /// Instance of the module; 0: none.
    pub instance: u64,
    /// What is known of it. Never a secret, and never an argument of a statement.
    pub attributes: Vec<Attribute>,
    /// How it went.
    pub status: SpanStatus,
}

/// Name and value.
pub type Attribute = (Cow<'static, str>, AttributeValue);

/// Where a span stands between callers and callees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SpanKind {
    /// Work inside.
    Internal,
    /// Answers a request.
    Server,
    /// Asks somebody and waits.
    Client,
    /// Leaves work for later.
    Producer,
    /// Does what was left.
    Consumer,
}

/// How a span went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SpanStatus {
    /// Nothing to say.
    #[default]
    Unset,
    /// It failed: a code or a few words, never the text of an error, which may hold what others must not see.
    Error(Cow<'static, str>),
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AttributeValue {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(Cow<'static, str>),
}

/// Takes spans that have ended.
pub trait SpanSink: Send + Sync + 'static {
    /// Takes one. Never blocks: what cannot be taken now is dropped and counted.
    fn take(&self, span: &Arc<FinishedSpan>);

    /// Ready when everything that was taken before is where it belongs, or lost. Dropping the future gives that up.
    fn flush(&self) -> FlushFuture<'_> {
        Box::pin(std::future::ready(()))
    }
}

impl FinishedSpan {
    /// An attribute by its name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&AttributeValue> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// From its beginning to its end, in nanoseconds.
    #[must_use]
    pub const fn duration_ns(&self) -> u64 {
        self.ended_ns.saturating_sub(self.started_ns)
    }
}

impl SpanKind {
    /// As in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

impl AttributeValue {
    /// As JSON. A number JSON cannot hold becomes text.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Bool(value) => (*value).into(),
            Self::Int(number) => (*number).into(),
            Self::Float(number) if number.is_finite() => (*number).into(),
            Self::Float(number) => number.to_string().into(),
            Self::Text(text) => text.as_ref().into(),
        }
    }
}

impl fmt::Display for AttributeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Int(number) => number.fmt(f),
            Self::Float(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl From<bool> for AttributeValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for AttributeValue {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<u32> for AttributeValue {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<u64> for AttributeValue {
    /// A number that is too large for OpenTelemetry becomes the largest there is.
    fn from(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<&'static str> for AttributeValue {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for AttributeValue {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

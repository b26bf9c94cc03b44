//! One log event, from the host or from a module, ready to be written.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::Value;
use tracing::Level;

use crate::ports::traces::AttributeValue;

/// A value of a field.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum FieldValue<'a> {
    /// True or false.
    Bool(bool),
    /// A signed number.
    I64(i64),
    /// An unsigned number.
    U64(u64),
    /// A floating-point number.
    F64(f64),
    /// Text, from `Display` or `Debug` too.
    Text(Cow<'a, str>),
}

/// A span an event happened in.
#[derive(Clone, Copy, Debug)]
pub struct SpanFields<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its fields.
    pub fields: &'a [(&'a str, FieldValue<'a>)],
}

/// Who an event is from, when it is from a module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'a> {
    pub(super) module: &'a str,
    pub(super) instance: u64,
    pub(super) generation: u64,
    pub(super) request_id: Option<&'a str>,
    pub(super) trace_id: Option<[u8; 16]>,
    pub(super) span_id: Option<[u8; 8]>,
}

/// Everything there is to write.
#[derive(Debug)]
pub(super) struct Record<'a> {
    pub(super) at: Timestamp,
    pub(super) level: Level,
    pub(super) target: &'a str,
    pub(super) file: Option<&'a str>,
    pub(super) line: Option<u32>,
    pub(super) message: &'a str,
    pub(super) fields: &'a [(&'a str, FieldValue<'a>)],
    pub(super) spans: &'a [SpanFields<'a>],
    pub(super) origin: Option<Origin<'a>>,
}

impl FieldValue<'_> {
    /// As JSON. A number JSON cannot hold becomes text.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Bool(value) => Value::Bool(*value),
            Self::I64(number) => Value::from(*number),
            Self::U64(number) => Value::from(*number),
            Self::F64(number) if number.is_finite() => Value::from(*number),
            Self::F64(number) => Value::String(number.to_string()),
            Self::Text(text) => Value::String(text.to_string()),
        }
    }

    /// As an attribute of a span.
    #[must_use]
    pub fn to_attribute(&self) -> AttributeValue {
        match self {
            Self::Bool(value) => (*value).into(),
            Self::I64(number) => (*number).into(),
            Self::U64(number) => (*number).into(),
            Self::F64(number) => AttributeValue::Float(*number),
            Self::Text(text) => text.to_string().into(),
        }
    }

    /// The same, owning its text.
    #[must_use]
    pub fn into_owned(self) -> FieldValue<'static> {
        match self {
            Self::Bool(value) => FieldValue::Bool(value),
            Self::I64(number) => FieldValue::I64(number),
            Self::U64(number) => FieldValue::U64(number),
            Self::F64(number) => FieldValue::F64(number),
            Self::Text(text) => FieldValue::Text(Cow::Owned(text.into_owned())),
        }
    }
}

impl<'a> From<&'a str> for FieldValue<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl Origin<'_> {
    /// The trace id in hex, if there is a trace.
    pub(super) fn trace_hex(&self) -> Option<String> {
        self.trace_id.filter(|id| id.iter().any(|b| *b != 0)).map(|id| hex(&id))
    }

    /// The span id in hex, if there is a span.
    pub(super) fn span_hex(&self) -> Option<String> {
        self.span_id.filter(|id| id.iter().any(|b| *b != 0)).map(|id| hex(&id))
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes
        .iter()
        .flat_map(|b| [b >> 4, b & 15])
        .filter_map(|n| DIGITS.get(usize::from(n)))
        .collect()
}

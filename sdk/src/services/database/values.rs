//! Values to and from sea-orm's, exactly: a field reads its own variant and no other.

mod natural;
mod typed;

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, Timelike};
use sea_orm::Value as Sea;
use sea_orm::sea_query::{ArrayType, OptionEnum};
use wharf_plugin_api::sql::{Kind, Value};

use super::entities::Column;

pub(crate) use natural::natural;
pub(crate) use typed::typed;

const DAYS_TO_1970: i32 = 719_163;

/// What the host is asked for a column.
pub(crate) fn wire_kind(column: &Column) -> Kind {
    kind_of(&column.kind)
}

pub(super) fn kind_of(kind: &ArrayType) -> Kind {
    match kind {
        ArrayType::Bool => Kind::BOOL,
        ArrayType::TinyInt => Kind::I8,
        ArrayType::SmallInt => Kind::I16,
        ArrayType::Int => Kind::I32,
        ArrayType::BigInt => Kind::I64,
        ArrayType::TinyUnsigned => Kind::U8,
        ArrayType::SmallUnsigned => Kind::U16,
        ArrayType::Unsigned => Kind::U32,
        ArrayType::BigUnsigned => Kind::U64,
        ArrayType::Float => Kind::F32,
        ArrayType::Double => Kind::F64,
        ArrayType::String => Kind::TEXT,
        ArrayType::Enum(_) => Kind::ENUM,
        ArrayType::Char => Kind::CHAR,
        ArrayType::Bytes => Kind::BYTES,
        ArrayType::Json => Kind::JSON,
        ArrayType::ChronoDate => Kind::DATE,
        ArrayType::ChronoTime => Kind::TIME,
        ArrayType::ChronoDateTime => Kind::DATE_TIME,
        ArrayType::ChronoDateTimeUtc | ArrayType::ChronoDateTimeLocal | ArrayType::ChronoDateTimeWithTimeZone => Kind::TIMESTAMP,
        ArrayType::Uuid => Kind::UUID,
        ArrayType::Decimal => Kind::DECIMAL,
        // Kinds of other features of sea-orm, which this build does not turn on.
        #[allow(unreachable_patterns, reason = "another crate may turn on more features of sea-query")]
        _ => Kind::NATURAL,
    }
}

/// An argument as it crosses. None for a kind that does not cross: of a feature of sea-orm that is not the SDK's.
pub(crate) fn to_wire(value: Sea) -> Option<Value> {
    fn or_null<T>(value: Option<T>, kind: Kind, make: impl FnOnce(T) -> Value) -> Option<Value> {
        Some(value.map_or(Value::Null(kind), make))
    }
    let signed = |value: Option<i64>, kind| or_null(value, kind, |value| Value::Int(kind, value));
    let unsigned = |value: Option<u64>, kind| or_null(value, kind, |value| Value::Uint(kind, value));
    match value {
        Sea::Bool(value) => or_null(value, Kind::BOOL, Value::Bool),
        Sea::TinyInt(value) => signed(value.map(i64::from), Kind::I8),
        Sea::SmallInt(value) => signed(value.map(i64::from), Kind::I16),
        Sea::Int(value) => signed(value.map(i64::from), Kind::I32),
        Sea::BigInt(value) => signed(value, Kind::I64),
        Sea::TinyUnsigned(value) => unsigned(value.map(u64::from), Kind::U8),
        Sea::SmallUnsigned(value) => unsigned(value.map(u64::from), Kind::U16),
        Sea::Unsigned(value) => unsigned(value.map(u64::from), Kind::U32),
        Sea::BigUnsigned(value) => unsigned(value, Kind::U64),
        Sea::Float(value) => or_null(value, Kind::F32, Value::F32),
        Sea::Double(value) => or_null(value, Kind::F64, Value::F64),
        Sea::String(value) => or_null(value, Kind::TEXT, Value::text),
        Sea::Char(value) => or_null(value, Kind::CHAR, Value::Char),
        Sea::Bytes(value) => or_null(value, Kind::BYTES, Value::Bytes),
        Sea::Json(value) => or_null(value, Kind::JSON, |json| Value::Text(Kind::JSON, json.to_string())),
        Sea::ChronoDate(value) => or_null(value, Kind::DATE, |date| Value::Date(days(date))),
        Sea::ChronoTime(value) => or_null(value, Kind::TIME, |time| {
            Value::Time(u64::from(time.num_seconds_from_midnight()) * 1_000_000_000 + u64::from(time.nanosecond()))
        }),
        Sea::ChronoDateTime(value) => or_null(value, Kind::DATE_TIME, |at: NaiveDateTime| {
            let at = at.and_utc();
            Value::DateTime(at.timestamp(), at.timestamp_subsec_nanos())
        }),
        Sea::ChronoDateTimeUtc(value) => or_null(value.map(|at| at.fixed_offset()), Kind::TIMESTAMP, timestamp),
        Sea::ChronoDateTimeLocal(value) => or_null(value.map(|at| at.fixed_offset()), Kind::TIMESTAMP, timestamp),
        Sea::ChronoDateTimeWithTimeZone(value) => or_null(value, Kind::TIMESTAMP, timestamp),
        Sea::Uuid(value) => or_null(value, Kind::UUID, |uuid| Value::Uuid(uuid.into_bytes())),
        Sea::Decimal(value) => or_null(value, Kind::DECIMAL, |decimal| Value::Decimal(decimal.serialize())),
        Sea::Enum(OptionEnum::Some(value)) => Some(Value::Enum(value.type_name.to_string(), Some(value.value.into_owned()))),
        Sea::Enum(OptionEnum::None(name)) => Some(Value::Enum(name.to_string(), None)),
        Sea::Array(kind, values) => {
            let values = values.map(|values| values.into_iter().map(to_wire).collect::<Option<Vec<_>>>());
            match values {
                Some(None) => None,
                Some(Some(values)) => Some(Value::Array(kind_of(&kind), Some(values))),
                None => Some(Value::Array(kind_of(&kind), None)),
            }
        }
        #[allow(unreachable_patterns, reason = "another crate may turn on more features of sea-query")]
        _ => None,
    }
}

fn days(date: NaiveDate) -> i32 {
    date.num_days_from_ce() - DAYS_TO_1970
}

fn timestamp(at: DateTime<FixedOffset>) -> Value {
    Value::Timestamp(at.timestamp(), at.timestamp_subsec_nanos(), at.offset().local_minus_utc())
}

/// What a value is, for messages.
pub(super) fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null(_) => "null",
        Value::Bool(_) => "a boolean",
        Value::Int(..) | Value::Uint(..) => "an integer",
        Value::F32(_) | Value::F64(_) => "a floating-point number",
        Value::Text(..) => "text",
        Value::Char(_) => "a character",
        Value::Bytes(_) => "bytes",
        Value::Date(_) => "a date",
        Value::Time(_) => "a time",
        Value::DateTime(..) => "a date and time without a zone",
        Value::Timestamp(..) => "a point in time",
        Value::Uuid(_) => "a UUID",
        Value::Decimal(_) => "a decimal",
        Value::Enum(..) => "an enum",
        Value::Array(..) => "an array",
    }
}

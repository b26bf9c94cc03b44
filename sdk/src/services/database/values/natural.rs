//! Values as the database has them: for columns that nobody declared, such as expressions.

use std::borrow::Cow;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use sea_orm::Value as Sea;
use sea_orm::prelude::Decimal;
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{ArrayType, Enum, OptionEnum};
use wharf_plugin_api::sql::{Kind, Value};

use super::DAYS_TO_1970;

/// None when the value is out of the range of its type.
pub(crate) fn natural(value: Value) -> Option<Sea> {
    Some(match value {
        Value::Null(kind) => null(&array_type(kind)),
        Value::Bool(value) => Sea::Bool(Some(value)),
        Value::Int(kind, value) => match kind {
            Kind::I8 => Sea::TinyInt(Some(value.try_into().ok()?)),
            Kind::I16 => Sea::SmallInt(Some(value.try_into().ok()?)),
            Kind::I32 => Sea::Int(Some(value.try_into().ok()?)),
            _ => Sea::BigInt(Some(value)),
        },
        Value::Uint(kind, value) => match kind {
            Kind::U8 => Sea::TinyUnsigned(Some(value.try_into().ok()?)),
            Kind::U16 => Sea::SmallUnsigned(Some(value.try_into().ok()?)),
            Kind::U32 => Sea::Unsigned(Some(value.try_into().ok()?)),
            _ => Sea::BigUnsigned(Some(value)),
        },
        Value::F32(value) => Sea::Float(Some(value)),
        Value::F64(value) => Sea::Double(Some(value)),
        Value::Text(Kind::JSON, text) => Sea::Json(Some(Box::new(serde_json::from_str(&text).ok()?))),
        Value::Text(_, text) => Sea::String(Some(text)),
        Value::Char(value) => Sea::Char(Some(value)),
        Value::Bytes(bytes) => Sea::Bytes(Some(bytes)),
        Value::Date(days) => Sea::ChronoDate(Some(date(days)?)),
        Value::Time(nanoseconds) => Sea::ChronoTime(Some(time(nanoseconds)?)),
        Value::DateTime(seconds, nanoseconds) => Sea::ChronoDateTime(Some(date_time(seconds, nanoseconds)?)),
        Value::Timestamp(seconds, nanoseconds, offset) => Sea::ChronoDateTimeWithTimeZone(Some(timestamp(seconds, nanoseconds, offset)?)),
        Value::Uuid(bytes) => Sea::Uuid(Some(Uuid::from_bytes(bytes))),
        Value::Decimal(bytes) => Sea::Decimal(Some(Decimal::deserialize(bytes))),
        // Without an entity it is read as the text it is.
        Value::Enum(_, value) => Sea::String(value),
        Value::Array(kind, values) => array(array_type(kind), values, natural)?,
    })
}

pub(super) fn array(kind: ArrayType, values: Option<Vec<Value>>, each: impl Fn(Value) -> Option<Sea>) -> Option<Sea> {
    let values = match values {
        Some(values) => Some(Box::new(values.into_iter().map(each).collect::<Option<Vec<_>>>()?)),
        None => None,
    };
    Some(Sea::Array(kind, values))
}

pub(super) fn date(days: i32) -> Option<NaiveDate> {
    NaiveDate::from_num_days_from_ce_opt(days.checked_add(DAYS_TO_1970)?)
}

pub(super) fn time(nanoseconds: u64) -> Option<NaiveTime> {
    let seconds = u32::try_from(nanoseconds / 1_000_000_000).ok()?;
    NaiveTime::from_num_seconds_from_midnight_opt(seconds, (nanoseconds % 1_000_000_000) as u32)
}

pub(super) fn date_time(seconds: i64, nanoseconds: u32) -> Option<NaiveDateTime> {
    DateTime::from_timestamp(seconds, nanoseconds).map(|at| at.naive_utc())
}

pub(super) fn timestamp(seconds: i64, nanoseconds: u32, offset: i32) -> Option<DateTime<FixedOffset>> {
    let at = DateTime::from_timestamp(seconds, nanoseconds)?;
    let offset = FixedOffset::east_opt(offset)?;
    // Near the ends of time the local one does not exist.
    at.naive_utc()
        .checked_add_signed(TimeDelta::seconds(i64::from(offset.local_minus_utc())))?;
    Some(at.with_timezone(&offset))
}

pub(super) fn an_enum(name: &str, value: String) -> Sea {
    Sea::Enum(OptionEnum::Some(Box::new(Enum {
        type_name: name.into(),
        value: Cow::Owned(value),
    })))
}

/// Null of a type.
pub(super) fn null(kind: &ArrayType) -> Sea {
    match kind {
        ArrayType::Bool => Sea::Bool(None),
        ArrayType::TinyInt => Sea::TinyInt(None),
        ArrayType::SmallInt => Sea::SmallInt(None),
        ArrayType::Int => Sea::Int(None),
        ArrayType::BigInt => Sea::BigInt(None),
        ArrayType::TinyUnsigned => Sea::TinyUnsigned(None),
        ArrayType::SmallUnsigned => Sea::SmallUnsigned(None),
        ArrayType::Unsigned => Sea::Unsigned(None),
        ArrayType::BigUnsigned => Sea::BigUnsigned(None),
        ArrayType::Float => Sea::Float(None),
        ArrayType::Double => Sea::Double(None),
        ArrayType::Enum(name) => Sea::Enum(OptionEnum::None((**name).clone())),
        ArrayType::Char => Sea::Char(None),
        ArrayType::Bytes => Sea::Bytes(None),
        ArrayType::Json => Sea::Json(None),
        ArrayType::ChronoDate => Sea::ChronoDate(None),
        ArrayType::ChronoTime => Sea::ChronoTime(None),
        ArrayType::ChronoDateTime => Sea::ChronoDateTime(None),
        ArrayType::ChronoDateTimeUtc => Sea::ChronoDateTimeUtc(None),
        ArrayType::ChronoDateTimeLocal => Sea::ChronoDateTimeLocal(None),
        ArrayType::ChronoDateTimeWithTimeZone => Sea::ChronoDateTimeWithTimeZone(None),
        ArrayType::Uuid => Sea::Uuid(None),
        ArrayType::Decimal => Sea::Decimal(None),
        _ => Sea::String(None),
    }
}

fn array_type(kind: Kind) -> ArrayType {
    match kind {
        Kind::BOOL => ArrayType::Bool,
        Kind::I8 => ArrayType::TinyInt,
        Kind::I16 => ArrayType::SmallInt,
        Kind::I32 => ArrayType::Int,
        Kind::I64 => ArrayType::BigInt,
        Kind::U8 => ArrayType::TinyUnsigned,
        Kind::U16 => ArrayType::SmallUnsigned,
        Kind::U32 => ArrayType::Unsigned,
        Kind::U64 => ArrayType::BigUnsigned,
        Kind::F32 => ArrayType::Float,
        Kind::F64 => ArrayType::Double,
        Kind::CHAR => ArrayType::Char,
        Kind::BYTES => ArrayType::Bytes,
        Kind::JSON => ArrayType::Json,
        Kind::DATE => ArrayType::ChronoDate,
        Kind::TIME => ArrayType::ChronoTime,
        Kind::DATE_TIME => ArrayType::ChronoDateTime,
        Kind::TIMESTAMP => ArrayType::ChronoDateTimeWithTimeZone,
        Kind::UUID => ArrayType::Uuid,
        Kind::DECIMAL => ArrayType::Decimal,
        _ => ArrayType::String,
    }
}

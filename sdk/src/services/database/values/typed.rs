//! Values of declared columns: the variant of the field, or an error.

use chrono::{DateTime, Local, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use sea_orm::Value as Sea;
use sea_orm::prelude::{Decimal, Uuid};
use sea_orm::sea_query::ArrayType;
use wharf_plugin_api::sql::{Kind, Value};

use super::super::entities::Column;
use super::natural::{an_enum, array, date, date_time, null, time, timestamp};

/// The value as the field has it; none when it is not of that type or out of its range. Mostly the host has converted it
/// already; what it could not know about (`SELECT *`) is converted here, without losing anything.
#[inline]
pub(crate) fn typed(value: Value, column: &Column) -> Option<Sea> {
    if column.is_array {
        return match value {
            Value::Array(_, values) => array(column.kind.clone(), values, |value| one(value, &column.kind)),
            Value::Null(_) => Some(Sea::Array(column.kind.clone(), None)),
            _ => None,
        };
    }
    one(value, &column.kind)
}

#[inline]
fn one(value: Value, kind: &ArrayType) -> Option<Sea> {
    Some(match (kind, value) {
        (kind, Value::Null(_) | Value::Enum(_, None)) => null(kind),
        (ArrayType::Int, Value::Int(_, value)) => Sea::Int(Some(value.try_into().ok()?)),
        (ArrayType::BigInt, Value::Int(_, value)) => Sea::BigInt(Some(value)),
        (ArrayType::String, Value::Text(Kind::TEXT, text)) => Sea::String(Some(text)),
        (ArrayType::Bool, Value::Bool(value)) => Sea::Bool(Some(value)),
        (ArrayType::Double, Value::F64(value)) => Sea::Double(Some(value)),
        (ArrayType::Bytes, Value::Bytes(bytes)) => Sea::Bytes(Some(bytes)),
        (ArrayType::Uuid, Value::Uuid(bytes)) => Sea::Uuid(Some(Uuid::from_bytes(bytes))),
        (ArrayType::Json, Value::Text(_, text)) => Sea::Json(Some(Box::new(serde_json::from_str(&text).ok()?))),
        (ArrayType::ChronoDateTimeUtc, Value::Timestamp(seconds, nanoseconds, _)) => {
            Sea::ChronoDateTimeUtc(Some(DateTime::from_timestamp(seconds, nanoseconds)?))
        }
        (ArrayType::ChronoDateTimeLocal, Value::Timestamp(seconds, nanoseconds, _)) => {
            Sea::ChronoDateTimeLocal(Some(DateTime::from_timestamp(seconds, nanoseconds)?.with_timezone(&Local)))
        }
        (ArrayType::ChronoDateTimeWithTimeZone, Value::Timestamp(seconds, nanoseconds, offset)) => {
            Sea::ChronoDateTimeWithTimeZone(Some(timestamp(seconds, nanoseconds, offset)?))
        }
        (ArrayType::ChronoDateTime, Value::DateTime(seconds, nanoseconds)) => Sea::ChronoDateTime(Some(date_time(seconds, nanoseconds)?)),
        (ArrayType::ChronoDate, Value::Date(days)) => Sea::ChronoDate(Some(date(days)?)),
        (ArrayType::ChronoTime, Value::Time(nanoseconds)) => Sea::ChronoTime(Some(time(nanoseconds)?)),
        (ArrayType::Decimal, Value::Decimal(bytes)) => Sea::Decimal(Some(Decimal::deserialize(bytes))),
        (ArrayType::Enum(name), Value::Enum(_, Some(value)) | Value::Text(_, value)) => an_enum(name, value),
        (ArrayType::String, Value::Enum(_, Some(value)) | Value::Text(_, value)) => Sea::String(Some(value)),
        (kind, Value::Int(_, value)) => from_integer(kind, i128::from(value))?,
        (kind, Value::Uint(_, value)) => from_integer(kind, i128::from(value))?,
        (ArrayType::Float, Value::F32(value)) => Sea::Float(Some(value)),
        (ArrayType::Float, Value::F64(value)) => {
            let narrow = value as f32;
            (narrow.is_finite() == value.is_finite()).then_some(Sea::Float(Some(narrow)))?
        }
        (ArrayType::Double, Value::F32(value)) => Sea::Double(Some(f64::from(value))),
        (ArrayType::Decimal, Value::F64(value)) => Sea::Decimal(Some(Decimal::try_from(value).ok()?)),
        (ArrayType::Char, Value::Char(value)) => Sea::Char(Some(value)),
        (ArrayType::Uuid, Value::Bytes(bytes)) => Sea::Uuid(Some(Uuid::from_slice(&bytes).ok()?)),
        (kind, Value::Text(_, text)) => from_text(kind, &text)?,
        (ArrayType::Bytes, Value::Uuid(bytes)) => Sea::Bytes(Some(bytes.to_vec())),
        _ => return None,
    })
}

fn from_integer(kind: &ArrayType, value: i128) -> Option<Sea> {
    Some(match kind {
        ArrayType::TinyInt => Sea::TinyInt(Some(value.try_into().ok()?)),
        ArrayType::SmallInt => Sea::SmallInt(Some(value.try_into().ok()?)),
        ArrayType::Int => Sea::Int(Some(value.try_into().ok()?)),
        ArrayType::BigInt => Sea::BigInt(Some(value.try_into().ok()?)),
        ArrayType::TinyUnsigned => Sea::TinyUnsigned(Some(value.try_into().ok()?)),
        ArrayType::SmallUnsigned => Sea::SmallUnsigned(Some(value.try_into().ok()?)),
        ArrayType::Unsigned => Sea::Unsigned(Some(value.try_into().ok()?)),
        ArrayType::BigUnsigned => Sea::BigUnsigned(Some(value.try_into().ok()?)),
        ArrayType::Bool if value == 0 || value == 1 => Sea::Bool(Some(value == 1)),
        // At most 64 bits: it fits.
        ArrayType::Decimal => Sea::Decimal(Some(Decimal::from(value))),
        // A REAL column of SQLite gives whole numbers back as integers in some expressions.
        ArrayType::Double if value.unsigned_abs() <= 1 << 53 => Sea::Double(Some(value as f64)),
        ArrayType::Float if value.unsigned_abs() <= 1 << 24 => Sea::Float(Some(value as f32)),
        _ => return None,
    })
}

/// How SQLite keeps what it has no type for.
fn from_text(kind: &ArrayType, text: &str) -> Option<Sea> {
    Some(match kind {
        ArrayType::Char => {
            let mut letters = text.chars();
            let first = letters.next()?;
            letters.next().is_none().then_some(Sea::Char(Some(first)))?
        }
        ArrayType::Uuid => Sea::Uuid(Some(Uuid::parse_str(text).ok()?)),
        ArrayType::Decimal => Sea::Decimal(Some(text.parse().ok()?)),
        ArrayType::ChronoDate => Sea::ChronoDate(Some(text.parse::<NaiveDate>().ok()?)),
        ArrayType::ChronoTime => Sea::ChronoTime(Some(text.parse::<NaiveTime>().ok()?)),
        ArrayType::ChronoDateTime => Sea::ChronoDateTime(Some(naive(text)?)),
        ArrayType::ChronoDateTimeUtc => Sea::ChronoDateTimeUtc(Some(instant(text)?.to_utc())),
        ArrayType::ChronoDateTimeLocal => Sea::ChronoDateTimeLocal(Some(instant(text)?.with_timezone(&Local))),
        ArrayType::ChronoDateTimeWithTimeZone => Sea::ChronoDateTimeWithTimeZone(Some(instant(text)?)),
        ArrayType::Bytes => Sea::Bytes(Some(text.as_bytes().to_vec())),
        _ => return None,
    })
}

fn naive(text: &str) -> Option<NaiveDateTime> {
    let text = text.replacen(' ', "T", 1);
    text.parse().ok()
}

fn instant(text: &str) -> Option<DateTime<chrono::FixedOffset>> {
    DateTime::parse_from_rfc3339(&text.replacen(' ', "T", 1))
        .ok()
        .or_else(|| naive(text).map(|at| at.and_utc().with_timezone(&Utc).fixed_offset()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_value_that_does_not_fit_its_field_is_none_and_never_another_value() {
        for (kind, value) in [
            (ArrayType::Int, Value::int(1 << 40)),
            (ArrayType::TinyUnsigned, Value::int(-1)),
            (ArrayType::Bool, Value::int(2)),
            (ArrayType::Int, Value::text("7")),
            (ArrayType::String, Value::int(7)),
            (ArrayType::Uuid, Value::Bytes(vec![1])),
            (ArrayType::Char, Value::text("ab")),
            (ArrayType::Json, Value::Text(Kind::JSON, "{".to_owned())),
            (ArrayType::ChronoDateTimeUtc, Value::Timestamp(i64::MAX, 0, 0)),
            (ArrayType::ChronoTime, Value::Time(u64::MAX)),
            (ArrayType::BigInt, Value::Uint(Kind::U64, u64::MAX)),
        ] {
            assert_eq!(typed(value.clone(), &Column::of(kind.clone())), None, "{value:?} as {kind:?}");
        }
    }

    #[test]
    fn what_sqlite_keeps_as_text_or_integer_is_read_as_the_field_is() {
        let at = Sea::ChronoDateTimeUtc(Some("2024-02-29T12:00:00.5Z".parse().unwrap()));
        for text in ["2024-02-29 12:00:00.5", "2024-02-29T13:00:00.5+01:00"] {
            assert_eq!(
                typed(Value::text(text), &Column::of(ArrayType::ChronoDateTimeUtc)),
                Some(at.clone()),
                "{text}"
            );
        }
        assert_eq!(typed(Value::int(1), &Column::of(ArrayType::Bool)), Some(Sea::Bool(Some(true))));
        assert_eq!(
            typed(Value::text("1.10"), &Column::of(ArrayType::Decimal)),
            Some(Sea::Decimal(Some(Decimal::new(110, 2))))
        );
    }
}

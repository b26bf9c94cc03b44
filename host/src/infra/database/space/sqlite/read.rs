//! Values of SQLite rows: what was asked for, or an error, never something else.

use std::fmt::Display;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime};
use rust_decimal::Decimal;
use sqlx::sqlite::{SqliteRow, SqliteValueRef};
use sqlx::{Column, Decode, Row, Sqlite, TypeInfo, ValueRef};
use wharf_plugin_api::sql::{Kind, Rows, Value};

use super::super::moment;
use crate::ports::database::{DbError, DbErrorKind};

/// How SQLite stores a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stored {
    Integer,
    Real,
    Text,
    Blob,
}

/// Adds a row.
pub(super) fn read(row: &SqliteRow, kinds: &[Kind], rows: &mut Rows) -> Result<(), DbError> {
    if rows.columns.is_empty() {
        rows.columns = row.columns().iter().map(|column| column.name().to_owned()).collect();
    }
    for index in 0..row.columns().len() {
        let kind = kinds.get(index).copied().unwrap_or(Kind::NATURAL);
        let value = value_of(row, index, kind).map_err(|error| at_column(row, index, error))?;
        rows.values.push(value);
    }
    Ok(())
}

fn at_column(row: &SqliteRow, index: usize, error: DbError) -> DbError {
    let name = row.columns().get(index).map_or("", |column| column.name());
    DbError {
        message: format!("column {} ({name}): {}", index + 1, error.message),
        ..error
    }
}

fn value_of(row: &SqliteRow, index: usize, kind: Kind) -> Result<Value, DbError> {
    let raw = row.try_get_raw(index).map_err(|error| wrong(error.to_string()))?;
    if raw.is_null() {
        return Ok(Value::Null(if kind == Kind::NATURAL { declared(row, index) } else { kind }));
    }
    let stored = match raw.type_info().name() {
        "INTEGER" => Stored::Integer,
        "REAL" => Stored::Real,
        "TEXT" => Stored::Text,
        _ => Stored::Blob,
    };
    match kind {
        Kind::NATURAL => natural(raw, stored),
        Kind::BOOL | Kind::I8 | Kind::I16 | Kind::I32 | Kind::I64 | Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 => {
            integer(raw, stored, kind)
        }
        Kind::F32 | Kind::F64 => float(raw, stored, kind),
        Kind::DECIMAL => decimal(raw, stored),
        Kind::BYTES => match stored {
            Stored::Blob | Stored::Text => Ok(Value::Bytes(decode(raw)?)),
            _ => Err(mismatch(stored, kind)),
        },
        Kind::UUID => uuid(raw, stored),
        Kind::DATE_TIME | Kind::TIMESTAMP => date_time(raw, stored, kind),
        _ => text(raw, stored, kind),
    }
}

fn natural(raw: SqliteValueRef<'_>, stored: Stored) -> Result<Value, DbError> {
    Ok(match stored {
        Stored::Integer => Value::int(decode(raw)?),
        Stored::Real => Value::F64(decode(raw)?),
        Stored::Text => Value::text(decode::<String>(raw)?),
        Stored::Blob => Value::Bytes(decode(raw)?),
    })
}

/// What a column that is null would have, by its declaration.
fn declared(row: &SqliteRow, index: usize) -> Kind {
    match row.columns().get(index).map_or("", |column| column.type_info().name()) {
        "INTEGER" | "BOOLEAN" => Kind::I64,
        "REAL" => Kind::F64,
        "TEXT" | "DATE" | "TIME" | "DATETIME" => Kind::TEXT,
        "BLOB" => Kind::BYTES,
        _ => Kind::NATURAL,
    }
}

fn integer(raw: SqliteValueRef<'_>, stored: Stored, kind: Kind) -> Result<Value, DbError> {
    if stored != Stored::Integer {
        return Err(mismatch(stored, kind));
    }
    let found: i64 = decode(raw)?;
    let (low, high) = match kind {
        Kind::BOOL => (0, 1),
        Kind::I8 => (i64::from(i8::MIN), i64::from(i8::MAX)),
        Kind::I16 => (i64::from(i16::MIN), i64::from(i16::MAX)),
        Kind::I32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        Kind::U8 => (0, i64::from(u8::MAX)),
        Kind::U16 => (0, i64::from(u16::MAX)),
        Kind::U32 => (0, i64::from(u32::MAX)),
        Kind::U64 => (0, i64::MAX),
        _ => (i64::MIN, i64::MAX),
    };
    if found < low || found > high {
        return Err(wrong(format!(
            "found an integer outside of {low} to {high}, expected {}",
            name_of(kind)
        )));
    }
    Ok(match kind {
        Kind::BOOL => Value::Bool(found == 1),
        Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 => Value::Uint(kind, found.unsigned_abs()),
        _ => Value::Int(kind, found),
    })
}

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "that is what was asked for, and overflow is seen"
)]
fn float(raw: SqliteValueRef<'_>, stored: Stored, kind: Kind) -> Result<Value, DbError> {
    let found: f64 = match stored {
        Stored::Real => decode(raw)?,
        Stored::Integer => decode::<i64>(raw)? as f64,
        Stored::Text | Stored::Blob => return Err(mismatch(stored, kind)),
    };
    if kind == Kind::F64 {
        return Ok(Value::F64(found));
    }
    let narrow = found as f32;
    if narrow.is_infinite() && found.is_finite() {
        return Err(wrong("found a number too large, expected one of 32 bits".to_owned()));
    }
    Ok(Value::F32(narrow))
}

fn decimal(raw: SqliteValueRef<'_>, stored: Stored) -> Result<Value, DbError> {
    let number = match stored {
        Stored::Text => {
            let text: String = decode(raw)?;
            Decimal::from_str_exact(&text).map_err(|error| unreadable("text", Kind::DECIMAL, error))?
        }
        Stored::Integer => Decimal::from(decode::<i64>(raw)?),
        // A column of affinity REAL or NUMERIC keeps 15 digits: so does sea-orm.
        Stored::Real => Decimal::try_from(decode::<f64>(raw)?).map_err(|error| unreadable("real", Kind::DECIMAL, error))?,
        Stored::Blob => return Err(mismatch(stored, Kind::DECIMAL)),
    };
    Ok(moment::of_decimal(number))
}

fn uuid(raw: SqliteValueRef<'_>, stored: Stored) -> Result<Value, DbError> {
    let uuid = match stored {
        Stored::Blob => uuid::Uuid::from_slice(&decode::<Vec<u8>>(raw)?).map_err(|error| unreadable("blob", Kind::UUID, error))?,
        Stored::Text => uuid::Uuid::parse_str(&decode::<String>(raw)?).map_err(|error| unreadable("text", Kind::UUID, error))?,
        Stored::Integer | Stored::Real => return Err(mismatch(stored, Kind::UUID)),
    };
    Ok(Value::Uuid(uuid.into_bytes()))
}

fn date_time(raw: SqliteValueRef<'_>, stored: Stored, kind: Kind) -> Result<Value, DbError> {
    if stored == Stored::Blob {
        return Err(mismatch(stored, kind));
    }
    let unreadable = |_| {
        wrong(format!(
            "found {} that is no date and time, expected {}",
            stored_name(stored),
            name_of(kind)
        ))
    };
    if kind == Kind::DATE_TIME {
        return <NaiveDateTime as Decode<Sqlite>>::decode(raw)
            .map(moment::of_date_time)
            .map_err(unreadable);
    }
    <DateTime<FixedOffset> as Decode<Sqlite>>::decode(raw)
        .map(moment::of_zoned)
        .map_err(unreadable)
}

fn text(raw: SqliteValueRef<'_>, stored: Stored, kind: Kind) -> Result<Value, DbError> {
    match (stored, kind) {
        (Stored::Text, _) => {}
        // A column of affinity NUMERIC turns a JSON number into one of its own.
        (Stored::Integer, Kind::JSON) => return Ok(Value::Text(kind, decode::<i64>(raw)?.to_string())),
        (Stored::Real, Kind::JSON) => return Ok(Value::Text(kind, decode::<f64>(raw)?.to_string())),
        _ => return Err(mismatch(stored, kind)),
    }
    let unreadable = |_| wrong(format!("found text that is none, expected {}", name_of(kind)));
    match kind {
        Kind::DATE => return <NaiveDate as Decode<Sqlite>>::decode(raw).map(moment::of_date).map_err(unreadable),
        Kind::TIME => return <NaiveTime as Decode<Sqlite>>::decode(raw).map(moment::of_time).map_err(unreadable),
        _ => {}
    }
    let text: String = decode(raw)?;
    match kind {
        Kind::TEXT | Kind::JSON => Ok(Value::Text(kind, text)),
        Kind::ENUM => Ok(Value::Enum(String::new(), Some(text))),
        Kind::CHAR => {
            let mut chars = text.chars();
            match (chars.next(), chars.next()) {
                (Some(one), None) => Ok(Value::Char(one)),
                _ => Err(wrong(format!("found {} characters, expected one", text.chars().count()))),
            }
        }
        _ => Err(wrong(format!("kind {} is not known to this host", kind.0))),
    }
}

fn decode<'r, T: Decode<'r, Sqlite>>(raw: SqliteValueRef<'r>) -> Result<T, DbError> {
    T::decode(raw).map_err(|error| wrong(error.to_string()))
}

fn mismatch(stored: Stored, kind: Kind) -> DbError {
    wrong(format!("found {}, expected {}", stored_name(stored), name_of(kind)))
}

fn unreadable(found: &str, kind: Kind, error: impl Display) -> DbError {
    wrong(format!("found {found} that cannot be read, expected {}: {error}", name_of(kind)))
}

const fn stored_name(stored: Stored) -> &'static str {
    match stored {
        Stored::Integer => "an integer",
        Stored::Real => "a real",
        Stored::Text => "text",
        Stored::Blob => "a blob",
    }
}

fn name_of(kind: Kind) -> &'static str {
    super::super::kind_name(kind)
}

fn wrong(message: String) -> DbError {
    DbError::new(DbErrorKind::Type, message)
}

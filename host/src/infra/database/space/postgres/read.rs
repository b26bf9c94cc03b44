//! Values of PostgreSQL rows: what was asked for, or an error, never something else.

use rust_decimal::Decimal;
use sqlx::postgres::{PgHasArrayType, PgRow, PgTypeInfo, PgTypeKind, PgValueRef};
use sqlx::{Column, Decode, Postgres, Row, Type, TypeInfo, ValueRef};
use wharf_plugin_api::sql::{Kind, Rows, Value};

use super::super::{kind_name, moment};
use crate::ports::database::{DbError, DbErrorKind};

/// Seconds from 1970-01-01 to 2000-01-01, where PostgreSQL counts from.
const EPOCH: i64 = 946_684_800;

/// Days between the two.
const EPOCH_DAYS: i32 = 10_957;

/// Adds a row.
pub(super) fn read(row: &PgRow, kinds: &[Kind], rows: &mut Rows) -> Result<(), DbError> {
    if rows.columns.is_empty() {
        rows.columns = row.columns().iter().map(|column| column.name().to_owned()).collect();
    }
    for (index, column) in row.columns().iter().enumerate() {
        let wanted = kinds.get(index).copied().unwrap_or(Kind::NATURAL);
        let value = value_of(row, index, wanted).map_err(|error| DbError {
            message: format!("column {} ({}): {}", index + 1, column.name(), error.message),
            ..error
        })?;
        rows.values.push(value);
    }
    Ok(())
}

fn value_of(row: &PgRow, index: usize, wanted: Kind) -> Result<Value, DbError> {
    let raw = row.try_get_raw(index).map_err(|error| wrong(error.to_string()))?;
    let info = raw.type_info().into_owned();
    let info = base(&info);
    if let PgTypeKind::Array(element) = info.kind() {
        return array(&raw, base(element), wanted);
    }
    if raw.is_null() {
        return Ok(Value::Null(if wanted == Kind::NATURAL {
            natural(info).unwrap_or(wanted)
        } else {
            wanted
        }));
    }
    let kind = match wanted {
        Kind::NATURAL => natural(info).ok_or_else(|| {
            wrong(format!(
                "found {}, which has no form here: cast it to text in the statement",
                info.name()
            ))
        })?,
        wanted => wanted,
    };
    scalar(raw, info, kind)
}

/// What is under a domain.
fn base(info: &PgTypeInfo) -> &PgTypeInfo {
    match info.kind() {
        PgTypeKind::Domain(inner) => base(inner),
        _ => info,
    }
}

/// The kind a type has when nobody asked for one.
fn natural(info: &PgTypeInfo) -> Option<Kind> {
    if matches!(info.kind(), PgTypeKind::Enum(_)) {
        return Some(Kind::ENUM);
    }
    Some(match info.name() {
        "BOOL" => Kind::BOOL,
        "INT2" => Kind::I16,
        "INT4" => Kind::I32,
        "INT8" => Kind::I64,
        "OID" => Kind::U32,
        "FLOAT4" => Kind::F32,
        "FLOAT8" => Kind::F64,
        "BYTEA" => Kind::BYTES,
        "JSON" | "JSONB" => Kind::JSON,
        "DATE" => Kind::DATE,
        "TIME" => Kind::TIME,
        "TIMESTAMP" => Kind::DATE_TIME,
        "TIMESTAMPTZ" => Kind::TIMESTAMP,
        "UUID" => Kind::UUID,
        "NUMERIC" => Kind::DECIMAL,
        _ if is_text(info) => Kind::TEXT,
        _ => return None,
    })
}

fn is_text(info: &PgTypeInfo) -> bool {
    matches!(info.name(), "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "UNKNOWN") || info.name().eq_ignore_ascii_case("citext")
}

fn scalar(raw: PgValueRef<'_>, info: &PgTypeInfo, kind: Kind) -> Result<Value, DbError> {
    let is_enum = matches!(info.kind(), PgTypeKind::Enum(_));
    match (kind, info.name()) {
        (Kind::BOOL, "BOOL") => Ok(Value::Bool(decode(raw)?)),
        (Kind::I8 | Kind::I16 | Kind::I32 | Kind::I64 | Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64, "INT2" | "INT4" | "INT8" | "OID") => {
            integer(number(&raw)?, kind)
        }
        (Kind::F32, "FLOAT4") => Ok(Value::F32(decode(raw)?)),
        (Kind::F64, "FLOAT8") => Ok(Value::F64(decode(raw)?)),
        (Kind::F64, "FLOAT4") => Ok(Value::F64(f64::from(decode::<f32>(raw)?))),
        (Kind::DECIMAL, "NUMERIC") => decimal(raw),
        (Kind::DECIMAL, "INT2" | "INT4" | "INT8") => Ok(moment::of_decimal(Decimal::from(number(&raw)?))),
        (Kind::BYTES, "BYTEA") => Ok(Value::Bytes(bytes(&raw)?.to_vec())),
        (Kind::JSON, "JSON") => Ok(Value::Text(kind, utf8(bytes(&raw)?)?)),
        (Kind::JSON, "JSONB") => Ok(Value::Text(kind, utf8(bytes(&raw)?.get(1..).unwrap_or_default())?)),
        (Kind::DATE, "DATE") => date(&raw),
        (Kind::TIME, "TIME") => time(&raw),
        (Kind::DATE_TIME, "TIMESTAMP") => instant(&raw).map(|(seconds, nanos)| Value::DateTime(seconds, nanos)),
        (Kind::TIMESTAMP, "TIMESTAMPTZ") => instant(&raw).map(|(seconds, nanos)| Value::Timestamp(seconds, nanos, 0)),
        (Kind::UUID, "UUID") => fixed(&raw).map(Value::Uuid),
        (Kind::ENUM, name) if is_enum => Ok(Value::Enum(name.to_owned(), Some(utf8(bytes(&raw)?)?))),
        (Kind::ENUM, _) if is_text(info) => Ok(Value::Enum(String::new(), Some(utf8(bytes(&raw)?)?))),
        (Kind::TEXT, _) if is_enum || is_text(info) => Ok(Value::Text(kind, utf8(bytes(&raw)?)?)),
        (Kind::CHAR, _) if is_text(info) => one_character(&utf8(bytes(&raw)?)?),
        (_, name) => Err(wrong(format!("found {name}, expected {}", kind_name(kind)))),
    }
}

fn integer(found: i64, kind: Kind) -> Result<Value, DbError> {
    let (low, high) = match kind {
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
            kind_name(kind)
        )));
    }
    Ok(match kind {
        Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 => Value::Uint(kind, found.unsigned_abs()),
        _ => Value::Int(kind, found),
    })
}

/// An integer of 2, 4 or 8 bytes; the only one without a sign is `oid`.
fn number(raw: &PgValueRef<'_>) -> Result<i64, DbError> {
    let bytes = bytes(raw)?;
    Ok(match bytes.len() {
        2 => i64::from(i16::from_be_bytes(fixed(raw)?)),
        4 if raw.type_info().name() == "OID" => i64::from(u32::from_be_bytes(fixed(raw)?)),
        4 => i64::from(i32::from_be_bytes(fixed(raw)?)),
        _ => i64::from_be_bytes(fixed(raw)?),
    })
}

fn decimal(raw: PgValueRef<'_>) -> Result<Value, DbError> {
    let number = <Decimal as Decode<Postgres>>::decode(raw);
    number.map(moment::of_decimal).map_err(|_| {
        wrong("found a number that is none or has more than 28 digits, expected a decimal: round it in the statement".to_owned())
    })
}

fn date(raw: &PgValueRef<'_>) -> Result<Value, DbError> {
    match i32::from_be_bytes(fixed(raw)?) {
        i32::MIN | i32::MAX => Err(infinite()),
        days => days.checked_add(EPOCH_DAYS).map(Value::Date).ok_or_else(infinite),
    }
}

fn time(raw: &PgValueRef<'_>) -> Result<Value, DbError> {
    let micros = i64::from_be_bytes(fixed(raw)?);
    let nanos = u64::try_from(micros).ok().and_then(|micros| micros.checked_mul(1_000));
    nanos
        .filter(|nanos| *nanos < 86_400_000_000_000)
        .map(Value::Time)
        .ok_or_else(|| wrong("found 24:00:00, expected a time before midnight".to_owned()))
}

/// Seconds since 1970-01-01 and nanoseconds.
fn instant(raw: &PgValueRef<'_>) -> Result<(i64, u32), DbError> {
    let micros = i64::from_be_bytes(fixed(raw)?);
    if micros == i64::MAX || micros == i64::MIN {
        return Err(infinite());
    }
    let nanos = u32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or_default();
    Ok((micros.div_euclid(1_000_000) + EPOCH, nanos))
}

fn one_character(text: &str) -> Result<Value, DbError> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(one), None) => Ok(Value::Char(one)),
        _ => Err(wrong(format!("found {} characters, expected one", text.chars().count()))),
    }
}

/// An array; `wanted` is the kind of its elements, or none.
fn array(raw: &PgValueRef<'_>, element: &PgTypeInfo, wanted: Kind) -> Result<Value, DbError> {
    let found = natural(element).ok_or_else(|| wrong(format!("found an array of {}, which has no form here", element.name())))?;
    let kind = if wanted == Kind::NATURAL { found } else { wanted };
    if raw.is_null() {
        return Ok(Value::Array(kind, None));
    }
    let raw = raw.clone();
    let values = match found {
        Kind::BOOL => elements::<bool>(raw, |value| Ok(Value::Bool(value))),
        Kind::I16 => elements::<i16>(raw, |value| integer(i64::from(value), kind)),
        Kind::I32 => elements::<i32>(raw, |value| integer(i64::from(value), kind)),
        Kind::I64 => elements::<i64>(raw, |value| integer(value, kind)),
        Kind::F32 => elements::<f32>(raw, |value| Ok(Value::F32(value))),
        Kind::F64 => elements::<f64>(raw, |value| Ok(Value::F64(value))),
        Kind::TEXT => elements::<String>(raw, |value| match kind {
            Kind::CHAR => one_character(&value),
            Kind::ENUM => Ok(Value::Enum(String::new(), Some(value))),
            _ => Ok(Value::Text(Kind::TEXT, value)),
        }),
        Kind::ENUM => labels(&raw, element.name(), kind),
        Kind::BYTES => elements::<Vec<u8>>(raw, |value| Ok(Value::Bytes(value))),
        Kind::JSON => elements::<serde_json::Value>(raw, |value| Ok(Value::Text(Kind::JSON, value.to_string()))),
        Kind::DATE => elements::<chrono::NaiveDate>(raw, |value| Ok(moment::of_date(value))),
        Kind::TIME => elements::<chrono::NaiveTime>(raw, |value| Ok(moment::of_time(value))),
        Kind::DATE_TIME => elements::<chrono::NaiveDateTime>(raw, |value| Ok(moment::of_date_time(value))),
        Kind::TIMESTAMP => elements::<chrono::DateTime<chrono::Utc>>(raw, |value| Ok(moment::of_zoned(value.fixed_offset()))),
        Kind::UUID => elements::<uuid::Uuid>(raw, |value| Ok(Value::Uuid(value.into_bytes()))),
        Kind::DECIMAL => elements::<Decimal>(raw, |value| Ok(moment::of_decimal(value))),
        _ => Err(wrong(format!("found an array of {}, which has no form here", element.name()))),
    }?;
    let values = values
        .into_iter()
        .map(|value| value.unwrap_or(Value::Null(kind)))
        .collect::<Vec<_>>();
    if values.iter().any(|value| !is_of(value, kind)) {
        return Err(wrong(format!(
            "found an array of {}, expected one of {}",
            element.name(),
            kind_name(kind)
        )));
    }
    Ok(Value::Array(kind, Some(values)))
}

type Elements = Result<Vec<Option<Value>>, DbError>;

fn elements<T>(raw: PgValueRef<'_>, each: impl Fn(T) -> Result<Value, DbError>) -> Elements
where
    T: for<'r> Decode<'r, Postgres> + Type<Postgres> + PgHasArrayType,
{
    let found = <Vec<Option<T>> as Decode<Postgres>>::decode(raw).map_err(|error| wrong(error.to_string()))?;
    found.into_iter().map(|value| value.map(&each).transpose()).collect()
}

/// An array of an enum, from the wire: dimensions, flags, type, then length and lower bound, then each label with its length.
fn labels(raw: &PgValueRef<'_>, name: &str, kind: Kind) -> Elements {
    let mut rest = bytes(raw)?;
    let dimensions = take_i32(&mut rest)?;
    let (_flags, _type) = (take_i32(&mut rest)?, take_i32(&mut rest)?);
    if dimensions == 0 {
        return Ok(Vec::new());
    }
    if dimensions > 1 {
        return Err(wrong(format!("found an array with {dimensions} dimensions, expected one")));
    }
    let (length, _lower) = (take_i32(&mut rest)?, take_i32(&mut rest)?);
    let mut found = Vec::new();
    for _ in 0..length {
        let Ok(size) = usize::try_from(take_i32(&mut rest)?) else {
            found.push(None);
            continue;
        };
        let (label, later) = rest.split_at_checked(size).ok_or_else(short)?;
        rest = later;
        let label = utf8(label)?;
        found.push(Some(match kind {
            Kind::TEXT => Value::Text(Kind::TEXT, label),
            _ => Value::Enum(name.to_owned(), Some(label)),
        }));
    }
    Ok(found)
}

fn take_i32(rest: &mut &[u8]) -> Result<i32, DbError> {
    let (four, later) = rest.split_first_chunk::<4>().ok_or_else(short)?;
    *rest = later;
    Ok(i32::from_be_bytes(*four))
}

fn is_of(value: &Value, kind: Kind) -> bool {
    match value {
        Value::Null(_) => true,
        Value::Bool(_) => kind == Kind::BOOL,
        Value::Int(found, _) | Value::Uint(found, _) => kind == *found,
        Value::F32(_) => kind == Kind::F32,
        Value::F64(_) => kind == Kind::F64,
        Value::Text(found, _) => kind == *found,
        Value::Char(_) => kind == Kind::CHAR,
        Value::Bytes(_) => kind == Kind::BYTES,
        Value::Date(_) => kind == Kind::DATE,
        Value::Time(_) => kind == Kind::TIME,
        Value::DateTime(..) => kind == Kind::DATE_TIME,
        Value::Timestamp(..) => kind == Kind::TIMESTAMP,
        Value::Uuid(_) => kind == Kind::UUID,
        Value::Decimal(_) => kind == Kind::DECIMAL,
        Value::Enum(..) => kind == Kind::ENUM,
        Value::Array(..) => false,
    }
}

fn bytes<'r>(raw: &PgValueRef<'r>) -> Result<&'r [u8], DbError> {
    raw.as_bytes().map_err(|error| wrong(error.to_string()))
}

fn fixed<const N: usize>(raw: &PgValueRef<'_>) -> Result<[u8; N], DbError> {
    bytes(raw)?.try_into().map_err(|_| short())
}

fn utf8(bytes: &[u8]) -> Result<String, DbError> {
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|_| wrong("found text that is not UTF-8".to_owned()))
}

fn decode<'r, T: Decode<'r, Postgres>>(raw: PgValueRef<'r>) -> Result<T, DbError> {
    T::decode(raw).map_err(|error| wrong(error.to_string()))
}

fn infinite() -> DbError {
    wrong("found a date that is infinite or out of range, expected one on the calendar".to_owned())
}

fn short() -> DbError {
    wrong("found a value of an unexpected length".to_owned())
}

fn wrong(message: String) -> DbError {
    DbError::new(DbErrorKind::Type, message)
}

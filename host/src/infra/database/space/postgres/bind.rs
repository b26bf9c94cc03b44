//! Arguments for PostgreSQL, with the wire types that sea-orm's own driver uses.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgHasArrayType, PgTypeInfo};
use sqlx::{Arguments, Encode, Postgres, Type};
use wharf_plugin_api::sql::{Kind, Value};

use super::super::moment;
use crate::ports::database::{DbError, DbErrorKind};

/// PostgreSQL's type `unknown`: what stands there decides.
const UNKNOWN: Oid = Oid(705);

/// Text whose type the statement decides: values of enums, and nulls nobody knows a kind of.
struct Open(Option<String>);

/// JSON that is text already.
struct Json<'a>(&'a str);

impl Type<Postgres> for Open {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(UNKNOWN)
    }
}

impl Encode<'_, Postgres> for Open {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let Some(text) = &self.0 else {
            return Ok(IsNull::Yes);
        };
        buffer.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }
}

impl Type<Postgres> for Json<'_> {
    fn type_info() -> PgTypeInfo {
        <serde_json::Value as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for Json<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        // Version 1 of JSONB on the wire: the text.
        buffer.push(1);
        buffer.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }
}

/// All arguments of a statement.
pub(super) fn arguments(values: &[Value]) -> Result<PgArguments, DbError> {
    let mut args = PgArguments::default();
    for (index, value) in values.iter().enumerate() {
        bind(&mut args, value).map_err(|error| DbError {
            message: format!("argument {}: {}", index + 1, error.message),
            ..error
        })?;
    }
    Ok(args)
}

fn bind(args: &mut PgArguments, value: &Value) -> Result<(), DbError> {
    match value {
        Value::Null(kind) => null(args, *kind),
        Value::Bool(value) => add(args, *value),
        Value::Int(kind, value) => match *kind {
            Kind::I8 | Kind::I16 => add(args, narrow::<i16>(*value)?),
            Kind::I32 => add(args, narrow::<i32>(*value)?),
            _ => add(args, *value),
        },
        Value::Uint(kind, value) => match *kind {
            Kind::U8 => add(args, narrow::<i16>(signed(*value)?)?),
            Kind::U16 => add(args, narrow::<i32>(signed(*value)?)?),
            _ => add(args, signed(*value)?),
        },
        Value::F32(value) => add(args, *value),
        Value::F64(value) => add(args, *value),
        Value::Text(Kind::JSON, value) => add(args, Json(value)),
        Value::Text(_, value) => add(args, text(value)?),
        Value::Char(value) => add(args, text(&value.to_string())?.to_owned()),
        Value::Bytes(value) => add(args, value.as_slice()),
        Value::Date(days) => add(args, moment::date(*days)?),
        Value::Time(nanos) => add(args, moment::time(*nanos)?),
        Value::DateTime(seconds, nanos) => add(args, moment::date_time(*seconds, *nanos)?),
        Value::Timestamp(seconds, nanos, _) => add(args, moment::utc(*seconds, *nanos)?),
        Value::Uuid(bytes) => add(args, uuid::Uuid::from_bytes(*bytes)),
        Value::Decimal(bytes) => add(args, moment::decimal(*bytes)),
        Value::Enum(_, value) => add(args, Open(value.clone())),
        Value::Array(kind, values) => array(args, *kind, values.as_deref()),
    }
}

/// A null has a type too, or `$1 IS NULL` and overloaded functions would not know what is meant.
fn null(args: &mut PgArguments, kind: Kind) -> Result<(), DbError> {
    match kind {
        Kind::BOOL => add(args, None::<bool>),
        Kind::I8 | Kind::I16 | Kind::U8 => add(args, None::<i16>),
        Kind::I32 | Kind::U16 => add(args, None::<i32>),
        Kind::I64 | Kind::U32 | Kind::U64 => add(args, None::<i64>),
        Kind::F32 => add(args, None::<f32>),
        Kind::F64 => add(args, None::<f64>),
        Kind::TEXT | Kind::CHAR => add(args, None::<String>),
        Kind::BYTES => add(args, None::<Vec<u8>>),
        Kind::JSON => add(args, None::<serde_json::Value>),
        Kind::DATE => add(args, None::<chrono::NaiveDate>),
        Kind::TIME => add(args, None::<chrono::NaiveTime>),
        Kind::DATE_TIME => add(args, None::<chrono::NaiveDateTime>),
        Kind::TIMESTAMP => add(args, None::<chrono::DateTime<chrono::Utc>>),
        Kind::UUID => add(args, None::<uuid::Uuid>),
        Kind::DECIMAL => add(args, None::<rust_decimal::Decimal>),
        _ => add(args, Open(None)),
    }
}

fn array(args: &mut PgArguments, kind: Kind, values: Option<&[Value]>) -> Result<(), DbError> {
    match kind {
        Kind::BOOL => elements(args, values, |value| match value {
            Value::Bool(value) => Ok(*value),
            other => Err(not_a("boolean", other)),
        }),
        Kind::I8 | Kind::I16 | Kind::U8 => elements(args, values, |value| narrow::<i16>(integer(value)?)),
        Kind::I32 | Kind::U16 => elements(args, values, |value| narrow::<i32>(integer(value)?)),
        Kind::I64 | Kind::U32 | Kind::U64 => elements(args, values, integer),
        Kind::F32 => elements(args, values, |value| match value {
            Value::F32(value) => Ok(*value),
            other => Err(not_a("number of 32 bits", other)),
        }),
        Kind::F64 => elements(args, values, |value| match value {
            Value::F64(value) => Ok(*value),
            other => Err(not_a("number of 64 bits", other)),
        }),
        Kind::TEXT | Kind::CHAR | Kind::ENUM => elements(args, values, |value| match value {
            Value::Char(value) => Ok(value.to_string()),
            other => other.as_text().map(str::to_owned).ok_or_else(|| not_a("text", other)),
        }),
        Kind::BYTES => elements(args, values, |value| match value {
            Value::Bytes(value) => Ok(value.clone()),
            other => Err(not_a("bytes", other)),
        }),
        Kind::JSON => elements(args, values, |value| {
            let json = value
                .as_text()
                .and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
            json.ok_or_else(|| not_a("JSON", value))
        }),
        Kind::DATE => elements(args, values, |value| match value {
            Value::Date(days) => moment::date(*days),
            other => Err(not_a("date", other)),
        }),
        Kind::TIME => elements(args, values, |value| match value {
            Value::Time(nanos) => moment::time(*nanos),
            other => Err(not_a("time", other)),
        }),
        Kind::DATE_TIME => elements(args, values, |value| match value {
            Value::DateTime(seconds, nanos) => moment::date_time(*seconds, *nanos),
            other => Err(not_a("date and time", other)),
        }),
        Kind::TIMESTAMP => elements(args, values, |value| match value {
            Value::Timestamp(seconds, nanos, _) => moment::utc(*seconds, *nanos),
            other => Err(not_a("point in time", other)),
        }),
        Kind::UUID => elements(args, values, |value| match value {
            Value::Uuid(bytes) => Ok(uuid::Uuid::from_bytes(*bytes)),
            other => Err(not_a("UUID", other)),
        }),
        Kind::DECIMAL => elements(args, values, |value| match value {
            Value::Decimal(bytes) => Ok(moment::decimal(*bytes)),
            other => Err(not_a("decimal", other)),
        }),
        _ => Err(refused(format!("arrays of kind {} are not known to this host", kind.0))),
    }
}

/// An array of one type; nulls in it stay nulls.
fn elements<T>(args: &mut PgArguments, values: Option<&[Value]>, each: impl Fn(&Value) -> Result<T, DbError>) -> Result<(), DbError>
where
    T: for<'q> Encode<'q, Postgres> + Type<Postgres> + PgHasArrayType,
{
    let Some(values) = values else {
        return add(args, None::<Vec<T>>);
    };
    let one = |value: &Value| match value {
        Value::Null(_) | Value::Enum(_, None) => Ok(None),
        value => each(value).map(Some),
    };
    let values: Vec<Option<T>> = values.iter().map(one).collect::<Result<_, _>>()?;
    add(args, values)
}

fn add<'t, T: Encode<'t, Postgres> + Type<Postgres>>(args: &mut PgArguments, value: T) -> Result<(), DbError> {
    args.add(value).map_err(|error| refused(format!("cannot be encoded: {error}")))
}

fn integer(value: &Value) -> Result<i64, DbError> {
    match value {
        Value::Int(_, value) => Ok(*value),
        Value::Uint(_, value) => signed(*value),
        other => Err(not_a("integer", other)),
    }
}

fn signed(value: u64) -> Result<i64, DbError> {
    i64::try_from(value).map_err(|_| refused(format!("found {value}, expected at most {}: integers here are signed", i64::MAX)))
}

fn narrow<T: TryFrom<i64>>(value: i64) -> Result<T, DbError> {
    T::try_from(value).map_err(|_| refused(format!("found {value}, which does not fit its own kind")))
}

fn text(value: &str) -> Result<&str, DbError> {
    if value.contains('\0') {
        return Err(refused("found text with a NUL character, which PostgreSQL cannot store".to_owned()));
    }
    Ok(value)
}

fn not_a(expected: &str, found: &Value) -> DbError {
    let found = match found {
        Value::Array(..) => "an array in an array",
        _ => "another kind",
    };
    refused(format!("found {found}, expected only elements that are a {expected}"))
}

fn refused(message: String) -> DbError {
    DbError::new(DbErrorKind::Type, message)
}

//! Arguments for SQLite, in the forms that sea-orm and sqlx write too.

use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, Encode, Sqlite, Type};
use wharf_plugin_api::sql::Value;

use super::super::moment;
use crate::ports::database::{DbError, DbErrorKind};

/// All arguments of a statement.
pub(super) fn arguments(values: &[Value]) -> Result<SqliteArguments, DbError> {
    let mut args = SqliteArguments::default();
    for (index, value) in values.iter().enumerate() {
        bind(&mut args, value).map_err(|error| DbError {
            message: format!("argument {}: {}", index + 1, error.message),
            ..error
        })?;
    }
    Ok(args)
}

fn bind(args: &mut SqliteArguments, value: &Value) -> Result<(), DbError> {
    match value {
        Value::Null(_) | Value::Array(_, None) => add(args, None::<i64>),
        Value::Bool(value) => add(args, *value),
        Value::Int(_, value) => add(args, *value),
        Value::Uint(_, value) => {
            let signed = i64::try_from(*value);
            add(
                args,
                signed.map_err(|_| refused(format!("found {value}, expected at most {}: integers here are signed", i64::MAX)))?,
            )
        }
        Value::F32(value) if value.is_nan() => Err(nan()),
        Value::F64(value) if value.is_nan() => Err(nan()),
        Value::F32(value) => add(args, f64::from(*value)),
        Value::F64(value) => add(args, *value),
        Value::Text(_, value) => add(args, value.clone()),
        Value::Char(value) => add(args, value.to_string()),
        Value::Bytes(value) => add(args, value.clone()),
        Value::Date(days) => add(args, moment::date(*days)?),
        Value::Time(nanos) => add(args, moment::time(*nanos)?),
        Value::DateTime(seconds, nanos) => add(args, moment::date_time(*seconds, *nanos)?),
        Value::Timestamp(seconds, nanos, offset) => add(args, moment::zoned(*seconds, *nanos, *offset)?),
        Value::Uuid(bytes) => add(args, uuid::Uuid::from_bytes(*bytes)),
        Value::Decimal(bytes) => add(args, moment::decimal(*bytes).to_string()),
        Value::Enum(_, value) => add(args, value.clone()),
        Value::Array(_, Some(_)) => Err(refused("found an array, and SQLite has none: store JSON or rows".to_owned())),
    }
}

fn add<'t, T: Encode<'t, Sqlite> + Type<Sqlite>>(args: &mut SqliteArguments, value: T) -> Result<(), DbError> {
    args.add(value).map_err(|error| refused(format!("cannot be encoded: {error}")))
}

fn nan() -> DbError {
    refused("found NaN, which SQLite would store as NULL".to_owned())
}

fn refused(message: String) -> DbError {
    DbError::new(DbErrorKind::Type, message)
}

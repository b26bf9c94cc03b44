//! To bytes. Never fails: what does not fit its kind is written as the widest kind of its sort.

use super::{ARRAY, FORMAT, KIND, NULL, op, reply, target};
use crate::sql::{Answer, Failure, Kind, Request, Rows, Statement, Target, Value};

/// Writes a request.
#[must_use]
pub fn write_request(request: &Request) -> Vec<u8> {
    let mut out = Vec::with_capacity(match request {
        Request::Query(_, statement) | Request::Execute(_, statement) | Request::Open(_, statement) => {
            32 + statement.sql.len() + statement.args.len() * 12 + statement.kinds.len()
        }
        Request::ExecuteRaw(_, sql) => 32 + sql.len(),
        _ => 32,
    });
    out.push(FORMAT);
    match request {
        Request::Query(on, statement) => with_statement(&mut out, op::QUERY, *on, statement),
        Request::Execute(on, statement) => with_statement(&mut out, op::EXECUTE, *on, statement),
        Request::Open(on, statement) => with_statement(&mut out, op::OPEN, *on, statement),
        Request::ExecuteRaw(on, sql) => {
            out.push(op::EXECUTE_RAW);
            write_target(&mut out, *on);
            bytes(&mut out, sql.as_bytes());
        }
        Request::Begin(begin) => {
            out.push(op::BEGIN);
            number(&mut out, begin.within.unwrap_or(0));
            out.push(begin.isolation.0);
            out.push(u8::from(begin.read_only));
        }
        Request::Commit(tx) => with_handle(&mut out, op::COMMIT, *tx),
        Request::Rollback(tx) => with_handle(&mut out, op::ROLLBACK, *tx),
        Request::Close(cursor) => with_handle(&mut out, op::CLOSE, *cursor),
        Request::Fetch(cursor, limit) => {
            with_handle(&mut out, op::FETCH, *cursor);
            number(&mut out, u64::from(*limit));
        }
    }
    out
}

/// Writes an answer.
#[must_use]
pub fn write_answer(answer: &Answer) -> Vec<u8> {
    match answer {
        Answer::Rows(rows) => write_rows(rows),
        Answer::Done(done) => {
            let mut out = vec![FORMAT, reply::DONE];
            number(&mut out, done.affected);
            signed(&mut out, done.last_id);
            out
        }
        Answer::Handle(handle) => {
            let mut out = vec![FORMAT, reply::HANDLE];
            number(&mut out, *handle);
            out
        }
        Answer::Failed(failure) => write_failure(failure),
    }
}

/// Writes rows as an answer.
#[must_use]
pub fn write_rows(rows: &Rows) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + rows.columns.len() * 16 + rows.values.len() * 12);
    out.extend([FORMAT, reply::ROWS]);
    number(&mut out, rows.columns.len() as u64);
    for column in &rows.columns {
        bytes(&mut out, column.as_bytes());
    }
    // A reader refuses half a row.
    let whole = rows.len() * rows.columns.len();
    number(&mut out, whole as u64);
    for value in rows.values.iter().take(whole) {
        write_value(&mut out, value);
    }
    out
}

/// Writes a failure as an answer.
#[must_use]
pub fn write_failure(failure: &Failure) -> Vec<u8> {
    let mut out = vec![FORMAT, reply::FAILED, failure.kind.0];
    for text in [&failure.code, &failure.constraint, &failure.message] {
        bytes(&mut out, text.as_bytes());
    }
    out
}

fn with_statement(out: &mut Vec<u8>, op: u8, on: Target, statement: &Statement) {
    out.push(op);
    write_target(out, on);
    bytes(out, statement.sql.as_bytes());
    number(out, statement.args.len() as u64);
    for value in &statement.args {
        write_value(out, value);
    }
    number(out, statement.kinds.len() as u64);
    out.extend(statement.kinds.iter().map(|kind| kind.0));
}

fn with_handle(out: &mut Vec<u8>, op: u8, handle: u64) {
    out.push(op);
    number(out, handle);
}

fn write_target(out: &mut Vec<u8>, on: Target) {
    match on {
        Target::Pool => out.push(target::POOL),
        Target::Replica => out.push(target::REPLICA),
        Target::Tx(tx) => with_handle(out, target::TX, tx),
    }
}

fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null(kind) => {
            out.push(tag(*kind) | NULL);
            if tag(*kind) == Kind::ENUM.0 {
                bytes(out, b"");
            }
        }
        Value::Bool(value) => out.extend([Kind::BOOL.0, u8::from(*value)]),
        Value::Int(kind, value) => {
            let is_signed = (Kind::I8.0..=Kind::I64.0).contains(&kind.0);
            out.push(if is_signed { kind.0 } else { Kind::I64.0 });
            signed(out, *value);
        }
        Value::Uint(kind, value) => {
            let is_unsigned = (Kind::U8.0..=Kind::U64.0).contains(&kind.0);
            out.push(if is_unsigned { kind.0 } else { Kind::U64.0 });
            number(out, *value);
        }
        Value::F32(value) => {
            out.push(Kind::F32.0);
            out.extend(value.to_le_bytes());
        }
        Value::F64(value) => {
            out.push(Kind::F64.0);
            out.extend(value.to_le_bytes());
        }
        Value::Text(kind, text) => {
            out.push(if *kind == Kind::JSON { Kind::JSON.0 } else { Kind::TEXT.0 });
            bytes(out, text.as_bytes());
        }
        Value::Char(value) => with_handle(out, Kind::CHAR.0, u64::from(u32::from(*value))),
        Value::Bytes(value) => {
            out.push(Kind::BYTES.0);
            bytes(out, value);
        }
        Value::Uuid(value) => {
            out.push(Kind::UUID.0);
            out.extend(value);
        }
        Value::Decimal(value) => {
            out.push(Kind::DECIMAL.0);
            out.extend(value);
        }
        Value::Enum(name, value) => write_enum(out, name, value.as_deref()),
        Value::Array(kind, values) => write_array(out, *kind, values.as_deref()),
        Value::Date(_) | Value::Time(_) | Value::DateTime(..) | Value::Timestamp(..) => write_time(out, value),
    }
}

fn write_time(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Date(days) => {
            out.push(Kind::DATE.0);
            signed(out, i64::from(*days));
        }
        Value::Time(nanoseconds) => with_handle(out, Kind::TIME.0, *nanoseconds),
        Value::DateTime(seconds, nanoseconds) => {
            out.push(Kind::DATE_TIME.0);
            signed(out, *seconds);
            number(out, u64::from(*nanoseconds));
        }
        Value::Timestamp(seconds, nanoseconds, offset) => {
            out.push(Kind::TIMESTAMP.0);
            signed(out, *seconds);
            number(out, u64::from(*nanoseconds));
            signed(out, i64::from(*offset));
        }
        _ => {}
    }
}

fn write_enum(out: &mut Vec<u8>, name: &str, value: Option<&str>) {
    out.push(Kind::ENUM.0 | if value.is_none() { NULL } else { 0 });
    bytes(out, name.as_bytes());
    if let Some(value) = value {
        bytes(out, value.as_bytes());
    }
}

fn write_array(out: &mut Vec<u8>, kind: Kind, values: Option<&[Value]>) {
    let Some(values) = values else {
        out.push(tag(kind) | ARRAY | NULL);
        return;
    };
    out.push(tag(kind) | ARRAY);
    number(out, values.len() as u64);
    for value in values {
        // Arrays of arrays do not exist here.
        match value {
            Value::Array(..) => write_value(out, &Value::Null(kind)),
            value => write_value(out, value),
        }
    }
}

/// A kind as it stands in a tag; one that does not fit is no kind.
const fn tag(kind: Kind) -> u8 {
    if kind.0 <= KIND { kind.0 } else { Kind::NATURAL.0 }
}

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[inline]
fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[inline]
fn signed(out: &mut Vec<u8>, value: i64) {
    number(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

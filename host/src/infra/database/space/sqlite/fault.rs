//! What SQLite's errors mean.

use crate::ports::database::{DbError, DbErrorKind};

/// From sqlx. `late`: the statement had used up its time.
pub(super) fn of(error: sqlx::Error, late: bool) -> DbError {
    match error {
        sqlx::Error::Database(error) => {
            let code: i32 = error.code().and_then(|code| code.parse().ok()).unwrap_or(0);
            of_code(code, error.message(), late)
        }
        sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => {
            DbError::new(DbErrorKind::Unavailable, format!("the file cannot be used: {error}"))
        }
        other => DbError::new(DbErrorKind::Other, other.to_string()),
    }
}

/// From an extended result code, see <https://www.sqlite.org/rescode.html>.
fn of_code(code: i32, message: &str, late: bool) -> DbError {
    let kind = match (code, code & 0xff) {
        (2067 | 1555 | 2579, _) => DbErrorKind::Unique,
        (787, _) => DbErrorKind::ForeignKey,
        (1299, _) => DbErrorKind::NotNull,
        (275, _) => DbErrorKind::Check,
        (3091, _) | (_, 20) => DbErrorKind::Type,
        (517, _) => DbErrorKind::Conflict,
        // The commit hook: something wanted to commit inside of a transaction that has ended.
        (531, _) => DbErrorKind::Gone,
        (_, 5 | 6) => DbErrorKind::Busy,
        (_, 8 | 18 | 23) => DbErrorKind::Refused,
        (_, 9) if late => DbErrorKind::Timeout,
        (_, 13) => DbErrorKind::Full,
        (_, 10 | 11 | 14 | 26) => DbErrorKind::Unavailable,
        _ => DbErrorKind::Other,
    };
    let message = match kind {
        DbErrorKind::Full => "the disk or the space is full: nothing of this statement was kept; free some room and try again".to_owned(),
        DbErrorKind::Timeout => "the statement took longer than database.modules.statement_timeout and was stopped".to_owned(),
        DbErrorKind::Gone => "the transaction has ended before this statement: nothing of it was kept".to_owned(),
        DbErrorKind::Refused if code & 0xff == 8 => "found a statement that writes, expected one that reads".to_owned(),
        DbErrorKind::Busy => format!("another process has the file: {message}"),
        DbErrorKind::Unavailable => format!("the file cannot be used: {message}"),
        _ => message.to_owned(),
    };
    DbError {
        kind,
        code: code.to_string(),
        constraint: constraint_of(kind, &message),
        message,
    }
}

/// `UNIQUE constraint failed: t.a, t.b`: the columns, or the name of a check.
fn constraint_of(kind: DbErrorKind, message: &str) -> String {
    match kind {
        DbErrorKind::Unique | DbErrorKind::NotNull | DbErrorKind::Check => {
            message.split_once("failed: ").map_or("", |(_, name)| name).to_owned()
        }
        _ => String::new(),
    }
}

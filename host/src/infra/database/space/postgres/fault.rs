//! What PostgreSQL's errors mean.

use sqlx::postgres::PgDatabaseError;

use crate::ports::database::{DbError, DbErrorKind};

/// From sqlx.
pub(super) fn of(error: sqlx::Error) -> DbError {
    match error {
        sqlx::Error::Database(error) => match error.try_downcast::<PgDatabaseError>() {
            Ok(error) => of_server(&error),
            Err(error) => DbError::new(DbErrorKind::Other, error.to_string()),
        },
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed | sqlx::Error::PoolClosed => {
            DbError::new(DbErrorKind::Unavailable, format!("PostgreSQL does not answer: {error}"))
        }
        // A configuration may hold a password: what it says stays here.
        sqlx::Error::Configuration(_) => DbError::new(DbErrorKind::Unavailable, "the address of the database cannot be read"),
        other => DbError::new(DbErrorKind::Other, other.to_string()),
    }
}

fn of_server(error: &PgDatabaseError) -> DbError {
    let code = error.code();
    let kind = kind_of(code);
    let message = match kind {
        DbErrorKind::Full => {
            "the disk of the database is full: nothing of this statement was kept; free some room and try again".to_owned()
        }
        DbErrorKind::Timeout => "the statement took longer than database.modules.statement_timeout and was stopped".to_owned(),
        // What could not be read is repeated after a colon: it may be an argument.
        _ if code.starts_with("22") => error.message().split(": \"").next().unwrap_or_default().to_owned(),
        _ => error.message().to_owned(),
    };
    let constraint = match kind {
        DbErrorKind::NotNull => error.column(),
        _ => error.constraint(),
    };
    DbError {
        kind,
        code: code.to_owned(),
        constraint: constraint.unwrap_or_default().to_owned(),
        message,
    }
}

/// From SQLSTATE, see <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn kind_of(code: &str) -> DbErrorKind {
    match code {
        "23505" => DbErrorKind::Unique,
        "23503" => DbErrorKind::ForeignKey,
        "23502" => DbErrorKind::NotNull,
        "23514" | "23P01" => DbErrorKind::Check,
        "40001" | "40P01" => DbErrorKind::Conflict,
        "57014" => DbErrorKind::Timeout,
        "55P03" | "53300" => DbErrorKind::Busy,
        "53100" => DbErrorKind::Full,
        "25006" | "42501" => DbErrorKind::Refused,
        "42804" | "42846" => DbErrorKind::Type,
        "25P03" | "25P04" | "3D000" => DbErrorKind::Unavailable,
        _ => match code.get(..2) {
            Some("08" | "28" | "57" | "58") => DbErrorKind::Unavailable,
            Some("22") => DbErrorKind::Type,
            Some("54") => DbErrorKind::Refused,
            _ => DbErrorKind::Other,
        },
    }
}

/// The same, from a replica: one that is behind has not heard yet of a role, a schema, a table, a column or a function that the
/// primary has.
pub(super) fn of_replica(error: DbError) -> DbError {
    let is_behind = matches!(error.code.as_str(), "3F000" | "42P01" | "42703" | "42883" | "42704");
    let (kind, what) = if is_behind {
        (DbErrorKind::Unavailable, "the read replica does not have this (yet)")
    } else {
        (error.kind, "the read replica")
    };
    DbError {
        kind,
        message: format!("{what}: {}", error.message),
        ..error
    }
}

/// Whether a statement failed only since its table has changed after it was prepared.
pub(super) fn is_stale_plan(error: &DbError) -> bool {
    error.code == "0A000" && error.message.contains("cached plan")
}

//! Between the port and what crosses.

use wharf_plugin_api::services::database::DialectKind;
use wharf_plugin_api::sql::{BeginWith, Failure, FailureKind, IsolationKind};

use crate::ports::database::{Begin, DbError, DbErrorKind, Dialect, Isolation, TxId};

pub(super) const fn dialect(dialect: Dialect) -> DialectKind {
    match dialect {
        Dialect::Sqlite => DialectKind::SQLITE,
        Dialect::Postgres => DialectKind::POSTGRES,
    }
}

pub(super) fn begin(asked: &BeginWith) -> Result<Begin, DbError> {
    let isolation = match asked.isolation {
        IsolationKind::DEFAULT => Isolation::Default,
        IsolationKind::READ_COMMITTED => Isolation::ReadCommitted,
        IsolationKind::REPEATABLE_READ => Isolation::RepeatableRead,
        IsolationKind::SERIALIZABLE => Isolation::Serializable,
        IsolationKind(other) => {
            return Err(DbError::new(
                DbErrorKind::Refused,
                format!("found isolation level {other}, expected 0 to 3; the module was built for a newer host"),
            ));
        }
    };
    Ok(Begin {
        within: asked.within.map(TxId),
        isolation,
        read_only: asked.read_only,
    })
}

pub(super) fn failure(error: DbError) -> Failure {
    Failure {
        kind: match error.kind {
            DbErrorKind::Unique => FailureKind::UNIQUE,
            DbErrorKind::ForeignKey => FailureKind::FOREIGN_KEY,
            DbErrorKind::NotNull => FailureKind::NOT_NULL,
            DbErrorKind::Check => FailureKind::CHECK,
            DbErrorKind::Conflict => FailureKind::CONFLICT,
            DbErrorKind::Timeout => FailureKind::TIMEOUT,
            DbErrorKind::Busy => FailureKind::BUSY,
            DbErrorKind::Unavailable => FailureKind::UNAVAILABLE,
            DbErrorKind::Type => FailureKind::TYPE,
            DbErrorKind::Refused => FailureKind::REFUSED,
            DbErrorKind::Gone => FailureKind::GONE,
            DbErrorKind::Full => FailureKind::FULL,
            DbErrorKind::Other => FailureKind::OTHER,
        },
        code: error.code,
        constraint: error.constraint,
        message: error.message,
    }
}

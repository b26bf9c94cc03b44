//! Errors of the database as sea-orm's, and back.
//!
//! `DbErr` has no room for them but a text, so what kind of failure it was stands at its end:
//! `UNIQUE constraint failed: post.slug [db:unique|2067|post.slug]`.

use sea_orm::{DbErr, RuntimeErr};
use wharf_plugin_api::sql::codec::CodecError;
use wharf_plugin_api::sql::{Failure, FailureKind};
use wharf_plugin_api::{Fault, FaultCode};

use super::entities::Column;

/// What kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DbFailureKind {
    /// A unique or primary key exists already.
    Unique,
    /// A foreign key points nowhere, or something points here.
    ForeignKey,
    /// A column that must not be null is.
    NotNull,
    /// A check failed.
    Check,
    /// Another transaction was in the way: the whole transaction may be tried again.
    Conflict,
    /// It took longer than allowed.
    Timeout,
    /// No connection was free in time.
    Busy,
    /// The database does not answer.
    Unavailable,
    /// A value does not have the type of its column's field, or does not fit into it.
    Type,
    /// It may not be done here: outside the module's space, a write where only reads are, a forbidden statement.
    Refused,
    /// The transaction or stream is not there any more: its call has ended, or it was open for too long.
    Gone,
    /// The disk is full.
    Full,
    /// The instance was stopped.
    Stopped,
    /// The database did not understand it, or anything else.
    Other,
}

/// What a database said when it did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DbFailure {
    /// What kind.
    pub kind: DbFailureKind,
    /// SQLSTATE, or SQLite's extended code; may be empty.
    pub code: String,
    /// Name of the constraint, or its columns on SQLite (`post.slug`); may be empty.
    pub constraint: String,
    /// What happened. Never contains arguments, and is not meant for clients.
    pub message: String,
}

/// What a `DbErr` that came from the host was. sea-orm's own `DbErr::sql_err()` is always `None` in a module: it knows only the
/// errors of sqlx, which is on the other side.
pub trait DbErrExt {
    /// What the database said; none for errors of sea-orm itself.
    fn failure(&self) -> Option<DbFailure>;

    /// A unique or primary key exists already.
    fn is_unique(&self) -> bool {
        self.failure().is_some_and(|failure| failure.kind == DbFailureKind::Unique)
    }

    /// A foreign key points nowhere, or something points here.
    fn is_foreign_key(&self) -> bool {
        self.failure().is_some_and(|failure| failure.kind == DbFailureKind::ForeignKey)
    }

    /// Whether doing the whole transaction again may help.
    fn is_transient(&self) -> bool {
        use DbFailureKind::{Busy, Conflict, Timeout, Unavailable};
        self.failure()
            .is_some_and(|failure| matches!(failure.kind, Conflict | Timeout | Busy | Unavailable))
    }

    /// The constraint that was violated; its columns (`post.slug`) on SQLite.
    fn constraint(&self) -> Option<String> {
        Some(self.failure()?.constraint).filter(|constraint| !constraint.is_empty())
    }
}

const NAMES: [(DbFailureKind, &str); 14] = [
    (DbFailureKind::Unique, "unique"),
    (DbFailureKind::ForeignKey, "foreign-key"),
    (DbFailureKind::NotNull, "not-null"),
    (DbFailureKind::Check, "check"),
    (DbFailureKind::Conflict, "conflict"),
    (DbFailureKind::Timeout, "timeout"),
    (DbFailureKind::Busy, "busy"),
    (DbFailureKind::Unavailable, "unavailable"),
    (DbFailureKind::Type, "type"),
    (DbFailureKind::Refused, "refused"),
    (DbFailureKind::Gone, "gone"),
    (DbFailureKind::Full, "full"),
    (DbFailureKind::Stopped, "stopped"),
    (DbFailureKind::Other, "other"),
];

impl DbErrExt for DbErr {
    fn failure(&self) -> Option<DbFailure> {
        let text = match self {
            DbErr::Conn(RuntimeErr::Internal(text))
            | DbErr::Exec(RuntimeErr::Internal(text))
            | DbErr::Query(RuntimeErr::Internal(text)) => text,
            DbErr::Type(text) => text,
            _ => return None,
        };
        let (message, mark) = text.strip_suffix(']')?.rsplit_once(" [db:")?;
        let mut parts = mark.splitn(3, '|');
        let kind = parts.next()?;
        let kind = NAMES.iter().find(|(_, name)| *name == kind)?.0;
        Some(DbFailure {
            kind,
            code: parts.next()?.to_owned(),
            constraint: parts.next()?.to_owned(),
            message: message.to_owned(),
        })
    }
}

/// Whether rows or none were asked for: sea-orm tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum While {
    Querying,
    Executing,
}

pub(crate) fn failed(failure: &Failure, during: While) -> DbErr {
    // What is between the marks must not end them.
    let clean = |text: &str| text.replace(['[', ']', '|'], " ");
    let text = format!(
        "{} [db:{}|{}|{}]",
        failure.message,
        failure.kind.name(),
        clean(&failure.code),
        clean(&failure.constraint)
    );
    match (failure.kind, during) {
        (FailureKind::TYPE, _) => DbErr::Type(text),
        (FailureKind::BUSY | FailureKind::UNAVAILABLE | FailureKind::GONE, _) => DbErr::Conn(RuntimeErr::Internal(text)),
        (_, While::Querying) => DbErr::Query(RuntimeErr::Internal(text)),
        (_, While::Executing) => DbErr::Exec(RuntimeErr::Internal(text)),
    }
}

pub(crate) fn fault(fault: &Fault) -> DbErr {
    let kind = match fault.code {
        FaultCode::STOPPED => "stopped",
        FaultCode::UNAVAILABLE => "unavailable",
        FaultCode::BUSY => "busy",
        FaultCode::DEADLINE => "timeout",
        _ => "other",
    };
    DbErr::Conn(RuntimeErr::Internal(format!("{} [db:{kind}||]", fault.message)))
}

pub(crate) fn codec(error: CodecError) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(format!("{error} [db:other||]")))
}

pub(crate) fn unexpected(wanted: &str) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(format!(
        "the host answered with something else, expected {wanted} [db:other||]"
    )))
}

pub(crate) fn wrong_type(name: &str, found: &str, column: Option<&Column>) -> DbErr {
    let expected = match column {
        Some(Column { kind, is_array: true }) => format!("an array of {kind:?}, as its field is"),
        Some(Column { kind, .. }) => format!("{kind:?}, as its field is"),
        None => "a value in the range of its type".to_owned(),
    };
    DbErr::Type(format!(
        "column {name:?}: found {found} that is none or does not fit, expected {expected} [db:type||]"
    ))
}

pub(crate) fn unknown_table(table: &str) -> DbErr {
    DbErr::Type(format!(
        "table {table:?} is not registered, so the types of its columns are not known: list its entity in `fn entities()` of the module \
         (`wharf_sdk::entities![{table}::Entity]`) [db:type||]"
    ))
}

pub(crate) fn no_such_kind(place: usize) -> DbErr {
    DbErr::Type(format!(
        "argument {}: found a value of a feature of sea-orm that does not cross to the host, expected one of the kinds in \
         docs/module-author/database.md [db:type||]",
        place + 1
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_failure_comes_out_of_the_error_as_it_went_in() {
        let failure = Failure {
            kind: FailureKind::UNIQUE,
            code: "23505".to_owned(),
            constraint: "posts_slug_key".to_owned(),
            message: "a [db:odd|x|y] message".to_owned(),
        };
        let error = failed(&failure, While::Querying);
        assert!(matches!(error, DbErr::Query(_)));
        assert!(error.is_unique() && !error.is_foreign_key() && !error.is_transient());
        assert_eq!(error.constraint().as_deref(), Some("posts_slug_key"));
        assert_eq!(error.failure().unwrap().message, "a [db:odd|x|y] message");
        assert_eq!(DbErr::RecordNotInserted.failure(), None);
    }

    #[test]
    fn every_kind_has_its_name_on_both_sides() {
        for code in 0..=12 {
            let failure = Failure {
                kind: FailureKind(code),
                ..Failure::default()
            };
            assert!(failed(&failure, While::Executing).failure().is_some(), "{code}");
        }
        let stopped = fault(&Fault::new(FaultCode::STOPPED, "this instance was stopped"));
        assert_eq!(stopped.failure().unwrap().kind, DbFailureKind::Stopped);
    }
}

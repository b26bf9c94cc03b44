//! What a module may say to PostgreSQL.
//!
//! Its role is what keeps a module in its schema. What is refused here would leave something behind in a connection others use
//! next, or end a transaction behind the executor's back: a guard rail.

use super::super::engine::{Effect, Plan};
use super::super::sql::{Token, statements};
use crate::ports::database::{DbError, DbErrorKind, Dialect};

/// Objects that belong to the whole server or to other spaces.
const NOT_OWN: &[&str] = &[
    "ROLE",
    "USER",
    "GROUP",
    "DATABASE",
    "TABLESPACE",
    "SUBSCRIPTION",
    "SYSTEM",
    "SCHEMA",
    "SERVER",
    "FOREIGN",
];

/// Functions that leave something in the session.
const SESSION: &[&str] = &[
    "set_config",
    "pg_advisory_lock",
    "pg_advisory_lock_shared",
    "pg_try_advisory_lock",
    "pg_try_advisory_lock_shared",
];

/// Looks at a text.
pub(super) fn plan(sql: &str) -> Result<Plan, DbError> {
    let mut plan = Plan {
        effects: Vec::with_capacity(1),
        stains: false,
    };
    for statement in statements(sql, Dialect::Postgres) {
        plan.effects.push(effect(&statement)?);
        plan.stains |= stains(&statement);
    }
    if plan.effects.is_empty() {
        return Err(DbError::new(DbErrorKind::Other, "found no statement in the text, expected one"));
    }
    Ok(plan)
}

fn effect(statement: &[Token<'_>]) -> Result<Effect, DbError> {
    let Some(Token::Word(first)) = statement.iter().find(|token| **token != Token::Symbol(b'(')) else {
        return Ok(Effect::Read);
    };
    let own_transactions = || {
        refused(format!(
            "{first} in a statement: begin, commit and roll back through the database handle"
        ))
    };
    Ok(match first.to_ascii_uppercase().as_str() {
        "SELECT" | "VALUES" | "TABLE" | "SHOW" | "EXPLAIN" => Effect::Read,
        "WITH" if statement.iter().any(|token| token.is_any(&["INSERT", "UPDATE", "DELETE", "MERGE"])) => Effect::Change,
        "WITH" => Effect::Read,
        "INSERT" | "UPDATE" | "DELETE" | "MERGE" => Effect::Change,
        "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" | "SAVEPOINT" | "RELEASE" | "PREPARE" => return Err(own_transactions()),
        "SET" => set(statement)?,
        "RESET" | "DISCARD" | "DEALLOCATE" | "LISTEN" | "UNLISTEN" | "LOAD" | "COPY" | "REASSIGN" => {
            return Err(refused(format!(
                "{first} changes the connection for those who have it next, or reaches out of the space"
            )));
        }
        "CREATE" | "ALTER" | "DROP" if is_not_own(statement) => {
            return Err(refused(format!("{first} of something that is not in the module's own schema")));
        }
        _ => Effect::Define,
    })
}

/// Only what ends with the transaction, and not who the module is or where its names lead.
fn set(statement: &[Token<'_>]) -> Result<Effect, DbError> {
    match statement {
        [_, constraints, ..] if constraints.is("CONSTRAINTS") => Ok(Effect::Read),
        [_, local, name, ..] if local.is("LOCAL") && !name.is_any(&["ROLE", "SESSION", "search_path", "standard_conforming_strings", "backslash_quote"]) && matches!(name, Token::Word(_)) => {
            Ok(Effect::Read)
        }
        _ => Err(refused("SET stays in the connection for those who have it next: use SET LOCAL in a transaction, of a setting that is not role or search_path".to_owned())),
    }
}

fn is_not_own(statement: &[Token<'_>]) -> bool {
    let mut words = statement.iter().skip(1);
    words
        .find(|token| !token.is_any(&["OR", "REPLACE"]))
        .is_some_and(|what| what.is_any(NOT_OWN))
}

fn stains(statement: &[Token<'_>]) -> bool {
    let temporary = |token: &Token<'_>| token.is_any(&["TEMP", "TEMPORARY", "pg_temp"]);
    statement.first().is_some_and(|first| first.is_any(&["DO", "CALL"]))
        || statement.iter().any(|token| token.is_any(SESSION))
        || statement
            .windows(2)
            .any(|pair| matches!(pair, [before, temp] if temporary(temp) && before.is_any(&["CREATE", "INTO", "LOCAL", "GLOBAL", "TABLE"])))
}

fn refused(message: String) -> DbError {
    DbError::new(DbErrorKind::Refused, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_a_statement_does_is_told_from_its_words() {
        for (sql, expected) in [
            ("(SELECT 1) UNION (SELECT 2)", Effect::Read),
            ("WITH a AS (DELETE FROM t RETURNING id) SELECT * FROM a", Effect::Change),
            ("SET LOCAL lock_timeout = 10", Effect::Read),
            ("SET CONSTRAINTS ALL DEFERRED", Effect::Read),
            ("CREATE TYPE mood AS ENUM ('a; DROP ROLE x')", Effect::Define),
            ("MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE", Effect::Change),
        ] {
            assert_eq!(plan(sql).unwrap().effects, [expected], "{sql}");
        }
    }

    #[test]
    fn what_leaves_the_space_or_changes_the_connection_is_refused() {
        for sql in [
            "SET ROLE x",
            "SET LOCAL ROLE x",
            "set local search_path = x",
            "SET SESSION AUTHORIZATION x",
            "RESET ALL",
            "DISCARD ALL",
            "SELECT 1; COMMIT",
            "PREPARE TRANSACTION 'x'",
            "COPY t TO '/x'",
            "LISTEN x",
            "CREATE ROLE x",
            "DROP SCHEMA x",
            "ALTER SYSTEM SET x = 1",
            "SELECT $a$ ; $a$; ALTER USER x",
        ] {
            assert_eq!(plan(sql).unwrap_err().kind, DbErrorKind::Refused, "{sql}");
        }
    }

    #[test]
    fn what_stays_in_a_session_stains_it() {
        for sql in [
            "CREATE TEMP TABLE t (a int)",
            "SELECT 1 INTO TEMP t",
            "SELECT pg_advisory_lock(1)",
            "DO $$ BEGIN END $$",
            "SELECT set_config('a', 'b', false)",
        ] {
            assert!(plan(sql).unwrap().stains, "{sql}");
        }
        assert!(!plan("SELECT pg_advisory_xact_lock(1)").unwrap().stains);
    }
}

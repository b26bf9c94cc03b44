//! What a module may say to SQLite.
//!
//! ATTACH and the like are statements of their own, so the first word of a statement tells; what stands in strings, names
//! and comments does not count. This is a guard rail against mistakes and against SQL put together from input: native code in
//! the host's process can open any file the host can.

use super::super::engine::{Effect, Plan};
use super::super::sql::{Token, statements};
use crate::ports::database::{DbError, DbErrorKind, Dialect};

/// PRAGMAs that only tell, with or without an argument.
const TELL: &[&str] = &[
    "table_info",
    "table_xinfo",
    "table_list",
    "index_list",
    "index_info",
    "index_xinfo",
    "foreign_key_list",
    "foreign_key_check",
    "integrity_check",
    "quick_check",
];

/// PRAGMAs that tell without an argument, and change the connection or the file with one.
const TELL_BARE: &[&str] = &[
    "foreign_keys",
    "schema_version",
    "encoding",
    "page_size",
    "page_count",
    "max_page_count",
    "freelist_count",
    "journal_mode",
    "synchronous",
    "busy_timeout",
    "collation_list",
    "function_list",
    "module_list",
    "pragma_list",
    "compile_options",
    "data_version",
];

/// PRAGMAs that write something of the module's own, or end with the transaction.
const WRITE: &[&str] = &[
    "user_version",
    "application_id",
    "defer_foreign_keys",
    "optimize",
    "incremental_vacuum",
];

/// Looks at a text.
pub(super) fn plan(sql: &str) -> Result<Plan, DbError> {
    let mut plan = Plan {
        effects: Vec::with_capacity(1),
        stains: false,
    };
    for statement in statements(sql, Dialect::Sqlite) {
        plan.effects.push(effect(&statement)?);
        plan.stains |= stains(&statement);
    }
    if plan.effects.is_empty() {
        return Err(DbError::new(DbErrorKind::Other, "found no statement in the text, expected one"));
    }
    Ok(plan)
}

fn effect(statement: &[Token<'_>]) -> Result<Effect, DbError> {
    let Some(Token::Word(first)) = statement.first() else {
        return Ok(Effect::Read);
    };
    Ok(match first.to_ascii_uppercase().as_str() {
        "SELECT" | "VALUES" | "EXPLAIN" => Effect::Read,
        "WITH" => with(statement),
        "INSERT" | "UPDATE" | "DELETE" | "REPLACE" => Effect::Change,
        "PRAGMA" => pragma(statement)?,
        "ATTACH" | "DETACH" => {
            return Err(refused(format!(
                "{first} reaches for another file: a module has only its own space"
            )));
        }
        "BEGIN" | "COMMIT" | "END" | "ROLLBACK" | "SAVEPOINT" | "RELEASE" => {
            return Err(refused(format!(
                "{first} in a statement: begin, commit and roll back through the database handle"
            )));
        }
        "VACUUM" if statement.iter().any(|token| token.is("INTO")) => return Err(refused("VACUUM INTO writes another file".to_owned())),
        _ => Effect::Define,
    })
}

/// A WITH changes rows when INSERT, UPDATE or DELETE stands outside of all parentheses.
fn with(statement: &[Token<'_>]) -> Effect {
    let mut depth = 0_i32;
    let mut before = Token::Literal;
    for token in statement {
        match token {
            Token::Symbol(b'(') => depth += 1,
            Token::Symbol(b')') => depth -= 1,
            // The function replace() is none.
            token if depth == 0 && token.is("INTO") && before.is("REPLACE") => return Effect::Change,
            token if depth == 0 && token.is_any(&["INSERT", "UPDATE", "DELETE"]) => return Effect::Change,
            _ => {}
        }
        before = *token;
    }
    Effect::Read
}

fn pragma(statement: &[Token<'_>]) -> Result<Effect, DbError> {
    // PRAGMA [schema .] name [= value | (value)]
    let (name, rest) = match statement {
        [_, _, Token::Symbol(b'.'), name, rest @ ..] | [_, name, rest @ ..] => (name, rest),
        _ => return Err(refused("PRAGMA without a name".to_owned())),
    };
    if name.is_any(TELL) || (name.is_any(TELL_BARE) && rest.is_empty()) {
        return Ok(Effect::Read);
    }
    if name.is_any(WRITE) {
        let changes = !rest.is_empty() || name.is_any(&["optimize", "incremental_vacuum"]);
        return Ok(if changes { Effect::Define } else { Effect::Read });
    }
    let name = match name {
        Token::Word(name) => name,
        Token::Literal | Token::Symbol(_) => "?",
    };
    Err(refused(format!("PRAGMA {name} changes how the host uses this file")))
}

/// A temporary table stays in the connection, for whoever has it next.
fn stains(statement: &[Token<'_>]) -> bool {
    matches!(statement, [create, temp, ..] if create.is("CREATE") && temp.is_any(&["TEMP", "TEMPORARY"]))
        || statement
            .windows(2)
            .any(|pair| matches!(pair, [temp, Token::Symbol(b'.')] if temp.is("temp")))
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
            ("SELECT 'insert into t' FROM \"update\"", Effect::Read),
            ("/* insert */ -- x\n values (1)", Effect::Read),
            ("WITH a AS (SELECT 1) SELECT replace(b, 'x', 'y') FROM a", Effect::Read),
            ("WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", Effect::Change),
            ("with a as (select 1) replace into t select * from a", Effect::Change),
            ("insert into t values (1) returning id", Effect::Change),
            ("CREATE TABLE t (a)", Effect::Define),
            ("PRAGMA table_info('t')", Effect::Read),
            ("PRAGMA main.table_info(t)", Effect::Read),
            ("PRAGMA foreign_keys", Effect::Read),
            ("PRAGMA user_version = 3", Effect::Define),
            ("VACUUM", Effect::Define),
        ] {
            assert_eq!(plan(sql).unwrap().effects, [expected], "{sql}");
        }
    }

    #[test]
    fn what_leaves_the_space_or_changes_the_connection_is_refused() {
        for sql in [
            "ATTACH 'x' AS y",
            "SELECT 1; /* */ attach 'x' as y",
            "DETACH y",
            "VACUUM INTO 'x'",
            "PRAGMA foreign_keys = OFF",
            "PRAGMA main.journal_mode(delete)",
            "PRAGMA writable_schema = 1",
            "PRAGMA temp_store_directory = '/'",
            "PRAGMA query_only = 0",
            "PRAGMA",
            "BEGIN",
            "commit",
            "SELECT 1; END",
            "CREATE TABLE trigger (a); ATTACH 'x' AS y",
            "CREATE TRIGGER a AFTER INSERT ON t BEGIN SELECT 1; END; ATTACH 'x' AS y",
        ] {
            assert_eq!(plan(sql).unwrap_err().kind, DbErrorKind::Refused, "{sql}");
        }
    }

    #[test]
    fn temporary_tables_stain_a_connection() {
        assert!(plan("CREATE TEMP TABLE t (a)").unwrap().stains);
        assert!(plan("CREATE TABLE temp.t (a)").unwrap().stains);
        assert!(!plan("CREATE TABLE t (temp TEXT)").unwrap().stains);
    }
}

//! What every database must do: run by each, so that a module works on all.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod cursors;
mod errors;
mod kinds;
mod transactions;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use wharf_plugin_api::sql::{Statement, Value};

use super::{Databases, DbError, Dialect, On, Space, Usage};

/// Runs all of it, each case in a space of its own; `prefix` keeps runs on the same server apart.
pub(crate) async fn passes(databases: &dyn Databases, prefix: &str) {
    for (name, case) in CASES {
        let space = databases.space(&format!("{prefix}{name}")).await.unwrap();
        case(Arc::clone(&space)).await;
        at_rest(&*space, name).await;
    }
    spaces_are_apart(databases, prefix).await;
}

/// Cases by name.
type Case = fn(Arc<dyn Space>) -> futures_util::future::BoxFuture<'static, ()>;

const CASES: &[(&str, Case)] = &[
    ("kinds", |space| Box::pin(kinds::every_kind_comes_back_full_and_null(space))),
    ("natural", |space| {
        Box::pin(kinds::without_a_kind_the_database_says_what_it_is(space))
    }),
    ("mismatch", |space| {
        Box::pin(kinds::a_value_of_another_type_is_an_error_with_the_column(space))
    }),
    ("binding", |space| {
        Box::pin(kinds::what_cannot_be_stored_is_refused_at_binding(space))
    }),
    ("typed", |space| Box::pin(errors::constraints_are_typed_and_named(space))),
    ("refused", |space| Box::pin(errors::what_a_module_may_not_say_is_refused(space))),
    ("sizes", |space| {
        Box::pin(errors::one_statement_at_a_time_and_raw_for_several(space))
    }),
    ("isolation", |space| {
        Box::pin(transactions::others_see_nothing_before_the_commit(space))
    }),
    ("savepoints", |space| Box::pin(transactions::savepoints_have_identity(space))),
    ("inner-open", |space| {
        Box::pin(transactions::a_commit_with_an_open_savepoint_rolls_back_and_fails(space))
    }),
    ("late", |space| Box::pin(transactions::a_late_rollback_does_nothing(space))),
    ("abandoned", |space| {
        Box::pin(transactions::what_is_abandoned_is_undone_before_anything_else(space))
    }),
    ("failed", |space| {
        Box::pin(transactions::a_failed_statement_leaves_a_transaction_that_can_be_ended(space))
    }),
    ("read-only", |space| {
        Box::pin(transactions::a_read_only_transaction_refuses_writes(space))
    }),
    ("writers", |space| {
        Box::pin(transactions::parallel_writers_wait_for_each_other(space))
    }),
    ("dropped", |space| Box::pin(transactions::dropped_futures_leave_nothing_open(space))),
    ("cursor", |space| Box::pin(cursors::a_cursor_gives_all_rows_in_order(space))),
    ("cursor-close", |space| Box::pin(cursors::a_cursor_may_be_closed_early(space))),
    ("cursor-tx", |space| {
        Box::pin(cursors::a_cursor_in_a_transaction_sees_it_and_ends_with_it(space))
    }),
    ("cursor-bad", |space| Box::pin(cursors::a_cursor_tells_its_error_once(space))),
];

/// One module sees nothing of another's.
async fn spaces_are_apart(databases: &dyn Databases, prefix: &str) {
    let (a, b) = (format!("{prefix}apart-a"), format!("{prefix}apart-b"));
    let (a, b) = (databases.space(&a).await.unwrap(), databases.space(&b).await.unwrap());
    a.execute_raw(On::Pool, "CREATE TABLE only_here (id INTEGER PRIMARY KEY)")
        .await
        .unwrap();
    assert!(b.query(On::Pool, &sql("SELECT * FROM only_here")).await.is_err());
    let again = databases.space(&format!("{prefix}apart-a")).await.unwrap();
    assert!(again.query(On::Pool, &sql("SELECT * FROM only_here")).await.unwrap().is_empty());
    assert!(databases.space("Not An Id").await.is_err());
}

/// Nothing is open any more.
async fn at_rest(space: &dyn Space, name: &str) {
    let calm = |usage: Usage| usage.transactions == 0 && usage.cursors == 0 && usage.in_use == 0 && usage.waiting == 0;
    for _ in 0..500 {
        if calm(space.usage()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{name}: something is still open: {:?}", space.usage());
}

/// Without arguments.
fn sql(text: &str) -> Statement {
    Statement::new(text, Vec::new())
}

/// With arguments; `?` becomes what the database says.
fn with(space: &dyn Space, text: &str, args: Vec<Value>) -> Statement {
    Statement::new(marks(space.dialect(), text), args)
}

fn marks(dialect: Dialect, text: &str) -> String {
    if dialect == Dialect::Sqlite {
        return text.to_owned();
    }
    let mut parts = text.split('?');
    let first = parts.next().unwrap_or_default().to_owned();
    parts
        .enumerate()
        .fold(first, |all, (index, part)| format!("{all}${}{part}", index + 1))
}

/// A table with a number and a text.
async fn table(space: &dyn Space) {
    space
        .execute_raw(On::Pool, "CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT)")
        .await
        .unwrap();
}

async fn insert(space: &dyn Space, on: On, id: i64) -> Result<(), DbError> {
    let statement = with(
        space,
        "INSERT INTO t (id, name) VALUES (?, ?)",
        vec![Value::int(id), Value::text(format!("n{id}"))],
    );
    space.execute(on, &statement).await.map(drop)
}

async fn ids(space: &dyn Space, on: On) -> Vec<i64> {
    let rows = space.query(on, &sql("SELECT id FROM t ORDER BY id")).await.unwrap();
    rows.iter().map(|row| row[0].as_int().unwrap()).collect()
}

/// Within ten seconds.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), work).await.unwrap()
}

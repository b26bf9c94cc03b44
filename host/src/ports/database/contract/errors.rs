//! Errors and refusals.

use std::sync::Arc;

use wharf_plugin_api::sql::Value;

use super::super::{DbError, DbErrorKind, Dialect, On, Space};
use super::{ids, sql, table, with};

async fn fails(space: &dyn Space, text: &str) -> DbError {
    space.execute(On::Pool, &sql(text)).await.unwrap_err()
}

pub(super) async fn constraints_are_typed_and_named(space: Arc<dyn Space>) {
    space
        .execute_raw(
            On::Pool,
            "CREATE TABLE parent (id BIGINT PRIMARY KEY);
             CREATE TABLE child (
                id BIGINT PRIMARY KEY, parent BIGINT REFERENCES parent (id), email TEXT NOT NULL,
                age BIGINT, CONSTRAINT grown CHECK (age > 17), CONSTRAINT one_mail UNIQUE (email)
             );
             INSERT INTO parent VALUES (1);
             INSERT INTO child VALUES (1, 1, 'a', 18)",
        )
        .await
        .unwrap();
    let sqlite = space.dialect() == Dialect::Sqlite;
    for (statement, kind, constraint) in [
        (
            "INSERT INTO child VALUES (2, 1, 'a', 18)",
            DbErrorKind::Unique,
            if sqlite { "child.email" } else { "one_mail" },
        ),
        (
            "INSERT INTO child VALUES (1, 1, 'b', 18)",
            DbErrorKind::Unique,
            if sqlite { "child.id" } else { "child_pkey" },
        ),
        (
            "INSERT INTO child VALUES (3, 7, 'b', 18)",
            DbErrorKind::ForeignKey,
            if sqlite { "" } else { "child_parent_fkey" },
        ),
        (
            "DELETE FROM parent",
            DbErrorKind::ForeignKey,
            if sqlite { "" } else { "child_parent_fkey" },
        ),
        (
            "INSERT INTO child VALUES (3, 1, NULL, 18)",
            DbErrorKind::NotNull,
            if sqlite { "child.email" } else { "email" },
        ),
        ("INSERT INTO child VALUES (3, 1, 'b', 17)", DbErrorKind::Check, "grown"),
        ("INSERT INTO nowhere VALUES (1)", DbErrorKind::Other, ""),
        ("NONSENSE", DbErrorKind::Other, ""),
    ] {
        let error = fails(&*space, statement).await;
        assert_eq!((error.kind, error.constraint.as_str()), (kind, constraint), "{statement}: {error}");
        assert!(!error.code.is_empty(), "{statement}");
        assert!(!error.is_transient(), "{statement}");
    }
    // An argument never shows in a message.
    let canary = with(&*space, "INSERT INTO child VALUES (9, 1, ?, 1)", vec![Value::text("canary")]);
    assert!(!space.execute(On::Pool, &canary).await.unwrap_err().to_string().contains("canary"));
}

pub(super) async fn what_a_module_may_not_say_is_refused(space: Arc<dyn Space>) {
    table(&*space).await;
    let both = ["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT a", "RELEASE SAVEPOINT a"];
    let own: &[&str] = match space.dialect() {
        Dialect::Sqlite => &[
            "ATTACH DATABASE 'x.sqlite' AS x",
            "DETACH DATABASE x",
            "PRAGMA foreign_keys = OFF",
            "PRAGMA query_only = 0",
            "VACUUM INTO 'x.sqlite'",
        ],
        Dialect::Postgres => &[
            "SET ROLE postgres",
            "RESET ROLE",
            "SET SESSION AUTHORIZATION DEFAULT",
            "SET search_path = public",
            "DISCARD ALL",
        ],
    };
    for statement in both.iter().chain(own) {
        assert_eq!(fails(&*space, statement).await.kind, DbErrorKind::Refused, "{statement}");
        let hidden = format!("SELECT 1; /* x */ {statement}");
        assert_eq!(
            space.execute_raw(On::Pool, &hidden).await.unwrap_err().kind,
            DbErrorKind::Refused,
            "{hidden}"
        );
    }
    assert!(ids(&*space, On::Pool).await.is_empty());
}

pub(super) async fn one_statement_at_a_time_and_raw_for_several(space: Arc<dyn Space>) {
    table(&*space).await;
    let two = "INSERT INTO t VALUES (1, 'a'); INSERT INTO t VALUES (2, 'b')";
    assert_eq!(fails(&*space, two).await.kind, DbErrorKind::Refused);
    let done = space.execute_raw(On::Pool, two).await.unwrap();
    assert_eq!(done.affected, 2);
    // Several are one: what came before a failure is undone.
    let half = "INSERT INTO t VALUES (3, 'c'); INSERT INTO t VALUES (1, 'a')";
    assert_eq!(space.execute_raw(On::Pool, half).await.unwrap_err().kind, DbErrorKind::Unique);
    assert_eq!(ids(&*space, On::Pool).await, [1, 2]);
    let done = space.execute(On::Pool, &sql("UPDATE t SET name = 'z'")).await.unwrap();
    assert_eq!(done.affected, 2);
    let done = space.execute(On::Pool, &sql("CREATE TABLE other (a BIGINT)")).await.unwrap();
    assert_eq!(done.affected, 0);
    let rows = space
        .query(On::Pool, &sql("INSERT INTO t VALUES (4, 'd') RETURNING id, name"))
        .await
        .unwrap();
    assert_eq!(
        (rows.columns, rows.values),
        (vec!["id".to_owned(), "name".to_owned()], vec![Value::int(4), Value::text("d")])
    );
    let long = format!("SELECT 1 -- {}", "x".repeat(2 << 20));
    assert_eq!(fails(&*space, &long).await.kind, DbErrorKind::Refused);
}

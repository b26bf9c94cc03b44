//! Cursors.

use std::sync::Arc;

use wharf_plugin_api::sql::{Kind, Statement};

use super::super::{Begin, CursorId, DbErrorKind, Dialect, On, Space};
use super::{ids, insert, soon, sql, table};

/// Numbers from 1 on.
fn numbers(space: &dyn Space, up_to: i64) -> Statement {
    let mut statement = sql(&match space.dialect() {
        Dialect::Sqlite => {
            format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {up_to}) SELECT i, 'x' || i AS name FROM n")
        }
        Dialect::Postgres => format!("SELECT i, 'x' || i AS name FROM generate_series(1::bigint, {up_to}::bigint) AS n(i)"),
    });
    statement.kinds = vec![Kind::I64, Kind::TEXT];
    statement
}

async fn all(space: &dyn Space, cursor: CursorId, limit: u32) -> Vec<i64> {
    let mut found = Vec::new();
    loop {
        let rows = soon(space.fetch(cursor, limit)).await.unwrap();
        assert!(rows.len() <= limit as usize);
        if rows.is_empty() {
            return found;
        }
        assert_eq!(rows.columns, ["i", "name"]);
        found.extend(rows.iter().map(|row| row[0].as_int().unwrap()));
    }
}

pub(super) async fn a_cursor_gives_all_rows_in_order(space: Arc<dyn Space>) {
    for (count, limit) in [(1, 10), (1_000, 7), (5_000, 256), (600, 10_000)] {
        let cursor = space.open(On::Pool, &numbers(&*space, count)).await.unwrap();
        assert_eq!(all(&*space, cursor, limit).await, (1..=count).collect::<Vec<_>>());
        assert_eq!(space.fetch(cursor, 1).await.unwrap_err().kind, DbErrorKind::Gone);
    }
    let cursor = space.open(On::Replica, &numbers(&*space, 10)).await.unwrap();
    assert_eq!(all(&*space, cursor, 3).await.len(), 10);
    let mut empty = numbers(&*space, 1);
    empty.sql = format!("SELECT * FROM ({}) AS e WHERE i < 0", empty.sql);
    let cursor = space.open(On::Pool, &empty).await.unwrap();
    assert!(space.fetch(cursor, 1).await.unwrap().is_empty());
}

pub(super) async fn a_cursor_may_be_closed_early(space: Arc<dyn Space>) {
    table(&*space).await;
    for round in 0..6 {
        let cursor = space.open(On::Pool, &numbers(&*space, 1_000_000)).await.unwrap();
        if round % 2 == 0 {
            assert_eq!(soon(space.fetch(cursor, 5)).await.unwrap().len(), 5);
        }
        space.close(cursor);
        space.close(cursor);
        assert_eq!(space.fetch(cursor, 5).await.unwrap_err().kind, DbErrorKind::Gone);
    }
    soon(insert(&*space, On::Pool, 1)).await.unwrap();
}

pub(super) async fn a_cursor_in_a_transaction_sees_it_and_ends_with_it(space: Arc<dyn Space>) {
    table(&*space).await;
    let tx = space.begin(Begin::default()).await.unwrap();
    for id in 0..10 {
        insert(&*space, On::Tx(tx), id).await.unwrap();
    }
    let cursor = space.open(On::Tx(tx), &sql("SELECT id FROM t ORDER BY id")).await.unwrap();
    assert_eq!(soon(space.fetch(cursor, 4)).await.unwrap().len(), 4);
    space.close(cursor);
    soon(insert(&*space, On::Tx(tx), 10)).await.unwrap();
    let cursor = space.open(On::Tx(tx), &numbers(&*space, 1_000_000)).await.unwrap();
    soon(space.fetch(cursor, 4)).await.unwrap();
    soon(space.commit(tx)).await.unwrap();
    space.close(cursor);
    assert_eq!(ids(&*space, On::Pool).await.len(), 11);

    let tx = space.begin(Begin::default()).await.unwrap();
    insert(&*space, On::Tx(tx), 20).await.unwrap();
    let cursor = space.open(On::Tx(tx), &numbers(&*space, 1_000_000)).await.unwrap();
    soon(space.rollback(tx)).await.unwrap();
    space.close(cursor);
    assert_eq!(ids(&*space, On::Pool).await.len(), 11);
}

pub(super) async fn a_cursor_tells_its_error_once(space: Arc<dyn Space>) {
    let cursor = space.open(On::Pool, &sql("SELECT * FROM not_there")).await.unwrap();
    assert_eq!(soon(space.fetch(cursor, 1)).await.unwrap_err().kind, DbErrorKind::Other);
    assert_eq!(soon(space.fetch(cursor, 1)).await.unwrap_err().kind, DbErrorKind::Gone);
    let mut wrong = numbers(&*space, 10);
    wrong.kinds = vec![Kind::UUID];
    let cursor = space.open(On::Pool, &wrong).await.unwrap();
    assert_eq!(soon(space.fetch(cursor, 1)).await.unwrap_err().kind, DbErrorKind::Type);
    assert_eq!(
        space.open(On::Replica, &sql("DELETE FROM t")).await.unwrap_err().kind,
        DbErrorKind::Refused
    );
}

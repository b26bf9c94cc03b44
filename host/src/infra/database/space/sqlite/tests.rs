//! Spaces on SQLite: the shared contract, and what is SQLite's own.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use wharf_plugin_api::sql::{Statement, Value};

use super::*;
use crate::ports::database::{Begin, On, contract};

/// A query that takes for ever.
const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

fn sql(text: &str) -> Statement {
    Statement::new(text, Vec::new())
}

fn kept(folder: &Path, limits: Limits) -> SqliteSpaces {
    SqliteSpaces::new(folder.join("modules"), limits, Durability::default())
}

async fn with_table(spaces: &SqliteSpaces, module: &str) -> Arc<dyn Space> {
    let space = spaces.space(module).await.unwrap();
    space
        .execute_raw(On::Pool, "CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
        .await
        .unwrap();
    space
}

async fn count(space: &dyn Space) -> i64 {
    let rows = space.query(On::Pool, &sql("SELECT count(*) FROM t")).await.unwrap();
    rows.values[0].as_int().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_pass_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    contract::passes(&kept(folder.path(), Limits::default()), "").await;
}

#[tokio::test]
async fn passing_spaces_pass_the_contract_on_one_thread() {
    contract::passes(&SqliteSpaces::in_memory(), "").await;
}

#[tokio::test]
async fn files_are_private_and_outlive_the_host_that_made_them() {
    let folder = tempfile::tempdir().unwrap();
    {
        let spaces = kept(folder.path(), Limits::default());
        let space = with_table(&spaces, "blog").await;
        space.execute(On::Pool, &sql("INSERT INTO t VALUES (1, 'a')")).await.unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder.path().join("modules")), 0o700);
        for name in ["blog.sqlite", "blog.sqlite-wal", "blog.sqlite-shm"] {
            assert_eq!(mode(&folder.path().join("modules").join(name)), 0o600, "{name}");
        }
        // A transaction that is open when everything ends was never there.
        let tx = space.begin(Begin::default()).await.unwrap();
        space.execute(On::Tx(tx), &sql("INSERT INTO t VALUES (2, 'b')")).await.unwrap();
    }
    let space = kept(folder.path(), Limits::default()).space("blog").await.unwrap();
    assert_eq!(count(&*space).await, 1);
}

#[tokio::test]
async fn a_passing_space_leaves_no_file() {
    let spaces = SqliteSpaces::in_memory();
    let space = with_table(&spaces, "a").await;
    let path = spaces.folder.path().unwrap().0;
    assert!(path.join("a.sqlite").exists());
    drop(spaces);
    space.execute(On::Pool, &sql("INSERT INTO t VALUES (1, 1)")).await.unwrap();
    drop(space);
    let deadline = Instant::now() + Duration::from_secs(10);
    while path.exists() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!path.exists());
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_stopped() {
    let limits = Limits {
        statement_timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    let spaces = SqliteSpaces::in_memory().with_limits(limits);
    let space = with_table(&spaces, "a").await;
    assert_eq!(space.query(On::Pool, &sql(ENDLESS)).await.unwrap_err().kind, DbErrorKind::Timeout);
    let tx = space.begin(Begin::default()).await.unwrap();
    assert_eq!(space.query(On::Tx(tx), &sql(ENDLESS)).await.unwrap_err().kind, DbErrorKind::Timeout);
    // A read that was stopped harms no transaction.
    space.execute(On::Tx(tx), &sql("INSERT INTO t VALUES (1, 'a')")).await.unwrap();
    space.commit(tx).await.unwrap();
    assert_eq!(count(&*space).await, 1);
}

#[tokio::test]
async fn a_dropped_read_lets_go_of_its_connection() {
    let limits = Limits {
        readers: 1,
        ..Limits::default()
    };
    let spaces = SqliteSpaces::in_memory().with_limits(limits);
    let space = with_table(&spaces, "a").await;
    let began = Instant::now();
    for _ in 0..5 {
        let endless = sql(ENDLESS);
        drop(tokio::time::timeout(Duration::from_millis(20), space.query(On::Pool, &endless)).await);
        assert_eq!(count(&*space).await, 0);
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_transaction_that_sqlite_ended_commits_nothing_more() {
    let spaces = SqliteSpaces::in_memory();
    let space = with_table(&spaces, "a").await;
    let tx = space.begin(Begin::default()).await.unwrap();
    space.execute(On::Tx(tx), &sql("INSERT INTO t VALUES (1, 'a')")).await.unwrap();
    let ends = sql("INSERT OR ROLLBACK INTO t VALUES (1, 'again')");
    assert_eq!(space.execute(On::Tx(tx), &ends).await.unwrap_err().kind, DbErrorKind::Unique);
    let late = space.execute(On::Tx(tx), &sql("INSERT INTO t VALUES (2, 'b')")).await.unwrap_err();
    assert_eq!(late.kind, DbErrorKind::Gone);
    assert!(late.message.contains("UNIQUE"), "{late}");
    assert_eq!(space.commit(tx).await.unwrap_err().kind, DbErrorKind::Gone);
    assert_eq!(count(&*space).await, 0);
    assert_eq!(space.usage().transactions, 0);
    space.execute(On::Pool, &sql("INSERT INTO t VALUES (3, 'c')")).await.unwrap();
}

#[tokio::test]
async fn a_transaction_that_is_too_old_is_rolled_back_and_says_so() {
    let limits = Limits {
        transaction_age: Duration::from_millis(100),
        ..Limits::default()
    };
    let spaces = SqliteSpaces::in_memory().with_limits(limits);
    let space = with_table(&spaces, "a").await;
    let tx = space.begin(Begin::default()).await.unwrap();
    space.execute(On::Tx(tx), &sql("INSERT INTO t VALUES (1, 'a')")).await.unwrap();
    let cursor = space.open(On::Pool, &sql("SELECT 1 UNION ALL SELECT 2")).await.unwrap();
    // The writer comes free by itself.
    space.execute(On::Pool, &sql("INSERT INTO t VALUES (2, 'b')")).await.unwrap();
    let error = space.commit(tx).await.unwrap_err();
    assert_eq!(error.kind, DbErrorKind::Gone);
    assert!(error.message.contains("transaction_age"), "{error}");
    assert_eq!(count(&*space).await, 1);
    let deadline = Instant::now() + Duration::from_secs(10);
    while space.usage().cursors > 0 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let error = space.fetch(cursor, 1).await.unwrap_err();
    assert!(error.message.contains("transaction_age"), "{error}");
}

#[tokio::test]
async fn a_full_space_says_so_and_stays_whole() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits {
        max_size: Some(256 * 1024),
        ..Limits::default()
    };
    let spaces = kept(folder.path(), limits);
    let space = with_table(&spaces, "a").await;
    let insert = Statement::new("INSERT INTO t (v) VALUES (?)", vec![Value::Bytes(vec![7; 10_000])]);
    let mut kept_rows = 0;
    let error = loop {
        match space.execute(On::Pool, &insert).await {
            Ok(_) => kept_rows += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind, DbErrorKind::Full);
    assert!(error.message.contains("full"), "{error}");
    let tx = space.begin(Begin::default()).await.unwrap();
    space.execute(On::Tx(tx), &sql("DELETE FROM t WHERE id = 1")).await.unwrap();
    let mut last = Ok(());
    for _ in 0..10 {
        last = space.execute(On::Tx(tx), &insert).await.map(drop);
        if last.is_err() {
            break;
        }
    }
    assert_eq!(last.unwrap_err().kind, DbErrorKind::Full);
    // Whether SQLite kept the transaction or not, nobody is told that half of it is there.
    let kept_it = space.commit(tx).await.is_ok();
    assert_eq!(count(&*space).await == kept_rows, !kept_it);
    let check = space.query(On::Pool, &sql("PRAGMA integrity_check")).await.unwrap();
    assert_eq!(check.values[0].as_text(), Some("ok"));
    space.execute(On::Pool, &sql("DELETE FROM t")).await.unwrap();
    space.execute(On::Pool, &insert).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_uses_up_its_connections_slows_no_other() {
    let limits = Limits {
        acquire_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let spaces = SqliteSpaces::in_memory().with_limits(limits);
    let (greedy, other) = (with_table(&spaces, "greedy").await, with_table(&spaces, "other").await);
    let held = greedy.begin(Begin::default()).await.unwrap();
    let endless = sql(ENDLESS);
    let readers: Vec<_> = (0..limits.readers)
        .map(|_| {
            let (greedy, endless) = (Arc::clone(&greedy), endless.clone());
            tokio::spawn(async move { greedy.query(On::Pool, &endless).await })
        })
        .collect();
    while greedy.usage().in_use < limits.readers + 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let error = greedy.execute(On::Pool, &sql("INSERT INTO t VALUES (1, 1)")).await.unwrap_err();
    assert_eq!(error.kind, DbErrorKind::Busy);
    assert!(error.message.contains("database.modules"), "{error}");
    assert_eq!(greedy.query(On::Pool, &sql("SELECT 1")).await.unwrap_err().kind, DbErrorKind::Busy);
    for id in 0..50 {
        let insert = Statement::new("INSERT INTO t VALUES (?, 1)", vec![Value::int(id)]);
        other.execute(On::Pool, &insert).await.unwrap();
    }
    assert_eq!(count(&*other).await, 50);
    readers.iter().for_each(tokio::task::JoinHandle::abort);
    greedy.rollback(held).await.unwrap();
    assert_eq!(greedy.usage().waiting, 0);
}

#[tokio::test]
async fn the_status_tells_what_was_done() {
    let metrics = Metrics::new().unwrap();
    let limits = Limits {
        slow: Duration::ZERO,
        transaction_age: Duration::from_millis(400),
        ..Limits::default()
    };
    let spaces = SqliteSpaces::in_memory().with_limits(limits).with_metrics(&metrics);
    let space = with_table(&spaces, "blog").await;
    space.execute(On::Pool, &sql("INSERT INTO t VALUES (1, 1)")).await.unwrap();
    space.execute(On::Pool, &sql("INSERT INTO t VALUES (1, 1)")).await.unwrap_err();
    let tx = space.begin(Begin::default()).await.unwrap();
    let status = spaces.status().await.unwrap().remove(0);
    assert_eq!((status.module.as_str(), status.dialect.as_str()), ("blog", "sqlite"));
    assert_eq!((status.statements, status.errors, status.slow, status.transactions), (3, 1, 3, 1));
    assert!(status.size_bytes.unwrap() > 0 && status.place.ends_with("blog.sqlite"));
    space.rollback(tx).await.unwrap();
    let page = metrics.render();
    for line in [
        "wharf_db_statements_total{module=\"blog\"} 3",
        "wharf_db_errors_total{module=\"blog\",kind=\"unique\"} 1",
        "wharf_db_slow_statements_total{module=\"blog\"} 3",
        "wharf_db_statement_duration_seconds_count{module=\"blog\"} 3",
    ] {
        assert!(page.contains(line), "{line} is not in\n{page}");
    }
}

#[tokio::test]
async fn values_have_the_text_forms_of_sqlx() {
    let spaces = SqliteSpaces::in_memory();
    let space = with_table(&spaces, "a").await;
    for (value, expected) in [
        (Value::Date(20_000), "2024-10-04"),
        (Value::Time(3_600_000_000_000), "01:00:00"),
        (Value::DateTime(1_700_000_000, 5_000_000), "2023-11-14 22:13:20.005"),
        (Value::Timestamp(1_700_000_000, 0, 3_600), "2023-11-14T23:13:20+01:00"),
        (Value::Decimal(rust_decimal::Decimal::new(150, 2).serialize()), "1.50"),
    ] {
        let ask = Statement::new("SELECT CAST(? AS TEXT)", vec![value.clone()]);
        let rows = space.query(On::Pool, &ask).await.unwrap();
        assert_eq!(rows.values[0].as_text(), Some(expected), "{value:?}");
    }
    let ask = Statement::new("SELECT ?", vec![Value::F64(f64::NAN)]);
    assert_eq!(space.query(On::Pool, &ask).await.unwrap_err().kind, DbErrorKind::Type);
}

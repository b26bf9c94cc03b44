//! Spaces in a real PostgreSQL: the shared contract, and what is PostgreSQL's own. `make test-servers` runs them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    reason = "tests"
)]

use wharf_plugin_api::sql::{Kind, Statement, Value};

use super::*;
use crate::ports::database::{Begin, On, contract};

fn settings() -> PgSettings {
    let url = std::env::var("WHARF_TEST_POSTGRES_URL").expect("WHARF_TEST_POSTGRES_URL is not set: run `make test-servers`");
    PgSettings {
        url,
        replica: None,
        prefix: "wharf_".to_owned(),
        roles: Roles::Auto,
        limits: Limits::default(),
    }
}

/// A start of module ids that no other run uses.
fn fresh() -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    format!("t{}-", &id[..8])
}

fn sql(text: &str) -> Statement {
    Statement::new(text, Vec::new())
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_pass_the_contract() {
    contract::passes(&PgSpaces::new(settings()).unwrap(), &fresh()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_pass_the_contract_without_roles() {
    let settings = PgSettings {
        roles: Roles::Off,
        ..settings()
    };
    contract::passes(&PgSpaces::new(settings).unwrap(), &fresh()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_cannot_read_the_schema_of_another() {
    let spaces = PgSpaces::new(settings()).unwrap();
    let prefix = fresh();
    let (a, b) = (format!("{prefix}a"), format!("{prefix}b"));
    let (one, other) = (spaces.space(&a).await.unwrap(), spaces.space(&b).await.unwrap());
    one.execute_raw(On::Pool, "CREATE TABLE secret (a int)").await.unwrap();
    let schema = format!("wharf_{}", a.replace('-', "_"));
    let reach = sql(&format!("SELECT * FROM \"{schema}\".secret"));
    assert_eq!(other.query(On::Pool, &reach).await.unwrap_err().kind, DbErrorKind::Refused);
    // Not by a way that no word in the statement tells of, either.
    let sneak = format!("DO $$ BEGIN EXECUTE 'SET ROLE \"{schema}\"'; END $$");
    assert_eq!(other.execute_raw(On::Pool, &sneak).await.unwrap_err().kind, DbErrorKind::Refused);
    let who = one
        .query(On::Pool, &sql("SELECT session_user::text, current_setting('search_path')"))
        .await
        .unwrap();
    assert_eq!(who.values[0].as_text().unwrap(), schema);
    assert_eq!(who.values[1].as_text().unwrap(), schema);
}

#[tokio::test(flavor = "multi_thread")]
async fn enums_arrays_and_domains_come_back() {
    let spaces = PgSpaces::new(settings()).unwrap();
    let space = spaces.space(&format!("{}x", fresh())).await.unwrap();
    let make = "CREATE TYPE mood AS ENUM ('sad', 'ok');
        CREATE DOMAIN positive AS int CHECK (VALUE > 0);
        CREATE TABLE t (m mood, ms mood[], ns bigint[], ts text[], p positive, us uuid[])";
    space.execute_raw(On::Pool, make).await.unwrap();
    let some = |kind, values: Vec<Value>| Value::Array(kind, Some(values));
    let args = vec![
        Value::Enum("mood".to_owned(), Some("ok".to_owned())),
        some(
            Kind::ENUM,
            vec![
                Value::Enum("mood".to_owned(), Some("sad".to_owned())),
                Value::Enum("mood".to_owned(), None),
            ],
        ),
        some(Kind::I64, vec![Value::int(1), Value::Null(Kind::I64)]),
        some(Kind::TEXT, Vec::new()),
        Value::Int(Kind::I32, 7),
        Value::Array(Kind::UUID, None),
    ];
    let insert = Statement::new(
        "INSERT INTO t VALUES ($1, CAST($2 AS mood[]), $3, $4, $5, $6) RETURNING *",
        args.clone(),
    );
    let rows = space.query(On::Pool, &insert).await.unwrap();
    let expected = [
        Value::Enum("mood".to_owned(), Some("ok".to_owned())),
        some(
            Kind::ENUM,
            vec![Value::Enum("mood".to_owned(), Some("sad".to_owned())), Value::Null(Kind::ENUM)],
        ),
        some(Kind::I64, vec![Value::int(1), Value::Null(Kind::I64)]),
        some(Kind::TEXT, Vec::new()),
        Value::Int(Kind::I32, 7),
        Value::Array(Kind::UUID, None),
    ];
    assert_eq!(rows.values, expected);
    let infinite = space
        .query(On::Pool, &sql("SELECT 'infinity'::timestamptz AS never"))
        .await
        .unwrap_err();
    assert_eq!(infinite.kind, DbErrorKind::Type);
    let unknown = space.query(On::Pool, &sql("SELECT '1 day'::interval AS span")).await.unwrap_err();
    assert!(unknown.message.contains("cast it to text"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_not_spoiled_by_a_table_that_changed() {
    let spaces = PgSpaces::new(settings()).unwrap();
    let space = spaces.space(&format!("{}x", fresh())).await.unwrap();
    space
        .execute_raw(On::Pool, "CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
        .await
        .unwrap();
    let all = sql("SELECT * FROM t");
    assert_eq!(space.query(On::Pool, &all).await.unwrap().columns, ["a"]);
    space.execute_raw(On::Pool, "ALTER TABLE t ADD COLUMN b text").await.unwrap();
    assert_eq!(space.query(On::Pool, &all).await.unwrap().columns, ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_use_leaves_in_a_session_never_reaches_the_next() {
    let limits = Limits {
        connections: 1,
        ..Limits::default()
    };
    let spaces = PgSpaces::new(PgSettings { limits, ..settings() }).unwrap();
    let space = spaces.space(&format!("{}x", fresh())).await.unwrap();
    space.execute_raw(On::Pool, "CREATE TEMP TABLE passing (a int)").await.unwrap();
    assert!(space.query(On::Pool, &sql("SELECT * FROM passing")).await.is_err());
    space
        .execute_raw(On::Pool, "SELECT set_config('work_mem', '1MB', false)")
        .await
        .unwrap();
    let kept = space.query(On::Pool, &sql("SELECT current_setting('work_mem')")).await.unwrap();
    assert_ne!(kept.values[0].as_text().unwrap(), "1MB");
    let tx = space.begin(Begin::default()).await.unwrap();
    space.execute(On::Tx(tx), &sql("SET LOCAL work_mem = '2MB'")).await.unwrap();
    space.commit(tx).await.unwrap();
    let kept = space.query(On::Pool, &sql("SELECT current_setting('work_mem')")).await.unwrap();
    assert_ne!(kept.values[0].as_text().unwrap(), "2MB");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_statement_ends_in_time_and_a_dropped_one_is_stopped() {
    let limits = Limits {
        connections: 1,
        statement_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let spaces = PgSpaces::new(PgSettings { limits, ..settings() }).unwrap();
    let space = spaces.space(&format!("{}x", fresh())).await.unwrap();
    let error = space.query(On::Pool, &sql("SELECT pg_sleep(20)::text")).await.unwrap_err();
    assert_eq!(error.kind, DbErrorKind::Timeout);
    let limits = Limits {
        connections: 1,
        ..Limits::default()
    };
    let spaces = PgSpaces::new(PgSettings { limits, ..settings() }).unwrap();
    let space = spaces.space(&format!("{}y", fresh())).await.unwrap();
    let long = sql("SELECT pg_sleep(20)::text");
    drop(tokio::time::timeout(Duration::from_millis(200), space.query(On::Pool, &long)).await);
    let begun = std::time::Instant::now();
    space.query(On::Pool, &sql("SELECT 1")).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_the_server_closed_are_replaced() {
    let spaces = PgSpaces::new(settings()).unwrap();
    let space = spaces.space(&format!("{}x", fresh())).await.unwrap();
    space.execute_raw(On::Pool, "CREATE TABLE t (a int)").await.unwrap();
    let tx = space.begin(Begin::default()).await.unwrap();
    space.execute(On::Tx(tx), &sql("INSERT INTO t VALUES (1)")).await.unwrap();
    // As after a restart of the server: every session of this module is gone.
    let host = engine::connect(&options(&settings().url, "").unwrap()).await;
    let mut host = host.unwrap();
    let name = space
        .query(On::Pool, &sql("SELECT current_setting('application_name')"))
        .await
        .unwrap();
    let kill = sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1")
        .bind(name.values[0].as_text().unwrap().to_owned());
    host.execute(kill).await.unwrap();
    let error = space.execute(On::Tx(tx), &sql("INSERT INTO t VALUES (2)")).await.unwrap_err();
    assert_eq!(error.kind, DbErrorKind::Unavailable);
    let error = space.execute(On::Tx(tx), &sql("INSERT INTO t VALUES (3)")).await.unwrap_err();
    assert_eq!(error.kind, DbErrorKind::Gone);
    assert!(space.query(On::Pool, &sql("SELECT * FROM t")).await.unwrap().is_empty());
    assert_eq!(space.usage().transactions, 0);
}

#[test]
fn an_address_that_cannot_be_read_is_not_repeated() {
    let settings = PgSettings {
        url: "postgres://u:canary@[h".to_owned(),
        ..settings()
    };
    let error = PgSpaces::new(settings).unwrap_err().to_string();
    assert!(!error.contains("canary"), "{error}");
}

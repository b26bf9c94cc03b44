//! Values: what goes in comes out, as the kind it was.

use std::sync::Arc;

use rust_decimal::Decimal;
use wharf_plugin_api::sql::{Kind, Value};

use super::super::{DbErrorKind, Dialect, On, Space};
use super::{sql, with};

/// Column type on SQLite and PostgreSQL, and values of it; the first is the largest.
fn every_kind() -> Vec<(&'static str, &'static str, Kind, Vec<Value>)> {
    let decimal = |text: &str| Value::Decimal(Decimal::from_str_exact(text).unwrap().serialize());
    vec![
        ("BOOLEAN", "BOOLEAN", Kind::BOOL, vec![Value::Bool(true), Value::Bool(false)]),
        (
            "TINYINT",
            "SMALLINT",
            Kind::I8,
            vec![Value::Int(Kind::I8, 127), Value::Int(Kind::I8, -128)],
        ),
        (
            "SMALLINT",
            "SMALLINT",
            Kind::I16,
            vec![Value::Int(Kind::I16, 32_767), Value::Int(Kind::I16, -32_768)],
        ),
        (
            "INTEGER",
            "INTEGER",
            Kind::I32,
            vec![Value::Int(Kind::I32, 2_147_483_647), Value::Int(Kind::I32, -2_147_483_648)],
        ),
        ("BIGINT", "BIGINT", Kind::I64, vec![Value::int(i64::MAX), Value::int(i64::MIN)]),
        ("TINYINT", "SMALLINT", Kind::U8, vec![Value::Uint(Kind::U8, 255)]),
        ("SMALLINT", "INTEGER", Kind::U16, vec![Value::Uint(Kind::U16, 65_535)]),
        ("INTEGER", "BIGINT", Kind::U32, vec![Value::Uint(Kind::U32, 4_294_967_295)]),
        (
            "BIGINT",
            "BIGINT",
            Kind::U64,
            vec![Value::Uint(Kind::U64, i64::MAX.unsigned_abs()), Value::Uint(Kind::U64, 0)],
        ),
        (
            "FLOAT",
            "REAL",
            Kind::F32,
            vec![Value::F32(0.1), Value::F32(f32::MAX), Value::F32(-0.5)],
        ),
        (
            "DOUBLE",
            "DOUBLE PRECISION",
            Kind::F64,
            vec![Value::F64(0.1), Value::F64(f64::MAX), Value::F64(3.0)],
        ),
        (
            "TEXT",
            "TEXT",
            Kind::TEXT,
            vec![Value::text("grün ' \" ; -- \u{1f600}"), Value::text("")],
        ),
        ("CHAR(1)", "TEXT", Kind::CHAR, vec![Value::Char('ß')]),
        (
            "BLOB",
            "BYTEA",
            Kind::BYTES,
            vec![Value::Bytes(vec![0, 255, 39]), Value::Bytes(Vec::new())],
        ),
        (
            "JSON_TEXT",
            "JSONB",
            Kind::JSON,
            vec![Value::Text(Kind::JSON, "{\"a\": [1, null]}".to_owned())],
        ),
        (
            "JSON_TEXT",
            "JSON",
            Kind::JSON,
            vec![Value::Text(Kind::JSON, "{\"a\": [1, null]}".to_owned())],
        ),
        (
            "DATE_TEXT",
            "DATE",
            Kind::DATE,
            vec![Value::Date(20_000), Value::Date(-1), Value::Date(-700_000)],
        ),
        (
            "TIME_TEXT",
            "TIME",
            Kind::TIME,
            vec![Value::Time(86_399_999_999_000), Value::Time(0), Value::Time(1_500_000_000)],
        ),
        (
            "DATETIME_TEXT",
            "TIMESTAMP",
            Kind::DATE_TIME,
            vec![Value::DateTime(1_700_000_000, 123_456_000), Value::DateTime(-1, 0)],
        ),
        (
            "TIMESTAMP_TEXT",
            "TIMESTAMPTZ",
            Kind::TIMESTAMP,
            vec![Value::Timestamp(1_700_000_000, 123_456_000, 0), Value::Timestamp(-5, 0, 0)],
        ),
        ("UUID_TEXT", "UUID", Kind::UUID, vec![Value::Uuid([7; 16])]),
        (
            "TEXT",
            "NUMERIC(30, 6)",
            Kind::DECIMAL,
            vec![decimal("12345678901234.567891"), decimal("-0.000001")],
        ),
        ("ENUM_TEXT", "TEXT", Kind::TEXT, vec![Value::text("one")]),
    ]
}

pub(super) async fn every_kind_comes_back_full_and_null(space: Arc<dyn Space>) {
    for (index, (sqlite, postgres, kind, values)) in every_kind().into_iter().enumerate() {
        let column = if space.dialect() == Dialect::Sqlite { sqlite } else { postgres };
        let table = format!("k{index}");
        space
            .execute_raw(On::Pool, &format!("CREATE TABLE {table} (id BIGINT, v {column})"))
            .await
            .unwrap();
        for value in values {
            for value in [value, Value::Null(kind)] {
                let mut insert = with(
                    &*space,
                    &format!("INSERT INTO {table} VALUES (?, ?) RETURNING v"),
                    vec![Value::int(1), value.clone()],
                );
                insert.kinds = vec![kind];
                let rows = space
                    .query(On::Pool, &insert)
                    .await
                    .unwrap_or_else(|error| panic!("{column} {value:?}: {error}"));
                assert_eq!(rows.values, std::slice::from_ref(&value), "{column} as {kind:?}");
                let mut find = with(
                    &*space,
                    &format!("SELECT v, v AS again FROM {table} WHERE v = ? OR v IS NULL"),
                    vec![value.clone()],
                );
                find.kinds = vec![kind, kind];
                if column != "JSON" {
                    let rows = space
                        .query(On::Pool, &find)
                        .await
                        .unwrap_or_else(|error| panic!("{column} {value:?}: {error}"));
                    assert_eq!(rows.values, [value.clone(), value.clone()], "{column} as {kind:?}");
                }
                space.execute_raw(On::Pool, &format!("DELETE FROM {table}")).await.unwrap();
            }
        }
    }
}

pub(super) async fn without_a_kind_the_database_says_what_it_is(space: Arc<dyn Space>) {
    space
        .execute_raw(
            On::Pool,
            "CREATE TABLE n (a BIGINT, b DOUBLE PRECISION, c TEXT); INSERT INTO n VALUES (7, 0.5, 'x'), (NULL, NULL, NULL)",
        )
        .await
        .unwrap();
    let rows = space
        .query(
            On::Pool,
            &sql("SELECT a, b, c, count(*) OVER () AS d, a AS a FROM n ORDER BY a IS NULL"),
        )
        .await
        .unwrap();
    assert_eq!(rows.columns, ["a", "b", "c", "d", "a"]);
    let (full, null) = rows.values.split_at(5);
    assert_eq!(
        full,
        [Value::int(7), Value::F64(0.5), Value::text("x"), Value::int(2), Value::int(7)]
    );
    assert_eq!(
        null,
        [
            Value::Null(Kind::I64),
            Value::Null(Kind::F64),
            Value::Null(Kind::TEXT),
            Value::int(2),
            Value::Null(Kind::I64)
        ]
    );
}

pub(super) async fn a_value_of_another_type_is_an_error_with_the_column(space: Arc<dyn Space>) {
    space
        .execute_raw(
            On::Pool,
            "CREATE TABLE w (small BIGINT, word TEXT, empty_one TEXT); INSERT INTO w VALUES (-300, 'abc', NULL)",
        )
        .await
        .unwrap();
    for (kinds, column) in [
        (vec![Kind::I8], "small"),
        (vec![Kind::U64], "small"),
        (vec![Kind::BOOL], "small"),
        (vec![Kind::TEXT], "small"),
        (vec![Kind::I64, Kind::I32], "word"),
        (vec![Kind::I64, Kind::UUID], "word"),
        (vec![Kind::I64, Kind::CHAR], "word"),
        (vec![Kind::I64, Kind::TIMESTAMP], "word"),
        (vec![Kind::I64, Kind::DATE], "word"),
        (vec![Kind::I64, Kind::DECIMAL], "word"),
    ] {
        let mut statement = sql("SELECT small, word, empty_one FROM w");
        statement.kinds = kinds.clone();
        let error = space.query(On::Pool, &statement).await.unwrap_err();
        assert_eq!(error.kind, DbErrorKind::Type, "{kinds:?}: {error}");
        assert!(
            error.message.contains(column) && error.message.contains("expected"),
            "{kinds:?}: {error}"
        );
        assert!(!error.message.contains("abc") && !error.message.contains("300"), "{error}");
    }
}

pub(super) async fn what_cannot_be_stored_is_refused_at_binding(space: Arc<dyn Space>) {
    space.execute_raw(On::Pool, "CREATE TABLE u (v BIGINT)").await.unwrap();
    let insert = with(&*space, "INSERT INTO u VALUES (?)", vec![Value::Uint(Kind::U64, u64::MAX)]);
    let error = space.execute(On::Pool, &insert).await.unwrap_err();
    assert_eq!(error.kind, DbErrorKind::Type);
    assert!(error.message.contains("argument 1"), "{error}");
    let bad = with(&*space, "INSERT INTO u VALUES (?)", vec![Value::Time(u64::MAX)]);
    assert_eq!(space.execute(On::Pool, &bad).await.unwrap_err().kind, DbErrorKind::Type);
    assert!(space.query(On::Pool, &sql("SELECT v FROM u")).await.unwrap().is_empty());
}

//! Which columns are found behind which statements.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

mod cake {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "cake")]
    pub(super) struct Model {
        #[sea_orm(primary_key)]
        pub(super) id: i32,
        pub(super) name: String,
        pub(super) price: Option<i64>,
        pub(super) baked: DateTimeUtc,
        pub(super) tags: Vec<i32>,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod fruit {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "fruit")]
    pub(super) struct Model {
        #[sea_orm(primary_key)]
        pub(super) id: i32,
        pub(super) cake_id: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

fn entities() -> Entities {
    crate::entities![cake::Entity, fruit::Entity]
}

fn types(sql: &str) -> Vec<String> {
    let plan = Plan::read(sql, &entities());
    assert_eq!(plan.unknown_table, None, "{sql}");
    let columns = plan.columns.iter();
    columns
        .map(|column| {
            column.as_ref().map_or("-".to_owned(), |column| {
                format!("{:?}{}", column.kind, if column.is_array { "[]" } else { "" })
            })
        })
        .collect()
}

#[test]
fn columns_are_found_behind_names_aliases_joins_and_returning() {
    for (sql, wanted) in [
        (r#"SELECT "cake"."id", "cake"."name" FROM "cake""#, "Int String"),
        (
            r#"SELECT "cake"."id" AS "A_id", "r0"."cake_id" AS "B_cake_id" FROM "cake" LEFT JOIN "fruit" AS "r0" ON "a" = "b" LIMIT 1"#,
            "Int BigInt",
        ),
        (r#"SELECT CAST("cake"."name" AS "text") AS "name" FROM "cake""#, "String"),
        (r#"SELECT CAST("cake"."id" AS bigint) AS "n" FROM "cake""#, "-"),
        (r#"SELECT CAST("cake"."name" AS text) AS "A_name" FROM "cake""#, "String"),
        (
            r#"SELECT COUNT(*) AS num_items FROM (SELECT "cake"."id" FROM "cake") AS "sub_query""#,
            "BigInt",
        ),
        (
            r#"SELECT MAX("cake"."price"), SUM("cake"."id"), min(id) FROM "cake""#,
            "BigInt - Int",
        ),
        (
            r#"SELECT DISTINCT ON ("cake"."id", "cake"."name") "cake"."baked" FROM "cake""#,
            "ChronoDateTimeUtc",
        ),
        (r#"SELECT DISTINCT "cake"."tags" FROM "cake""#, "Int[]"),
        (
            r#"INSERT INTO "cake" ("name") VALUES ($1) RETURNING "id", "name", "price""#,
            "Int String BigInt",
        ),
        (
            r#"INSERT INTO "cake" ("name") VALUES (?) ON CONFLICT ("id") DO UPDATE SET "name" = "excluded"."name" RETURNING "id""#,
            "Int",
        ),
        (
            r#"UPDATE "cake" SET "name" = ? WHERE "id" IS DISTINCT FROM "name" RETURNING "price""#,
            "BigInt",
        ),
        (r#"DELETE FROM "cake" WHERE "id" = 'from x returning y' RETURNING "name""#, "String"),
        ("SELECT id, name AS n, price + 1 FROM cake -- from fruit", "Int String -"),
        (
            "SELECT c.id i, f.cake_id FROM cake c, fruit AS f WHERE c.id = f.id FOR UPDATE",
            "Int BigInt",
        ),
        ("SELECT id FROM cake, fruit", "-"),
        (
            r#"WITH "c" ("id") AS (SELECT "cake"."id" FROM "cake") SELECT "c"."id" FROM "c""#,
            "-",
        ),
        (
            r#"SELECT "s"."id", (SELECT COUNT(*) FROM "fruit") AS "n" FROM (SELECT "cake"."id" FROM "cake") AS "s""#,
            "- -",
        ),
        (
            "SELECT count(*), $$ from cake $$, $1, ?2, 1.5 FROM generate_series(1, 2) AS g",
            "BigInt - - - -",
        ),
        ("UPDATE cake SET name = 'x'", ""),
        ("PRAGMA foreign_keys", ""),
        (r#"SELECT "sqlite_master"."name" FROM "sqlite_master""#, "-"),
        ("", ""),
        ("SELECT ((((", "-"),
        ("SELECT \"unclosed", "-"),
    ] {
        assert_eq!(types(sql).join(" "), wanted, "{sql}");
    }
}

#[test]
fn a_star_is_told_by_the_names_of_the_columns() {
    let plan = Plan::read("SELECT * FROM cake", &entities());
    assert_eq!(plan.by_name.get("price"), Some(&Column::of(ArrayType::BigInt)));
    let plan = Plan::read("SELECT c.*, 1 FROM cake c JOIN fruit f ON true", &entities());
    assert_eq!(plan.by_name.get("id"), Some(&Column::of(ArrayType::Int)));
    assert!(plan.kinds.is_empty());
}

#[test]
fn a_table_that_nobody_registered_is_named() {
    let plan = Plan::read(r#"SELECT "tart"."id" FROM "tart""#, &entities());
    assert_eq!(plan.unknown_table.as_deref(), Some("tart"));
    let plan = Plan::read("SELECT id FROM tart", &entities());
    assert_eq!(plan.unknown_table, None);
}

#[test]
fn plans_are_kept_and_their_number_is_bounded() {
    let (plans, entities) = (Plans::default(), entities());
    let first = plans.plan("SELECT id FROM cake", &entities);
    assert!(Arc::ptr_eq(&first, &plans.plan("SELECT id FROM cake", &entities)));
    for n in 0..5000 {
        plans.plan(&format!("SELECT id FROM cake WHERE id = {n}"), &entities);
    }
    assert!(plans.len() <= 2 * KEPT, "{}", plans.len());
}

/// Any text at all is read without harm.
#[test]
fn pieces_of_sql_in_any_order_are_read() {
    let pieces = [
        "SELECT",
        "\"cake\"",
        ".",
        "\"id\"",
        ",",
        "(",
        ")",
        "FROM",
        "AS",
        "*",
        "'x",
        "WITH",
        "$a$",
        "--",
        "ä",
        "RETURNING",
        "CAST",
        "UPDATE",
        "/*",
        "JOIN",
    ];
    let mut seed = 17_usize;
    for _ in 0..20_000 {
        let mut sql = String::new();
        for _ in 0..12 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            sql.push_str(pieces.get((seed >> 33) % pieces.len()).unwrap());
            if !seed.is_multiple_of(3) {
                sql.push(' ');
            }
        }
        Plan::read(&sql, &entities());
    }
}

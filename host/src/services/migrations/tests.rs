//! On the embedded database.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;
use crate::services::Backends;

fn declared(name: &str, kind: Declared, sql: &[&str]) -> DeclaredMigration {
    let statements: Vec<_> = sql.iter().map(|sql| (*sql).into()).collect();
    DeclaredMigration {
        name: name.into(),
        kind,
        compatible: false,
        sqlite: statements.clone().into(),
        postgres: statements.into(),
    }
}

fn migrator(space: &Arc<dyn Space>, version: &str, list: &[DeclaredMigration]) -> Migrator {
    let export = MigrationsExport {
        migrations: list.to_vec().into(),
    };
    Migrator::new(space.clone(), "m", version, &export).unwrap()
}

async fn tables(space: &Arc<dyn Space>) -> Vec<String> {
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'wharf%' ORDER BY name";
    let rows = space.query(On::Pool, &Statement::new(sql, Vec::new())).await.unwrap();
    rows.values.iter().filter_map(Value::as_text).map(str::to_owned).collect()
}

#[tokio::test]
async fn migrations_run_once_and_are_remembered() {
    let databases = Backends::in_memory().databases;
    let space = databases.space("m").await.unwrap();
    let list = [
        declared("1", Declared::EXPAND, &["CREATE TABLE a (x INTEGER)", "CREATE INDEX i ON a (x)"]),
        declared("2", Declared::CONTRACT, &["DROP INDEX i"]),
    ];
    let first = migrator(&space, "1.0.0", &list).run(true).await.unwrap();
    assert_eq!((first.applied, first.waiting), (vec!["1".to_owned()], vec!["2".to_owned()]));
    let second = migrator(&space, "1.1.0", &list).run(false).await.unwrap();
    assert_eq!(second.applied, ["2"]);
    let third = migrator(&space, "1.1.0", &list).run(false).await.unwrap();
    assert_eq!(third, Outcome::default());
    let remembered = applied(&space, On::Pool).await.unwrap();
    assert_eq!(
        remembered
            .iter()
            .map(|one| (one.name.as_str(), one.version.as_str()))
            .collect::<Vec<_>>(),
        [("1", "1.0.0"), ("2", "1.1.0")]
    );
}

#[tokio::test]
async fn a_run_that_fails_leaves_nothing_and_names_the_statement() {
    let databases = Backends::in_memory().databases;
    let space = databases.space("m").await.unwrap();
    let list = [
        declared("1", Declared::EXPAND, &["CREATE TABLE a (x INTEGER)"]),
        declared(
            "2",
            Declared::EXPAND,
            &["CREATE TABLE b (x INTEGER)", "CREATE TABLE nonsense nonsense"],
        ),
    ];
    let error = migrator(&space, "1.0.0", &list).run(false).await.unwrap_err();
    assert!(
        error.to_string().starts_with("m: migration \"2\" failed at statement 2 of 2: "),
        "{error}"
    );
    assert_eq!(tables(&space).await, Vec::<String>::new());
    assert_eq!(applied(&space, On::Pool).await.unwrap(), []);
    let usage = space.usage();
    assert_eq!((usage.transactions, usage.cursors), (0, 0));
}

#[tokio::test]
async fn two_at_once_run_them_once() {
    let databases = Backends::in_memory().databases;
    let space = databases.space("m").await.unwrap();
    let list = [declared("1", Declared::EXPAND, &["CREATE TABLE a (x INTEGER)"])];
    let (one, other) = (migrator(&space, "1.0.0", &list), migrator(&space, "1.0.0", &list));
    let (one, other) = tokio::join!(one.run(false), other.run(false));
    assert_eq!(one.unwrap().applied.len() + other.unwrap().applied.len(), 1);
    assert_eq!(tables(&space).await, ["a"]);
}

#[tokio::test]
async fn a_kind_of_a_newer_host_is_refused() {
    let space = Backends::in_memory().databases.space("m").await.unwrap();
    let export = MigrationsExport {
        migrations: vec![declared("1", Declared(9), &["SELECT 1"])].into(),
    };
    let Err(error) = Migrator::new(space, "m", "1.0.0", &export) else {
        panic!("it was taken")
    };
    assert!(
        error.to_string().contains("found kind 9, expected 1 (expand) or 2 (contract)"),
        "{error}"
    );
}

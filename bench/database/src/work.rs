//! What is measured, the same text on both sides: it knows only the traits of sea-orm.

use std::time::Instant;

use futures_util::StreamExt as _;
use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, DbBackend, QueryOrder as _, QuerySelect as _, Set, StreamTrait, TransactionSession as _, TransactionTrait};

/// Rows in the table before anything is measured.
const ROWS: i32 = 50_000;

/// Columns in no alphabetical order.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "bench_post")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i32,
    pub title: String,
    pub cents: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

pub const fn drop_table() -> &'static str {
    "DROP TABLE IF EXISTS bench_post"
}

pub fn table(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Sqlite => "CREATE TABLE bench_post (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL, cents BIGINT NOT NULL)",
        _ => "CREATE TABLE bench_post (id SERIAL PRIMARY KEY, title TEXT NOT NULL, cents BIGINT NOT NULL)",
    }
}

fn post(n: i32) -> ActiveModel {
    ActiveModel {
        title: Set(format!("the title of post number {n}")),
        cents: Set(i64::from(n) * 100),
        ..Default::default()
    }
}

pub async fn fill<C: ConnectionTrait>(db: &C) -> Result<(), DbErr> {
    for chunk in 0..ROWS / 500 {
        let posts = (0..500).map(|n| post(chunk * 500 + n));
        Entity::insert_many(posts).exec_without_returning(db).await?;
    }
    Ok(())
}

/// Runs a case so many times; nanoseconds for each.
pub async fn run<C>(db: &C, case: &str, count: u32) -> Result<u64, DbErr>
where
    C: ConnectionTrait + StreamTrait + TransactionTrait,
{
    let begun = Instant::now();
    for n in 0..count {
        let key = (n as i32 * 7919) % ROWS + 1;
        match case {
            "point-select" => drop(Entity::find_by_id(key).one(db).await?),
            "insert-returning" => drop(post(key).insert(db).await?),
            "transaction" => {
                let tx = db.begin().await?;
                Entity::find_by_id(key).one(&tx).await?;
                tx.commit().await?;
            }
            "select-1000" => {
                let found = Entity::find().order_by_asc(Column::Id).limit(1000).all(db).await?;
                assert_eq!(found.len(), 1000);
            }
            "stream-50000" => {
                let mut stream = Box::pin(Entity::find().order_by_asc(Column::Id).limit(ROWS as u64).stream(db).await?);
                let mut seen = 0;
                while let Some(post) = stream.next().await {
                    post?;
                    seen += 1;
                }
                assert_eq!(seen, ROWS);
            }
            other => return Err(DbErr::Custom(format!("found case {other:?}"))),
        }
    }
    Ok(begun.elapsed().as_nanos() as u64 / u64::from(count.max(1)))
}

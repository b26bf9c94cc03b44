//! Reading and writing.

use sea_orm::prelude::DateTimeUtc;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, IntoActiveModel, JoinType, LoaderTrait,
    ModelTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, RelationTrait, Set, Statement,
};
use wharf_sdk::services::database::{Db, DbErrExt, DbFailureKind};

use super::{Outcome, holds, same};
use crate::entities::{customer, item, order, product};

pub(super) fn person(email: &str, age: Option<i16>) -> customer::ActiveModel {
    customer::ActiveModel {
        email: Set(email.to_owned()),
        name: Set(email.to_uppercase()),
        age: Set(age),
        ..Default::default()
    }
}

async fn people(db: &Db, count: i16) -> Result<(), DbErr> {
    let all = (0..count).map(|n| person(&format!("p{n:03}"), Some(n % 3)));
    customer::Entity::insert_many(all).exec(db).await?;
    Ok(())
}

/// Two customers; the first has two orders with two products.
async fn orders(db: &Db) -> Result<(customer::Model, order::Model), DbErr> {
    let ada = person("ada", Some(36)).insert(db).await?;
    person("bob", None).insert(db).await?;
    let mut first = None;
    for note in [Some("first".to_owned()), None] {
        let order = order::ActiveModel {
            customer_id: Set(ada.id),
            note: Set(note),
            ..Default::default()
        };
        let order = order.insert(db).await?;
        first.get_or_insert(order);
    }
    let order = first.ok_or(DbErr::RecordNotInserted)?;
    for (title, cents) in [("tea", 350), ("cake", 420)] {
        let product = product::ActiveModel {
            title: Set(title.to_owned()),
            cents: Set(cents),
            added: Set(DateTimeUtc::UNIX_EPOCH),
            ..Default::default()
        };
        let product = product.insert(db).await?;
        let item = item::ActiveModel {
            order_id: Set(order.id),
            product_id: Set(product.id),
            count: Set(2),
        };
        item::Entity::insert(item).exec(db).await?;
    }
    Ok((ada, order))
}

pub(super) async fn an_insert_gives_back_the_row(db: &Db) -> Outcome {
    let ada = person("ada", Some(36)).insert(db).await?;
    same((ada.email.as_str(), ada.name.as_str(), ada.age), ("ada", "ADA", Some(36)))?;
    holds(ada.id > 0, "it has no key")?;
    let inserted = customer::Entity::insert(person("bob", None)).exec(db).await?;
    holds(inserted.last_insert_id > ada.id, "the key does not grow")?;
    let bob = customer::Entity::insert(person("cleo", None)).exec_with_returning(db).await?;
    same(bob.age, None)
}

pub(super) async fn many_are_inserted_at_once(db: &Db) -> Outcome {
    people(db, 100).await?;
    same(customer::Entity::find().count(db).await?, 100)
}

pub(super) async fn a_row_is_updated_and_deleted(db: &Db) -> Outcome {
    let ada = person("ada", Some(36)).insert(db).await?;
    let mut change: customer::ActiveModel = ada.clone().into();
    change.age = Set(Some(37));
    same(change.update(db).await?.age, Some(37))?;
    let all = customer::Entity::update_many()
        .col_expr(customer::Column::Name, Expr::value("X"))
        .filter(customer::Column::Id.eq(ada.id));
    same(all.exec(db).await?.rows_affected, 1)?;
    same(
        customer::Entity::find_by_id(ada.id).one(db).await?.map(|ada| ada.name),
        Some("X".to_owned()),
    )?;
    same(ada.clone().delete(db).await?.rows_affected, 1)?;
    same(customer::Entity::find_by_id(ada.id).one(db).await?, None)
}

pub(super) async fn a_conflict_is_ignored_or_updates(db: &Db) -> Outcome {
    person("ada", Some(36)).insert(db).await?;
    let ignore = OnConflict::column(customer::Column::Email).do_nothing().to_owned();
    let ignored = customer::Entity::insert(person("ada", Some(1))).on_conflict(ignore).exec(db).await;
    holds(matches!(ignored, Err(DbErr::RecordNotInserted)), format!("{ignored:?}"))?;
    let update = OnConflict::column(customer::Column::Email)
        .update_column(customer::Column::Age)
        .to_owned();
    let updated = customer::Entity::insert(person("ada", Some(2)))
        .on_conflict(update)
        .exec_with_returning(db)
        .await?;
    same(updated.age, Some(2))
}

pub(super) async fn related_rows_are_found(db: &Db) -> Outcome {
    let (ada, order) = orders(db).await?;
    let with = order::Entity::find()
        .order_by_asc(order::Column::Id)
        .find_also_related(customer::Entity)
        .all(db)
        .await?;
    same(with.len(), 2)?;
    same(with.first().cloned(), Some((order.clone(), Some(ada.clone()))))?;
    let many = customer::Entity::find()
        .order_by_asc(customer::Column::Id)
        .find_with_related(order::Entity)
        .all(db)
        .await?;
    same(many.iter().map(|(_, orders)| orders.len()).collect::<Vec<_>>(), vec![2, 0])?;
    let products = order
        .find_related(product::Entity)
        .order_by_asc(product::Column::Title)
        .all(db)
        .await?;
    same(products.iter().map(|p| p.title.as_str()).collect::<Vec<_>>(), vec!["cake", "tea"])?;
    let joined = customer::Entity::find()
        .join(JoinType::InnerJoin, customer::Relation::Order.def())
        .distinct()
        .all(db)
        .await?;
    same(joined, vec![ada])
}

pub(super) async fn related_rows_are_loaded(db: &Db) -> Outcome {
    orders(db).await?;
    let customers = customer::Entity::find().order_by_asc(customer::Column::Id).all(db).await?;
    let orders = customers.load_many(order::Entity, db).await?;
    same(orders.iter().map(Vec::len).collect::<Vec<_>>(), vec![2, 0])?;
    let orders = order::Entity::find().order_by_asc(order::Column::Id).all(db).await?;
    let owners = orders.load_one(customer::Entity, db).await?;
    holds(owners.iter().all(Option::is_some), "an order without its customer")
}

pub(super) async fn pages_and_counts(db: &Db) -> Outcome {
    people(db, 25).await?;
    let pages = customer::Entity::find().order_by_asc(customer::Column::Email).paginate(db, 10);
    same((pages.num_items().await?, pages.num_pages().await?), (25, 3))?;
    same(pages.fetch_page(2).await?.first().map(|p| p.email.clone()), Some("p020".to_owned()))
}

pub(super) async fn a_cursor_goes_on_where_it_stopped(db: &Db) -> Outcome {
    people(db, 10).await?;
    let mut cursor = customer::Entity::find().cursor_by(customer::Column::Email);
    cursor.after("p003").first(3);
    let found = cursor.all(db).await?;
    same(
        found.iter().map(|p| p.email.as_str()).collect::<Vec<_>>(),
        vec!["p004", "p005", "p006"],
    )
}

pub(super) async fn tuples_are_read_by_index(db: &Db) -> Outcome {
    person("ada", Some(36)).insert(db).await?;
    let tuples: Vec<(String, String, Option<i16>)> = customer::Entity::find()
        .select_only()
        .column(customer::Column::Name)
        .column(customer::Column::Email)
        .column(customer::Column::Age)
        .into_tuple()
        .all(db)
        .await?;
    same(tuples, vec![("ADA".to_owned(), "ada".to_owned(), Some(36))])
}

pub(super) async fn groups_are_read_by_index(db: &Db) -> Outcome {
    people(db, 10).await?;
    let groups: Vec<(Option<i16>, i64)> = customer::Entity::find()
        .select_only()
        .column(customer::Column::Age)
        .column_as(customer::Column::Id.count(), "a_count")
        .group_by(customer::Column::Age)
        .order_by_asc(customer::Column::Age)
        .into_tuple()
        .all(db)
        .await?;
    same(groups, vec![(Some(0), 4), (Some(1), 3), (Some(2), 3)])
}

pub(super) async fn the_same_name_twice_is_read_by_index(db: &Db) -> Outcome {
    let (ada, order) = orders(db).await?;
    let sql = r#"SELECT "order"."id", "customer"."id" FROM "order" JOIN "customer" ON "customer"."id" = "order"."customer_id" ORDER BY 1 LIMIT 1"#;
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    same(
        row.map(|row| row.try_get_many_by_index::<(i32, i32)>()).transpose()?,
        Some((order.id, ada.id)),
    )
}

#[derive(Debug, PartialEq, FromQueryResult)]
struct Summary {
    name: String,
    orders: i64,
    first: Option<i32>,
}

pub(super) async fn a_struct_of_its_own_is_read(db: &Db) -> Outcome {
    let (_, order) = orders(db).await?;
    let summaries = customer::Entity::find()
        .select_only()
        .column(customer::Column::Name)
        .column_as(order::Column::Id.count(), "orders")
        .column_as(order::Column::Id.min(), "first")
        .left_join(order::Entity)
        .group_by(customer::Column::Name)
        .order_by_asc(customer::Column::Name)
        .into_model::<Summary>()
        .all(db)
        .await?;
    let summary = |name: &str, orders, first| Summary {
        name: name.to_owned(),
        orders,
        first,
    };
    same(summaries, vec![summary("ADA", 2, Some(order.id)), summary("BOB", 0, None)])
}

pub(super) async fn json_has_the_columns_and_nothing_else(db: &Db) -> Outcome {
    let ada = person("ada", Some(36)).insert(db).await?;
    let wanted = serde_json::json!([{ "id": ada.id, "email": "ada", "name": "ADA", "age": 36 }]);
    let rows = customer::Entity::find().into_json().all(&db.by_name()).await?;
    same(serde_json::Value::from(rows), wanted.clone())?;
    let rows = db.json_all(customer::Entity::find().as_query()).await?;
    same(serde_json::Value::from(rows), wanted)
}

pub(super) async fn json_of_every_type_is_what_serde_writes(db: &Db) -> Outcome {
    let row = crate::entities::sink::sample(1, true).into_active_model().insert(db).await?;
    let rows = db.json_all(crate::entities::sink::Entity::find().as_query()).await?;
    let found = rows.first().and_then(serde_json::Value::as_object).cloned().unwrap_or_default();
    same(found.get("raw"), Some(&serde_json::json!([0, 1, 255])))?;
    same(found.get("day"), Some(&serde_json::json!("2024-02-29")))?;
    same(found.get("clock"), Some(&serde_json::json!("23:59:58.123456")))?;
    same(found.get("moment"), Some(&serde_json::json!("2024-02-29T23:59:58.123456")))?;
    same(found.get("instant"), Some(&serde_json::json!("2024-02-29T23:59:58.123456Z")))?;
    same(found.get("key"), Some(&serde_json::json!(row.key.to_string())))?;
    same(found.get("amount"), Some(&serde_json::json!("123.45")))?;
    same(found.get("meta"), Some(&serde_json::json!({ "tags": row.meta.tags, "level": 7 })))?;
    same(found.get("color"), Some(&serde_json::json!("blue")))
}

pub(super) async fn raw_sql_gives_entities(db: &Db) -> Outcome {
    let ada = person("ada", Some(36)).insert(db).await?;
    let backend = db.get_database_backend();
    let place = if backend == sea_orm::DbBackend::Sqlite { "?" } else { "$1" };
    let sql = format!("SELECT id, name, age, email FROM customer WHERE email = {place}");
    let statement = Statement::from_sql_and_values(backend, sql, ["ada".into()]);
    same(customer::Entity::find().from_raw_sql(statement).one(db).await?, Some(ada))
}

pub(super) async fn a_star_gives_entities(db: &Db) -> Outcome {
    let ada = person("ada", Some(36)).insert(db).await?;
    let statement = Statement::from_string(db.get_database_backend(), "SELECT * FROM customer");
    same(customer::Entity::find().from_raw_sql(statement).one(db).await?, Some(ada))
}

pub(super) async fn least_and_greatest_have_the_type_of_their_column(db: &Db) -> Outcome {
    people(db, 5).await?;
    let least: Option<(Option<i16>, Option<i16>)> = customer::Entity::find()
        .select_only()
        .column_as(customer::Column::Age.min(), "z")
        .column_as(customer::Column::Age.max(), "a")
        .into_tuple()
        .one(db)
        .await?;
    same(least, Some((Some(0), Some(2))))
}

pub(super) async fn a_replica_reads_and_does_not_write(db: &Db) -> Outcome {
    person("ada", None).insert(db).await?;
    let replica = db.replica();
    customer::Entity::find().all(&replica).await?;
    match person("bob", None).insert(&replica).await {
        Ok(_) => holds(false, "a replica took a write"),
        Err(error) => same(error.failure().map(|failure| failure.kind), Some(DbFailureKind::Refused)),
    }
}

//! Exact types, and errors that can be told apart.

use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, ModelTrait, QueryFilter, Set, Statement};
use wharf_sdk::services::database::{Db, DbErrExt, DbFailureKind};

use super::queries::person;
use super::{Outcome, Wrong, holds, same};
use crate::entities::{customer, order, sink, unlisted};

async fn round_trip(db: &Db, full: bool) -> Outcome {
    let wanted = sink::sample(1, full);
    let given = wanted.clone().into_active_model().insert(db).await?;
    same(&given, &wanted)?;
    same(sink::Entity::find_by_id(1).one(db).await?, Some(wanted))
}

pub(super) async fn every_type_comes_back_as_it_went(db: &Db) -> Outcome {
    round_trip(db, true).await
}

pub(super) async fn every_type_may_be_null(db: &Db) -> Outcome {
    round_trip(db, false).await
}

/// What is bound compares equal to what was stored. Binary fractions and JSON do not compare on all databases.
pub(super) async fn every_type_is_found_by_its_value(db: &Db) -> Outcome {
    use sink::Column;
    let wanted = sink::sample(1, true);
    wanted.clone().into_active_model().insert(db).await?;
    for column in [
        Column::Flag,
        Column::Tiny,
        Column::Small,
        Column::Normal,
        Column::Big,
        Column::UTiny,
        Column::USmall,
        Column::UNormal,
        Column::Double,
        Column::Words,
        Column::Raw,
        Column::Key,
        Column::Day,
        Column::Clock,
        Column::Moment,
        Column::Instant,
        Column::Zoned,
        Column::Color,
        Column::Size,
    ] {
        let found = sink::Entity::find().filter(column.eq(wanted.get(column))).all(db).await?;
        holds(found.len() == 1, format!("{column:?} is not found by its value"))?;
    }
    Ok(())
}

pub(super) async fn a_value_of_the_wrong_type_names_its_column(db: &Db) -> Outcome {
    // SQLite keeps whatever it is given; PostgreSQL is asked for another column under that name.
    let sql = if db.get_database_backend() == sea_orm::DbBackend::Sqlite {
        db.execute_unprepared("INSERT INTO customer (email, name, age) VALUES ('x', 'x', 'old')")
            .await?;
        r#"SELECT "customer"."id", "customer"."email", "customer"."name", "customer"."age" FROM "customer""#
    } else {
        person("x", Some(1)).insert(db).await?;
        r#"SELECT customer.id, customer.email, customer.name, customer.age FROM (SELECT id, email, name, 'old' AS age FROM customer) AS customer"#
    };
    if db.get_database_backend() != sea_orm::DbBackend::Sqlite {
        // A subquery has no declared columns: what is read is what is there, and a number it is not.
        let statement = Statement::from_string(db.get_database_backend(), sql);
        let read = db.query_one_raw(statement).await?.ok_or(Wrong("no row".to_owned()))?;
        return holds(read.try_get::<i16>("", "age").is_err(), "text was read as a number");
    }
    match customer::Entity::find().all(db).await {
        Ok(rows) => holds(false, format!("it was read as {rows:?}")),
        Err(error) => {
            same(error.failure().map(|failure| failure.kind), Some(DbFailureKind::Type))?;
            holds(error.to_string().contains("age"), error)
        }
    }
}

pub(super) async fn a_value_out_of_range_is_an_error(db: &Db) -> Outcome {
    if db.get_database_backend() != sea_orm::DbBackend::Sqlite {
        return Ok(());
    }
    db.execute_unprepared("INSERT INTO customer (email, name, age) VALUES ('x', 'x', 70000)")
        .await?;
    match customer::Entity::find().all(db).await {
        Ok(rows) => holds(false, format!("it was read as {rows:?}")),
        Err(error) => same(error.failure().map(|failure| failure.kind), Some(DbFailureKind::Type)),
    }
}

pub(super) async fn a_table_that_is_not_listed_is_refused(db: &Db) -> Outcome {
    let row = unlisted::ActiveModel {
        id: Set(1),
        big: Set(None),
    };
    unlisted::Entity::insert(row).exec_without_returning(db).await?;
    match unlisted::Entity::find().all(db).await {
        Ok(rows) => holds(false, format!("it was read as {rows:?}")),
        Err(error) => holds(error.to_string().contains("\"unlisted\" is not registered"), error),
    }
}

pub(super) async fn a_unique_key_is_told_from_other_errors(db: &Db) -> Outcome {
    person("ada", None).insert(db).await?;
    let Err(error) = person("ada", None).insert(db).await else {
        return holds(false, "the same key was taken twice");
    };
    holds(error.is_unique() && !error.is_foreign_key(), &error)?;
    holds(error.constraint().is_some_and(|name| name.contains("email")), &error)
}

pub(super) async fn a_foreign_key_is_told_from_other_errors(db: &Db) -> Outcome {
    let order = order::ActiveModel {
        customer_id: Set(12345),
        ..Default::default()
    };
    match order.insert(db).await {
        Ok(_) => holds(false, "an order of nobody was taken"),
        Err(error) => holds(error.is_foreign_key() && !error.is_unique(), error),
    }
}

pub(super) async fn null_where_none_may_be_and_nonsense_are_told_apart(db: &Db) -> Outcome {
    for (sql, kind) in [
        ("INSERT INTO customer (email) VALUES ('x')", DbFailureKind::NotNull),
        ("SELEC nonsense", DbFailureKind::Other),
    ] {
        match db.execute_raw(Statement::from_string(db.get_database_backend(), sql)).await {
            Ok(_) => holds(false, format!("{sql} was taken"))?,
            Err(error) => same(error.failure().map(|failure| failure.kind), Some(kind))?,
        }
    }
    Ok(())
}

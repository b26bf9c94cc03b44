//! The tables: what was placed, and what was done.

use sea_orm::{DbErr, EntityTrait, QueryOrder};
use serde_json::{Value, json};
use wharf_sdk::services::database::Db;
use wharf_sdk::{Migration, Migrations};

/// Orders that were placed.
pub(crate) mod placed {
    use sea_orm::entity::prelude::*;

    /// One.
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "placed")]
    pub(crate) struct Model {
        /// Its number.
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) number: i64,
    }

    /// There are none.
    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What was done: one row for each time, so that whoever does it twice is seen.
pub(crate) mod handled {
    use sea_orm::ActiveValue::Set;
    use sea_orm::entity::prelude::*;

    /// One time.
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "handled")]
    pub(crate) struct Model {
        /// In order.
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        /// By which subscription or job.
        pub(crate) by: String,
        /// For whom.
        pub(crate) customer: String,
        /// Which order.
        pub(crate) number: i64,
    }

    /// There are none.
    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}

    pub(crate) fn row(by: &str, customer: &str, number: i64) -> ActiveModel {
        ActiveModel {
            by: Set(by.to_owned()),
            customer: Set(customer.to_owned()),
            number: Set(number),
            ..Default::default()
        }
    }
}

pub(crate) fn migrations() -> Migrations {
    Migrations::new().then(
        Migration::expand("0001_orders")
            .both("CREATE TABLE placed (number BIGINT PRIMARY KEY)")
            .sqlite("CREATE TABLE handled (id INTEGER PRIMARY KEY AUTOINCREMENT, \"by\" TEXT NOT NULL, customer TEXT NOT NULL, number BIGINT NOT NULL)")
            .postgres("CREATE TABLE handled (id BIGSERIAL PRIMARY KEY, \"by\" TEXT NOT NULL, customer TEXT NOT NULL, number BIGINT NOT NULL)"),
    )
}

pub(crate) async fn all(db: &Db) -> Result<(Vec<i64>, Vec<Value>), DbErr> {
    let placed = placed::Entity::find().order_by_asc(placed::Column::Number).all(db).await?;
    let handled = handled::Entity::find().order_by_asc(handled::Column::Id).all(db).await?;
    let row = |row: handled::Model| json!({ "by": row.by, "customer": row.customer, "number": row.number });
    Ok((
        placed.into_iter().map(|row| row.number).collect(),
        handled.into_iter().map(row).collect(),
    ))
}

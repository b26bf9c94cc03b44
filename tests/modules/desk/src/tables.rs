//! The tables: documents, and notes of what handlers saw.

use wharf_sdk::{Migration, Migrations};

/// Documents.
pub(crate) mod doc {
    use sea_orm::entity::prelude::*;

    /// One.
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "doc")]
    pub(crate) struct Model {
        /// Counted from 1.
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        /// What it is called.
        pub(crate) name: String,
        /// Whose it is.
        pub(crate) owner: Option<String>,
    }

    /// There are none.
    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What handlers saw.
pub(crate) mod note {
    use sea_orm::ActiveValue::Set;
    use sea_orm::entity::prelude::*;

    /// One.
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "note")]
    pub(crate) struct Model {
        /// In order.
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        /// What.
        pub(crate) text: Json,
    }

    /// There are none.
    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}

    pub(crate) fn row(text: &Json) -> ActiveModel {
        ActiveModel {
            text: Set(text.clone()),
            ..Default::default()
        }
    }
}

pub(crate) fn migrations() -> Migrations {
    Migrations::new().then(
        Migration::expand("0001_desk")
            .sqlite(
                "CREATE TABLE doc (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, owner TEXT); \
                 CREATE TABLE note (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL)",
            )
            .postgres(
                "CREATE TABLE doc (id BIGSERIAL PRIMARY KEY, name TEXT NOT NULL, owner TEXT); \
                 CREATE TABLE note (id BIGSERIAL PRIMARY KEY, text JSONB NOT NULL)",
            ),
    )
}

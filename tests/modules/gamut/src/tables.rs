//! The tables: a row with a column of most types, and what handlers and jobs saw.

use wharf_sdk::{Migration, Migrations};

/// One of each.
pub(crate) mod sample {
    use sea_orm::entity::prelude::*;

    /// A row.
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "sample")]
    pub(crate) struct Model {
        /// Counted from 1.
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        /// No two are the same.
        #[sea_orm(unique)]
        pub(crate) word: String,
        /// Truth.
        pub(crate) flag: bool,
        /// A fraction.
        pub(crate) share: f64,
        /// Exact.
        pub(crate) amount: Decimal,
        /// Bytes.
        pub(crate) raw: Vec<u8>,
        /// An instant.
        pub(crate) at: DateTimeUtc,
        /// A key.
        pub(crate) key: Uuid,
        /// A tree.
        pub(crate) tree: Json,
        /// There or not.
        pub(crate) maybe: Option<i32>,
    }

    /// There are none.
    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What happened without a request.
pub(crate) mod seen {
    use sea_orm::ActiveValue::Set;
    use sea_orm::entity::prelude::*;

    /// One thing.
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "seen")]
    pub(crate) struct Model {
        /// In order.
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        /// What.
        pub(crate) what: String,
    }

    /// There are none.
    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}

    pub(crate) fn row(what: impl Into<String>) -> ActiveModel {
        ActiveModel {
            what: Set(what.into()),
            ..Default::default()
        }
    }
}

pub(crate) fn migrations() -> Migrations {
    Migrations::new()
        .then(
            Migration::expand("0001_gamut")
                .create_table(sample::Entity)
                .create_table(seen::Entity),
        )
        .then(Migration::expand("0002_seen_by_what").both("CREATE INDEX seen_by_what ON seen (what)"))
}

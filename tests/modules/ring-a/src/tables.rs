//! The tables: turns that were taken, and what handlers heard.

use wharf_sdk::{Migration, Migrations};

/// A turn.
pub(crate) mod turn {
    use sea_orm::ActiveValue::Set;
    use sea_orm::entity::prelude::*;

    /// One.
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "turn")]
    pub(crate) struct Model {
        /// Its number.
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        /// How it was taken.
        pub(crate) how: String,
    }

    /// There are none.
    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}

    pub(crate) fn row(how: &str) -> ActiveModel {
        ActiveModel {
            how: Set(how.to_owned()),
            ..Default::default()
        }
    }
}

/// What a handler heard.
pub(crate) mod heard {
    use sea_orm::ActiveValue::Set;
    use sea_orm::entity::prelude::*;

    /// One answer.
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "heard")]
    pub(crate) struct Model {
        /// Its number.
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        /// What was said.
        pub(crate) error: String,
    }

    /// There are none.
    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}

    pub(crate) fn row(error: &str) -> ActiveModel {
        ActiveModel {
            error: Set(error.to_owned()),
            ..Default::default()
        }
    }
}

pub(crate) fn migrations() -> Migrations {
    Migrations::new().then(
        Migration::expand("0001_ring")
            .create_table(turn::Entity)
            .create_table(heard::Entity),
    )
}

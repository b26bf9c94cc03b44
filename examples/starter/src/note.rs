//! The tables: notes, and how many each author left.

use wharf_sdk::sea_orm;
use wharf_sdk::sea_orm::entity::prelude::*;

/// One note.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "note")]
pub struct Model {
    /// Counted from 1.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Who left it.
    pub author: String,
    /// What it says.
    pub text: String,
    /// When, in UTC.
    pub added: ChronoDateTimeUtc,
}

/// There are none.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// How many notes each author left.
pub mod tally {
    use wharf_sdk::sea_orm;
    use wharf_sdk::sea_orm::entity::prelude::*;

    /// One author.
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, serde::Serialize)]
    #[sea_orm(table_name = "tally")]
    pub struct Model {
        /// Who.
        #[sea_orm(primary_key, auto_increment = false)]
        pub author: String,
        /// How many.
        pub notes: i64,
    }

    /// There are none.
    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

//! The tables: entries, and the tally that events keep.

use sea_orm::entity::prelude::*;
use wharf_sdk::{Migration, Migrations};

/// One entry.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "entry")]
pub struct Model {
    /// Counted from 1.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Who signed.
    pub name: String,
    /// What they wrote.
    pub text: String,
    /// Where to thank them, if they said.
    #[serde(skip)]
    pub email: Option<String>,
    /// What tells guests apart without keeping who they are: a salted hash.
    #[serde(skip)]
    pub guest: String,
}

/// There are none.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What was counted.
pub(crate) mod tally {
    #![allow(unreachable_pub, reason = "the derive makes public what stands beside it")]
    use sea_orm::entity::prelude::*;

    /// One counter.
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "tally")]
    pub struct Model {
        /// What is counted.
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        /// How many.
        pub count: i64,
    }

    /// There are none.
    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) fn migrations() -> Migrations {
    Migrations::new().then(
        Migration::expand("0001_entries")
            .sqlite("CREATE TABLE entry (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, text TEXT NOT NULL, email TEXT, guest TEXT NOT NULL)")
            .postgres("CREATE TABLE entry (id BIGSERIAL PRIMARY KEY, name TEXT NOT NULL, text TEXT NOT NULL, email TEXT, guest TEXT NOT NULL)")
            .both("CREATE TABLE tally (name TEXT PRIMARY KEY, count BIGINT NOT NULL); CREATE INDEX entry_guest ON entry (guest)"),
    )
}

//! What counts no more before its time.
#![allow(unreachable_pub, reason = "the derive makes public what stands beside it")]

use sea_orm::entity::prelude::*;

/// One revocation.
#[derive(Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "revocation")]
pub struct Model {
    /// Grows by one with each.
    #[sea_orm(primary_key, auto_increment = false)]
    pub epoch: i64,
    /// `session`, `subject`, `token` or `api_key`.
    pub kind: String,
    /// Which.
    pub value: String,
    /// For subjects: tokens issued before count no more.
    pub before: i64,
    /// When everything it is about has expired.
    pub forget: i64,
}

/// There are none.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Without what it holds: some of it is secret.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("revocation::Model")
    }
}

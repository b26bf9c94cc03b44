//! Refresh tokens, each good once.
#![allow(unreachable_pub, reason = "the derive makes public what stands beside it")]

use sea_orm::entity::prelude::*;

/// One refresh token.
#[derive(Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "refresh_token")]
pub struct Model {
    /// SHA-256 of the token in hexadecimal.
    #[sea_orm(primary_key, auto_increment = false)]
    pub hash: String,
    /// Session it belongs to.
    pub session: String,
    /// When it was given out.
    pub made_at: i64,
    /// When it expires.
    pub expires_at: i64,
    /// When it was used: whoever uses it again has stolen it, or was stolen from.
    pub used_at: Option<i64>,
}

/// There are none.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Without what it holds: some of it is secret.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("refresh_token::Model")
    }
}

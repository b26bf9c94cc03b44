//! API keys.
#![allow(unreachable_pub, reason = "the derive makes public what stands beside it")]

use sea_orm::entity::prelude::*;

/// One API key.
#[derive(Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key")]
pub struct Model {
    /// Its id, which is no secret.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// SHA-256 of the key in hexadecimal.
    pub hash: String,
    /// First characters of the key.
    pub hint: String,
    /// What it is for.
    pub name: String,
    /// Id of the account it stands for.
    pub account: String,
    /// `user` or `service`.
    pub kind: String,
    /// Tenant of the account.
    pub tenant: String,
    /// A JSON array of globs.
    pub scopes: String,
    /// When it was made.
    pub created_at: i64,
    /// When it expires.
    pub expires_at: Option<i64>,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
    /// When it was last checked, to the minute.
    pub used_at: Option<i64>,
}

/// There are none.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Without what it holds: some of it is secret.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("api_key::Model")
    }
}

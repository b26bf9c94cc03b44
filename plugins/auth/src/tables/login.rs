//! Logins that are under way at another provider.
#![allow(unreachable_pub, reason = "the derive makes public what stands beside it")]

use sea_orm::entity::prelude::*;

/// One login.
#[derive(Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "login")]
pub struct Model {
    /// SHA-256 of the `state` in hexadecimal.
    #[sea_orm(primary_key, auto_increment = false)]
    pub hash: String,
    /// Id of the provider.
    pub provider: String,
    /// SHA-256 of what the cookie of the browser holds.
    pub browser: String,
    /// Nonce and PKCE verifier, sealed with the key of this module.
    pub sealed: String,
    /// SHA-256 of the id of the request it is for; none: the tokens are the answer.
    pub request: Option<String>,
    /// When it is given up.
    pub expires_at: i64,
}

/// There are none.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Without what it holds: some of it is secret.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("login::Model")
    }
}

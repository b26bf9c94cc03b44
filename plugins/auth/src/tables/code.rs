//! Authorization codes, each good once.
#![allow(unreachable_pub, reason = "the derive makes public what stands beside it")]

use sea_orm::entity::prelude::*;

/// One code.
#[derive(Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "code")]
pub struct Model {
    /// SHA-256 of the code in hexadecimal.
    #[sea_orm(primary_key, auto_increment = false)]
    pub hash: String,
    /// OAuth client it was given to.
    pub client: String,
    /// Where it was sent.
    pub redirect_uri: String,
    /// PKCE challenge, S256.
    pub challenge: String,
    /// What the client wants to see in the ID token.
    pub nonce: Option<String>,
    /// Permissions asked for.
    pub scope: Option<String>,
    /// Whether an ID token is wanted.
    pub openid: bool,
    /// Who logged in.
    pub account: String,
    /// How.
    pub method: String,
    /// When.
    pub authenticated_at: i64,
    /// When it expires.
    pub expires_at: i64,
    /// When it was used.
    pub used_at: Option<i64>,
    /// Session that came of it.
    pub session: Option<String>,
}

/// There are none.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Without what it holds: some of it is secret.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("code::Model")
    }
}

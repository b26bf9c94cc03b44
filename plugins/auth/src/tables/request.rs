//! Requests for a login that are under way.
#![allow(unreachable_pub, reason = "the derive makes public what stands beside it")]

use sea_orm::entity::prelude::*;

/// One request.
#[derive(Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "request")]
pub struct Model {
    /// SHA-256 of its id in hexadecimal.
    #[sea_orm(primary_key, auto_increment = false)]
    pub hash: String,
    /// SHA-256 of what the cookie of the browser holds.
    pub browser: String,
    /// OAuth client; empty: the answer is shown to whoever asked.
    pub client: String,
    /// Where the code goes.
    pub redirect_uri: String,
    /// What the client wants back.
    pub state: Option<String>,
    /// PKCE challenge.
    pub challenge: String,
    /// What the client wants to see in the ID token.
    pub nonce: Option<String>,
    /// Permissions asked for.
    pub scope: Option<String>,
    /// Whether an ID token is wanted.
    pub openid: bool,
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
        f.write_str("request::Model")
    }
}

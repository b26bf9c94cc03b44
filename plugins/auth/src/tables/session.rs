//! Sessions.
#![allow(unreachable_pub, reason = "the derive makes public what stands beside it")]

use sea_orm::entity::prelude::*;

/// One session.
#[derive(Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
pub struct Model {
    /// `sid`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// Id of the account.
    pub account: String,
    /// `user` or `service`.
    pub kind: String,
    /// Tenant of the account.
    pub tenant: String,
    /// Name of the account when the session began.
    pub name: String,
    /// OAuth client.
    pub client: String,
    /// Permissions it is restricted to, as globs with spaces between; none: all.
    pub scope: Option<String>,
    /// How its subject proved who it is: `password`, or `oidc:` and the provider.
    pub method: String,
    /// When it did.
    pub authenticated_at: i64,
    /// When the session began.
    pub created_at: i64,
    /// When tokens were last given out.
    pub used_at: i64,
    /// When it ends at the latest.
    pub expires_at: i64,
    /// Address it was last used from.
    pub address: String,
    /// What the client said it is.
    pub user_agent: String,
    /// When it was ended before its time.
    pub revoked_at: Option<i64>,
}

/// There are none.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Without what it holds: some of it is secret.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("session::Model")
    }
}

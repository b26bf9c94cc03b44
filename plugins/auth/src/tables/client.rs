//! OAuth clients.
#![allow(unreachable_pub, reason = "the derive makes public what stands beside it")]

use sea_orm::entity::prelude::*;

/// One client.
#[derive(Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "client")]
pub struct Model {
    /// `client_id`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// Shown to whoever logs in.
    pub name: String,
    /// SHA-256 of the secret in hexadecimal; none for public clients.
    pub secret_hash: Option<String>,
    /// A JSON array.
    pub redirect_uris: String,
    /// A JSON array of globs.
    pub scopes: String,
    /// When it was registered.
    pub created_at: i64,
}

/// There are none.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Without what it holds: some of it is secret.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("client::Model")
    }
}

//! Keys that access tokens are signed with.
#![allow(unreachable_pub, reason = "the derive makes public what stands beside it")]

use sea_orm::entity::prelude::*;

/// One key.
#[derive(Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "signing_key")]
pub struct Model {
    /// `kid`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// `EdDSA` or `ES256`.
    pub algorithm: String,
    /// The public key as a JWK, in JSON.
    pub jwk: String,
    /// The private key in PKCS #8, sealed with the key of this module, in base64.
    pub sealed: String,
    /// When it was made.
    pub made_at: i64,
    /// It signs from then on, until a younger one does.
    pub active_from: i64,
    /// When the last token it signed has expired; none while there is no younger one.
    pub retire_at: Option<i64>,
}

/// There are none.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Without what it holds: some of it is secret.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("signing_key::Model")
    }
}

//! The tables. Times are microseconds since 1970, hashes are hexadecimal.
#![allow(unreachable_pub, reason = "the derive makes public what stands beside it")]

use wharf_sdk::services::database::Entities;
use wharf_sdk::{Migration, Migrations, entities};

/// Declares an entity without relations in a module of its own.
macro_rules! table {
    ($(#[$doc:meta])* $name:ident $table:literal { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        pub(crate) mod $name {
            use sea_orm::entity::prelude::*;

            /// One row.
            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
            #[sea_orm(table_name = $table)]
            pub struct Model {
                $($(#[$field_doc])* pub $field: $type,)*
            }

            /// There are none.
            #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}

            impl ActiveModelBehavior for ActiveModel {}
        }
    };
}

table! {
    /// What was recorded and is not sealed yet.
    intent "intent" {
        /// In the order in which they came.
        #[sea_orm(primary_key)]
        n: i64,
        /// Of the record, unique.
        id: String,
        /// Canonical JSON.
        body: String,
    }
}

table! {
    /// What is sealed. Columns after `body` are taken from it, for queries.
    entry "entry" {
        #[sea_orm(primary_key, auto_increment = false)]
        chain: String,
        #[sea_orm(primary_key, auto_increment = false)]
        seq: i64,
        prev: String,
        hash: String,
        body: String,
        id: String,
        at: i64,
        tenant: String,
        actor: String,
        action: String,
        object: String,
        outcome: i32,
    }
}

table! {
    /// One chain a node.
    chain "chain" {
        #[sea_orm(primary_key, auto_increment = false)]
        name: String,
        /// Number and hash of the last entry.
        seq: i64,
        hash: String,
        /// Number and hash of the last entry that was removed after its time; 0 and the chain's first hash when none was.
        base_seq: i64,
        base_hash: String,
        /// Last entry with a checkpoint, and when that was signed.
        checkpoint_seq: i64,
        checkpoint_at: i64,
    }
}

table! {
    /// Signed states of chains.
    checkpoint "checkpoint" {
        #[sea_orm(primary_key, auto_increment = false)]
        chain: String,
        #[sea_orm(primary_key, auto_increment = false)]
        seq: i64,
        count: i64,
        hash: String,
        at: i64,
        key: String,
        signature: String,
    }
}

pub(crate) fn entities() -> Entities {
    entities![intent::Entity, entry::Entity, chain::Entity, checkpoint::Entity]
}

pub(crate) fn migrations() -> Migrations {
    Migrations::new().then(
        Migration::expand("0001_record")
            .sqlite("CREATE TABLE intent (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL)")
            .postgres("CREATE TABLE intent (n BIGSERIAL PRIMARY KEY, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL)")
            .both(
                "CREATE TABLE entry (chain TEXT NOT NULL, seq BIGINT NOT NULL, prev TEXT NOT NULL, hash TEXT NOT NULL, body TEXT NOT NULL,
                     id TEXT NOT NULL UNIQUE, at BIGINT NOT NULL, tenant TEXT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
                     object TEXT NOT NULL, outcome INTEGER NOT NULL, PRIMARY KEY (chain, seq));
                 CREATE INDEX entry_at ON entry (at, id);
                 CREATE INDEX entry_tenant ON entry (tenant, at, id);
                 CREATE TABLE chain (name TEXT PRIMARY KEY, seq BIGINT NOT NULL, hash TEXT NOT NULL, base_seq BIGINT NOT NULL,
                     base_hash TEXT NOT NULL, checkpoint_seq BIGINT NOT NULL, checkpoint_at BIGINT NOT NULL);
                 CREATE TABLE checkpoint (chain TEXT NOT NULL, seq BIGINT NOT NULL, count BIGINT NOT NULL, hash TEXT NOT NULL,
                     at BIGINT NOT NULL, key TEXT NOT NULL, signature TEXT NOT NULL, PRIMARY KEY (chain, seq))",
            ),
    )
}

//! The tables. Times are milliseconds since 1970, so that they are the same on both databases.
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
            #[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
            #[sea_orm(table_name = $table)]
            pub struct Model {
                $($(#[$field_doc])* pub $field: $type,)*
            }

            /// There are none.
            #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}

            impl ActiveModelBehavior for ActiveModel {}

            /// Rows hold addresses and hashes, which belong in no log.
            impl std::fmt::Debug for Model {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str(concat!($table, "(..)"))
                }
            }
        }
    };
}

table! {
    /// Customers that share an installation.
    tenant "tenant" {
        #[sea_orm(primary_key, auto_increment = false)]
        id: String,
        name: String,
        created: i64,
    }
}

table! {
    /// Accounts of people.
    user "account" {
        #[sea_orm(primary_key, auto_increment = false)]
        id: String,
        tenant: String,
        /// In lower case.
        email: Option<String>,
        email_verified: bool,
        name: String,
        status: String,
        /// argon2id, in the PHC string format.
        password: Option<String>,
        created: i64,
        updated: i64,
        version: i64,
    }
}

table! {
    /// Whom another identity provider calls what.
    external "external" {
        #[sea_orm(primary_key, auto_increment = false)]
        issuer: String,
        #[sea_orm(primary_key, auto_increment = false)]
        subject: String,
        account: String,
        created: i64,
    }
}

table! {
    /// Groups.
    group "team" {
        #[sea_orm(primary_key, auto_increment = false)]
        id: String,
        tenant: String,
        name: String,
        description: String,
        created: i64,
    }
}

table! {
    /// Who is in which group.
    member "member" {
        #[sea_orm(primary_key, auto_increment = false)]
        team: String,
        /// `user:ID` or `service:ID`.
        #[sea_orm(primary_key, auto_increment = false)]
        member: String,
        created: i64,
    }
}

table! {
    /// Accounts of programs.
    service "service" {
        #[sea_orm(primary_key, auto_increment = false)]
        id: String,
        tenant: String,
        name: String,
        description: String,
        status: String,
        /// SHA-256 of the secret, in hexadecimal.
        secret_hash: String,
        secret_made: i64,
        created: i64,
        updated: i64,
    }
}

table! {
    /// Links that count once.
    link "link" {
        /// SHA-256 of the token, in hexadecimal.
        #[sea_orm(primary_key, auto_increment = false)]
        hash: String,
        purpose: String,
        /// None for the invitation of an administrator, whose account is made when it is accepted.
        account: Option<String>,
        /// Address that it was made for.
        email: Option<String>,
        created: i64,
        expires: i64,
        used_at: Option<i64>,
    }
}

table! {
    /// Wrong tries in a row.
    attempt "attempt" {
        /// What was tried: a login, or an account.
        #[sea_orm(primary_key, auto_increment = false)]
        what: String,
        failures: i64,
        locked_until: i64,
        last: i64,
    }
}

pub(crate) fn entities() -> Entities {
    entities![
        tenant::Entity,
        user::Entity,
        external::Entity,
        group::Entity,
        member::Entity,
        service::Entity,
        link::Entity,
        attempt::Entity
    ]
}

pub(crate) fn migrations() -> Migrations {
    Migrations::new().then(Migration::expand("0001_accounts").both(
        "CREATE TABLE tenant (id TEXT PRIMARY KEY, name TEXT NOT NULL, created BIGINT NOT NULL);
         INSERT INTO tenant (id, name, created) VALUES ('default', 'Default', 0);
         CREATE TABLE account (id TEXT PRIMARY KEY, tenant TEXT NOT NULL REFERENCES tenant (id), email TEXT, email_verified BOOLEAN NOT NULL,
             name TEXT NOT NULL, status TEXT NOT NULL, password TEXT, created BIGINT NOT NULL, updated BIGINT NOT NULL, version BIGINT NOT NULL);
         CREATE UNIQUE INDEX account_email ON account (tenant, email);
         CREATE TABLE external (issuer TEXT NOT NULL, subject TEXT NOT NULL, account TEXT NOT NULL REFERENCES account (id),
             created BIGINT NOT NULL, PRIMARY KEY (issuer, subject));
         CREATE INDEX external_account ON external (account);
         CREATE TABLE team (id TEXT PRIMARY KEY, tenant TEXT NOT NULL REFERENCES tenant (id), name TEXT NOT NULL, description TEXT NOT NULL,
             created BIGINT NOT NULL);
         CREATE UNIQUE INDEX team_name ON team (tenant, name);
         CREATE TABLE member (team TEXT NOT NULL REFERENCES team (id), member TEXT NOT NULL, created BIGINT NOT NULL, PRIMARY KEY (team, member));
         CREATE INDEX member_member ON member (member);
         CREATE TABLE service (id TEXT PRIMARY KEY, tenant TEXT NOT NULL REFERENCES tenant (id), name TEXT NOT NULL, description TEXT NOT NULL,
             status TEXT NOT NULL, secret_hash TEXT NOT NULL, secret_made BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL);
         CREATE UNIQUE INDEX service_name ON service (tenant, name);
         CREATE TABLE link (hash TEXT PRIMARY KEY, purpose TEXT NOT NULL, account TEXT, email TEXT, created BIGINT NOT NULL,
             expires BIGINT NOT NULL, used_at BIGINT);
         CREATE INDEX link_account ON link (account, purpose);
         CREATE TABLE attempt (what TEXT PRIMARY KEY, failures BIGINT NOT NULL, locked_until BIGINT NOT NULL, last BIGINT NOT NULL)",
    ))
}

//! The tables: rules, bindings, roles, the epoch with its changes, and what modules declare.
#![allow(unreachable_pub, reason = "the derives make public what stands beside them")]

use wharf_sdk::services::database::Entities;
use wharf_sdk::{Migration, Migrations, entities};

macro_rules! entity {
    ($(#[$doc:meta])* $name:ident $table:literal { $($fields:tt)* }) => {
        $(#[$doc])*
        pub(crate) mod $name {
            use sea_orm::entity::prelude::*;

            /// One row.
            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
            #[sea_orm(table_name = $table)]
            pub struct Model { $($fields)* }

            /// There are none.
            #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}

            impl ActiveModelBehavior for ActiveModel {}
        }
    };
}

entity! {
    /// Rules.
    rule "rule" {
        /// Counted from 1.
        #[sea_orm(primary_key)]
        pub id: i64,
        /// `role:NAME`, `user:ID`, ...
        pub subject: String,
        /// Tenant, or `*`.
        pub tenant: String,
        /// A glob.
        pub permission: String,
        /// A glob, or `own`.
        pub resource: String,
        /// Whether it takes away.
        pub deny: bool,
    }
}

entity! {
    /// Bindings.
    binding "binding" {
        /// Counted from 1.
        #[sea_orm(primary_key)]
        pub id: i64,
        /// Who holds it.
        pub member: String,
        /// What is held.
        pub role: String,
        /// Tenant, or `*`.
        pub tenant: String,
    }
}

entity! {
    /// Roles.
    role "role" {
        /// Unique in the installation.
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        /// For people.
        pub description: String,
        /// Tenant, or `*`.
        pub tenant: String,
        /// Comes with the host.
        pub built_in: bool,
    }
}

entity! {
    /// One row: how often the rules were changed.
    epoch "epoch" {
        /// Always 1.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i64,
        /// Grows by one with each change.
        pub value: i64,
    }
}

entity! {
    /// The last changes, so that nodes need not read everything again.
    change "change" {
        /// The epoch it led to.
        #[sea_orm(primary_key, auto_increment = false)]
        pub epoch: i64,
        /// JSON of what changed.
        pub data: String,
    }
}

entity! {
    /// What modules declare, by the node that says so.
    permission "permission" {
        /// Name of the node.
        #[sea_orm(primary_key, auto_increment = false)]
        pub node: String,
        /// Id of the module.
        #[sea_orm(primary_key, auto_increment = false)]
        pub module: String,
        /// Name of the permission.
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        /// For people.
        pub description: String,
        /// Whether it reaches beyond a tenant.
        pub installation: bool,
    }
}

pub(crate) fn entities() -> Entities {
    entities![
        rule::Entity,
        binding::Entity,
        role::Entity,
        epoch::Entity,
        change::Entity,
        permission::Entity
    ]
}

pub(crate) fn migrations() -> Migrations {
    let policy = Migration::expand("0001_policy")
            .sqlite(
                "CREATE TABLE rule (id INTEGER PRIMARY KEY AUTOINCREMENT, subject TEXT NOT NULL, tenant TEXT NOT NULL, permission TEXT NOT NULL, resource TEXT NOT NULL, deny BOOLEAN NOT NULL); \
                 CREATE TABLE binding (id INTEGER PRIMARY KEY AUTOINCREMENT, member TEXT NOT NULL, role TEXT NOT NULL, tenant TEXT NOT NULL)",
            )
            .postgres(
                "CREATE TABLE rule (id BIGSERIAL PRIMARY KEY, subject TEXT NOT NULL, tenant TEXT NOT NULL, permission TEXT NOT NULL, resource TEXT NOT NULL, deny BOOLEAN NOT NULL); \
                 CREATE TABLE binding (id BIGSERIAL PRIMARY KEY, member TEXT NOT NULL, role TEXT NOT NULL, tenant TEXT NOT NULL)",
            )
            .both(
                "CREATE UNIQUE INDEX rule_line ON rule (subject, tenant, permission, resource, deny); \
                 CREATE UNIQUE INDEX binding_line ON binding (member, role, tenant); \
                 CREATE TABLE role (name TEXT PRIMARY KEY, description TEXT NOT NULL, tenant TEXT NOT NULL, built_in BOOLEAN NOT NULL); \
                 CREATE TABLE epoch (id BIGINT PRIMARY KEY, value BIGINT NOT NULL); \
                 CREATE TABLE change (epoch BIGINT PRIMARY KEY, data TEXT NOT NULL); \
                 CREATE TABLE permission (node TEXT NOT NULL, module TEXT NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL, PRIMARY KEY (node, module, name)); \
                 INSERT INTO epoch (id, value) VALUES (1, 1); \
                 INSERT INTO role (name, description, tenant, built_in) VALUES \
                   ('admin', 'May do everything', '*', TRUE), \
                   ('member', 'Nothing by itself: rules give it what every member of a tenant may', '*', TRUE), \
                   ('auditor', 'May read accounts, rules and the audit record', '*', TRUE); \
                 INSERT INTO rule (subject, tenant, permission, resource, deny) VALUES \
                   ('role:admin', '*', '*', '*', FALSE), \
                   ('role:auditor', '*', 'audit.*.read', '*', FALSE), \
                   ('role:auditor', '*', 'authz.*.read', '*', FALSE), \
                   ('role:auditor', '*', 'identity.*.read', '*', FALSE)",
            );
    let installation = "ALTER TABLE permission ADD COLUMN installation BOOLEAN NOT NULL DEFAULT FALSE";
    Migrations::new()
        .then(policy)
        .then(Migration::expand("0002_installation").both(installation))
}

//! The tables. Times are seconds since 1970, days are counted from 1970: the same on both databases.
#![allow(unreachable_pub, reason = "the derive makes public what stands beside it")]

use wharf_sdk::services::database::Entities;
use wharf_sdk::{Migration, Migrations, Tenanted, entities};

/// Declares an entity of tenants, without relations, in a module of its own.
macro_rules! table {
    ($(#[$doc:meta])* $name:ident $table:literal { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        pub(crate) mod $name {
            use sea_orm::entity::prelude::*;

            /// One row.
            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
            #[sea_orm(table_name = $table)]
            pub struct Model {
                /// Whose it is.
                #[sea_orm(primary_key, auto_increment = false)]
                pub tenant: String,
                $($(#[$field_doc])* pub $field: $type,)*
            }

            /// There are none.
            #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}

            impl ActiveModelBehavior for ActiveModel {}
        }

        impl Tenanted for $name::Entity {
            const TENANT: $name::Column = $name::Column::Tenant;
        }
    };
}

table! {
    /// What was counted in a minute, an hour or a day.
    bucket "bucket" {
        #[sea_orm(primary_key, auto_increment = false)]
        metric: String,
        /// The number of a `Grain`.
        #[sea_orm(primary_key, auto_increment = false)]
        grain: i16,
        /// Empty: all of the metric.
        #[sea_orm(primary_key, auto_increment = false)]
        dimension: String,
        #[sea_orm(primary_key, auto_increment = false)]
        begins: i64,
        /// Empty with an empty dimension.
        #[sea_orm(primary_key, auto_increment = false)]
        value: String,
        hits: i64,
        total: i64,
    }
}

table! {
    /// Names of metrics and of their dimensions.
    name "name" {
        #[sea_orm(primary_key, auto_increment = false)]
        metric: String,
        /// Empty: the metric itself.
        #[sea_orm(primary_key, auto_increment = false)]
        dimension: String,
        first_seen: i64,
    }
}

table! {
    /// Ids of events that were counted.
    seen "seen" {
        /// On which it was published, or on which it happened when it came by request: the same whenever it comes again.
        #[sea_orm(primary_key, auto_increment = false)]
        day: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        event: String,
    }
}

table! {
    /// How many records came too late for the buckets of a grain.
    late "late" {
        #[sea_orm(primary_key, auto_increment = false)]
        metric: String,
        #[sea_orm(primary_key, auto_increment = false)]
        grain: i16,
        hits: i64,
    }
}

pub(crate) fn entities() -> Entities {
    entities![bucket::Entity, name::Entity, seen::Entity, late::Entity]
}

/// Rows of SQLite lie in the order of their key, without a row id beside it: half the writes.
pub(crate) fn migrations() -> Migrations {
    const BUCKET: &str =
        "CREATE TABLE bucket (tenant TEXT NOT NULL, metric TEXT NOT NULL, grain SMALLINT NOT NULL, dimension TEXT NOT NULL,
        begins BIGINT NOT NULL, value TEXT NOT NULL, hits BIGINT NOT NULL, total BIGINT NOT NULL,
        PRIMARY KEY (tenant, metric, grain, dimension, begins, value))";
    const NAME: &str = "CREATE TABLE name (tenant TEXT NOT NULL, metric TEXT NOT NULL, dimension TEXT NOT NULL, first_seen BIGINT NOT NULL,
        PRIMARY KEY (tenant, metric, dimension))";
    const SEEN: &str =
        "CREATE TABLE seen (tenant TEXT NOT NULL, day BIGINT NOT NULL, event TEXT NOT NULL, PRIMARY KEY (tenant, day, event))";
    const LATE: &str = "CREATE TABLE late (tenant TEXT NOT NULL, metric TEXT NOT NULL, grain SMALLINT NOT NULL, hits BIGINT NOT NULL,
        PRIMARY KEY (tenant, metric, grain))";
    let first = [BUCKET, NAME, SEEN, LATE]
        .into_iter()
        .fold(Migration::expand("0001_buckets"), |migration, table| {
            migration.sqlite(&format!("{table} WITHOUT ROWID")).postgres(table)
        });
    Migrations::new().then(first)
}

//! The tables. Times are milliseconds since 1970 and ids are text, so that both are the same on both databases.
//!
//! What is searched stands in tables of its own, which differ between the databases: see `search`.
#![allow(unreachable_pub, reason = "the derive makes public what stands beside it")]

use wharf_sdk::services::database::Entities;
use wharf_sdk::{Migration, Migrations, entities};

/// Declares an entity without relations, whose rows each belong to a tenant, in a module of its own.
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

            impl wharf_sdk::Tenanted for Entity {
                const TENANT: Column = Column::Tenant;
            }
        }
    };
}

table! {
    /// Posts, as they are now.
    post "post" {
        #[sea_orm(primary_key, auto_increment = false)]
        id: String,
        tenant: String,
        title: String,
        summary: String,
        /// Markdown.
        body: String,
        /// How the body begins, for lists.
        excerpt: String,
        /// How long it takes to read.
        minutes: i32,
        /// The one it is found under now; those of before are in `slug`.
        slug: String,
        /// As `State::name` says.
        state: String,
        /// Subject of whoever wrote it, such as `user:0197...`.
        author: String,
        /// Grows with every change.
        version: i64,
        created: i64,
        updated: i64,
        /// When it was first shown to everyone.
        published: Option<i64>,
        /// When it is to be.
        scheduled: Option<i64>,
    }
}

table! {
    /// Every slug that leads to a post.
    slug "slug" {
        #[sea_orm(primary_key, auto_increment = false)]
        tenant: String,
        #[sea_orm(primary_key, auto_increment = false)]
        slug: String,
        post: String,
        created: i64,
    }
}

table! {
    /// Tags of posts.
    tag "post_tag" {
        #[sea_orm(primary_key, auto_increment = false)]
        tenant: String,
        #[sea_orm(primary_key, auto_increment = false)]
        post: String,
        #[sea_orm(primary_key, auto_increment = false)]
        tag: String,
    }
}

table! {
    /// What posts said, each time they were saved.
    revision "revision" {
        #[sea_orm(primary_key, auto_increment = false)]
        id: String,
        tenant: String,
        post: String,
        /// Version that the post had with it.
        number: i64,
        title: String,
        summary: String,
        body: String,
        /// A JSON list.
        tags: String,
        /// Subject of whoever saved it.
        author: String,
        created: i64,
    }
}

table! {
    /// What readers say.
    comment "comment" {
        #[sea_orm(primary_key, auto_increment = false)]
        id: String,
        tenant: String,
        post: String,
        author: String,
        /// Markdown.
        body: String,
        /// `pending`, `approved` or `rejected`.
        status: String,
        created: i64,
        /// When somebody decided on it, and who.
        decided: Option<i64>,
        decided_by: Option<String>,
    }
}

table! {
    /// What happened to posts lately, for those who watch, on whatever node.
    change "change" {
        #[sea_orm(primary_key, auto_increment = false)]
        id: String,
        tenant: String,
        post: String,
        slug: String,
        /// As in the event `blog.post.changed.v1`.
        what: String,
        state: String,
        version: i64,
        at: i64,
    }
}

pub(crate) fn entities() -> Entities {
    entities![
        post::Entity,
        slug::Entity,
        tag::Entity,
        revision::Entity,
        comment::Entity,
        change::Entity
    ]
}

pub(crate) fn migrations() -> Migrations {
    let posts = Migration::expand("0001_posts").both(
        "CREATE TABLE post (id TEXT PRIMARY KEY, tenant TEXT NOT NULL, title TEXT NOT NULL, summary TEXT NOT NULL, body TEXT NOT NULL,
             excerpt TEXT NOT NULL, minutes INTEGER NOT NULL, slug TEXT NOT NULL, state TEXT NOT NULL, author TEXT NOT NULL, version BIGINT NOT NULL, created BIGINT NOT NULL,
             updated BIGINT NOT NULL, published BIGINT, scheduled BIGINT);
         CREATE INDEX post_published ON post (tenant, state, published, id);
         CREATE INDEX post_updated ON post (tenant, updated, id);
         CREATE INDEX post_author ON post (tenant, author, state, published, id);
         CREATE INDEX post_scheduled ON post (state, scheduled);
         CREATE TABLE slug (tenant TEXT NOT NULL, slug TEXT NOT NULL, post TEXT NOT NULL,
             created BIGINT NOT NULL, PRIMARY KEY (tenant, slug));
         CREATE INDEX slug_post ON slug (post);
         CREATE TABLE post_tag (tenant TEXT NOT NULL, post TEXT NOT NULL REFERENCES post (id) ON DELETE CASCADE, tag TEXT NOT NULL,
             PRIMARY KEY (tenant, post, tag));
         CREATE INDEX post_tag_tag ON post_tag (tenant, tag, post);
         CREATE TABLE revision (id TEXT PRIMARY KEY, tenant TEXT NOT NULL, post TEXT NOT NULL REFERENCES post (id) ON DELETE CASCADE,
             number BIGINT NOT NULL, title TEXT NOT NULL, summary TEXT NOT NULL, body TEXT NOT NULL, tags TEXT NOT NULL,
             author TEXT NOT NULL, created BIGINT NOT NULL);
         CREATE UNIQUE INDEX revision_post ON revision (tenant, post, number);
         CREATE INDEX revision_only_post ON revision (post);
         CREATE TABLE comment (id TEXT PRIMARY KEY, tenant TEXT NOT NULL, post TEXT NOT NULL REFERENCES post (id) ON DELETE CASCADE,
             author TEXT NOT NULL, body TEXT NOT NULL, status TEXT NOT NULL, created BIGINT NOT NULL, decided BIGINT, decided_by TEXT);
         CREATE INDEX comment_post ON comment (tenant, post, created, id);
         CREATE INDEX comment_status ON comment (tenant, status, created, id);
         CREATE INDEX comment_only_post ON comment (post);
         CREATE TABLE change (id TEXT PRIMARY KEY, tenant TEXT NOT NULL, post TEXT NOT NULL, slug TEXT NOT NULL, what TEXT NOT NULL,
             state TEXT NOT NULL, version BIGINT NOT NULL, at BIGINT NOT NULL);
         CREATE INDEX change_at ON change (at)",
    );
    Migrations::new().then(posts).then(crate::search::migration())
}

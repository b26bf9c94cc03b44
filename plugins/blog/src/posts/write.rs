//! Making, changing and deleting posts.

use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, TransactionTrait};
use wharf_sdk::audit::Entry;
use wharf_sdk::services::database::Tx;
use wharf_sdk::tracing::{self, Instrument as _};
use wharf_sdk::{Principal, Tenant};

use super::{Expected, Post, Text, WRITE, object, resource, slugs};
use crate::Blog;
use crate::clock;
use crate::domain::slug::of_title;
use crate::domain::state::State;
use crate::error::Result;
use crate::search;
use crate::tables::{comment, post, revision, slug, tag};

impl Blog {
    /// Makes a draft of the caller's, in the transaction of whoever asks.
    pub(crate) async fn create(&self, tx: &Tx, tenant: &Tenant, who: &Principal, text: Text) -> Result<Post> {
        let now = clock::now();
        let mut post = Post {
            row: post::Model {
                id: clock::id(),
                tenant: tenant.as_str().to_owned(),
                title: String::new(),
                summary: String::new(),
                body: String::new(),
                excerpt: String::new(),
                minutes: 1,
                slug: String::new(),
                state: State::Draft.name().to_owned(),
                author: who.subject().to_owned(),
                version: 1,
                created: now,
                updated: now,
                published: None,
                scheduled: None,
            },
            tags: Vec::new(),
        };
        self.authz.require(WRITE, resource(&post.row))?;
        post.write(text);
        let span = tracing::info_span!("write draft", post.id = post.row.id);
        self.insert(tx, tenant, who, post).instrument(span).await
    }

    async fn insert(&self, tx: &Tx, tenant: &Tenant, who: &Principal, mut post: Post) -> Result<Post> {
        post.row.slug = slugs::take(tx, tenant, &post.row.id, &post.row.title).await?;
        post::Entity::insert(tenant.stamp(post.row.clone().into_active_model()))
            .exec_without_returning(tx)
            .await?;
        keep(tx, tenant, who, &post).await?;
        self.tell(tx, tenant, "create", &post.row, std::slice::from_ref(&post.row.slug))
            .await?;
        let entry = Entry::of("blog.post.create").on(object(&post.row.id));
        self.record(tx, tenant, entry.added("title", &post.row.title).added("slug", &post.row.slug))
            .await?;
        Ok(post)
    }

    /// Changes what a post says. What is the same already makes no new version.
    pub(crate) async fn update(&self, tenant: &Tenant, who: &Principal, id: &str, expected: &Expected, text: Text) -> Result<Post> {
        let post = self.post_for(tenant, who, id, WRITE).await?;
        expected.check(post.row.version)?;
        self.rewrite(tenant, who, post, text, "update").await
    }

    /// Writes another text into a post; what it said stays as a revision.
    pub(super) async fn rewrite(&self, tenant: &Tenant, who: &Principal, before: Post, text: Text, what: &str) -> Result<Post> {
        if before.text() == text {
            return Ok(before);
        }
        let mut after = before.clone();
        after.write(text);
        after.row.version += 1;
        after.row.updated = clock::now();
        let tx = self.db.begin().await?;
        if of_title(&after.row.title) != of_title(&before.row.title) {
            after.row.slug = slugs::take(&tx, tenant, &after.row.id, &after.row.title).await?;
            if before.row.published.is_none() && after.row.slug != before.row.slug {
                slugs::release(&tx, tenant, &after.row.id, &before.row.slug).await?;
            }
        }
        self.store(&tx, tenant, before.row.version, &after.row).await?;
        keep(&tx, tenant, who, &after).await?;
        if after.state() == State::Published {
            search::index(&tx, tenant, &after).await?;
        }
        let slugs = self.slugs_of(&tx, tenant, &after.row.id).await?;
        self.tell(&tx, tenant, what, &after.row, &slugs).await?;
        let entry = Entry::of(&format!("blog.post.{what}")).on(object(&after.row.id));
        self.record(&tx, tenant, changes(entry, &before, &after)).await?;
        tx.commit().await?;
        self.told(tenant, &slugs).await;
        Ok(after)
    }

    /// Deletes a post with everything that belongs to it.
    pub(crate) async fn delete(&self, tenant: &Tenant, who: &Principal, id: &str, expected: &Expected) -> Result<()> {
        let post = self.post_for(tenant, who, id, WRITE).await?;
        expected.check(post.row.version)?;
        let tx = self.db.begin().await?;
        let slugs = self.slugs_of(&tx, tenant, id).await?;
        search::unindex(&tx, tenant, id).await?;
        tenant
            .delete_many::<slug::Entity>()
            .filter(slug::Column::Post.eq(id))
            .exec(&tx)
            .await?;
        tenant
            .delete_many::<tag::Entity>()
            .filter(tag::Column::Post.eq(id))
            .exec(&tx)
            .await?;
        tenant
            .delete_many::<revision::Entity>()
            .filter(revision::Column::Post.eq(id))
            .exec(&tx)
            .await?;
        tenant
            .delete_many::<comment::Entity>()
            .filter(comment::Column::Post.eq(id))
            .exec(&tx)
            .await?;
        let deleted = tenant
            .delete_many::<post::Entity>()
            .filter(post::Column::Id.eq(id))
            .filter(post::Column::Version.eq(post.row.version))
            .exec(&tx)
            .await?;
        if deleted.rows_affected == 0 {
            return Err(self.stale(&tx, tenant, id, post.row.version).await?);
        }
        self.tell(&tx, tenant, "delete", &post.row, &slugs).await?;
        let entry = Entry::of("blog.post.delete").on(object(id)).removed("title", &post.row.title);
        self.record(&tx, tenant, entry.removed("slug", &post.row.slug)).await?;
        tx.commit().await?;
        self.told(tenant, &slugs).await;
        Ok(())
    }
}

/// Keeps what a post says now: its tags, and a revision.
async fn keep(tx: &Tx, tenant: &Tenant, who: &Principal, post: &Post) -> Result<()> {
    let id = &post.row.id;
    tenant
        .delete_many::<tag::Entity>()
        .filter(tag::Column::Post.eq(id))
        .exec(tx)
        .await?;
    if !post.tags.is_empty() {
        let rows = post.tags.iter().map(|tag| {
            tenant.stamp(tag::ActiveModel {
                post: Set(id.clone()),
                tag: Set(tag.clone()),
                ..Default::default()
            })
        });
        tag::Entity::insert_many(rows).exec_without_returning(tx).await?;
    }
    let revision = revision::ActiveModel {
        id: Set(clock::id()),
        post: Set(id.clone()),
        number: Set(post.row.version),
        title: Set(post.row.title.clone()),
        summary: Set(post.row.summary.clone()),
        body: Set(post.row.body.clone()),
        tags: Set(serde_json::to_string(&post.tags).unwrap_or_default()),
        author: Set(who.subject().to_owned()),
        created: Set(post.row.updated),
        ..Default::default()
    };
    revision::Entity::insert(tenant.stamp(revision)).exec_without_returning(tx).await?;
    Ok(())
}

/// Bodies are long and kept as revisions: the record has their lengths.
fn changes(entry: Entry, before: &Post, after: &Post) -> Entry {
    let length = |post: &Post| post.row.body.chars().count();
    entry
        .changed("title", &before.row.title, &after.row.title)
        .changed("slug", &before.row.slug, &after.row.slug)
        .changed("summary", &before.row.summary, &after.row.summary)
        .changed("tags", &before.tags, &after.tags)
        .changed("body_characters", &length(before), &length(after))
        .changed("version", &before.row.version, &after.row.version)
}

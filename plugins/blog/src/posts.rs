//! Posts: what is done to them, and who may.
//!
//! In reading order: `write` (make, change, delete), `states` (publish and the like), `revisions`, `read` (drafts and lists),
//! `shown` (what everyone sees, from the cache), `slugs`.

mod read;
mod revisions;
mod shown;
mod slugs;
mod states;
mod write;

use std::collections::BTreeMap;

use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use wharf_sdk::audit::Entry;
use wharf_sdk::services::database::Tx;
use wharf_sdk::{Principal, Resource, Tenant, tracing};

use crate::Blog;
use crate::clock;
use crate::domain::state::State;
use crate::domain::{markdown, reading, words};
use crate::error::{Error, Result};
use crate::events::PostChanged;
use crate::tables::{change, post, slug, tag};

pub(crate) use read::{Filter, Head};
pub(crate) use revisions::tags as revision_tags;
pub(crate) use shown::{Found, Shown, rendered};
pub(crate) use states::Doing;

/// Reading drafts of others.
pub(crate) const READ: &str = "blog.post.read";
/// Making, changing and deleting posts.
pub(crate) const WRITE: &str = "blog.post.write";
/// Showing posts to everyone, and taking them away again.
pub(crate) const PUBLISH: &str = "blog.post.publish";

/// A post with its tags.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub(crate) row: post::Model,
    pub(crate) tags: Vec<String>,
}

/// What an author writes, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) title: String,
    pub(crate) summary: String,
    pub(crate) body: String,
    pub(crate) tags: Vec<String>,
}

/// Versions that a write may be based on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Whatever it is.
    Any,
    /// One of these.
    OneOf(Vec<i64>),
}

impl Text {
    /// Checks what somebody wrote.
    pub(crate) fn of<T: AsRef<str>>(title: &str, summary: &str, body: &str, tags: &[T]) -> Result<Self> {
        Ok(Self {
            title: words::title(title)?,
            summary: words::summary(summary)?,
            body: words::body(body)?,
            tags: words::tags(tags)?,
        })
    }
}

impl Expected {
    /// A version as gRPC says it: 0 is any.
    pub(crate) fn version(version: u64) -> Self {
        match i64::try_from(version) {
            Ok(0) => Self::Any,
            Ok(version) => Self::OneOf(vec![version]),
            Err(_) => Self::OneOf(Vec::new()),
        }
    }

    fn check(&self, found: i64) -> Result<()> {
        match self {
            Self::OneOf(versions) if !versions.contains(&found) => Err(Error::Stale {
                found,
                expected: versions.iter().map(i64::to_string).collect::<Vec<_>>().join(" or "),
            }),
            _ => Ok(()),
        }
    }
}

impl Post {
    pub(crate) fn text(&self) -> Text {
        Text {
            title: self.row.title.clone(),
            summary: self.row.summary.clone(),
            body: self.row.body.clone(),
            tags: self.tags.clone(),
        }
    }

    pub(crate) fn state(&self) -> State {
        state(&self.row)
    }

    /// Puts a text in, with what is told by it.
    fn write(&mut self, text: Text) {
        let plain = markdown::plain(&text.body);
        self.row.excerpt = reading::excerpt(&plain);
        self.row.minutes = i32::try_from(reading::minutes(&plain)).unwrap_or(i32::MAX);
        (self.row.title, self.row.summary, self.row.body, self.tags) = (text.title, text.summary, text.body, text.tags);
    }
}

impl Blog {
    /// A post that the caller may see; for others it is not there.
    pub(crate) async fn post(&self, tenant: &Tenant, who: Option<&Principal>, id: &str) -> Result<Post> {
        let post = self.any_post(&self.db, tenant, id).await?;
        if self.sees(who, &post)? {
            Ok(post)
        } else {
            Err(Error::NotFound("post"))
        }
    }

    /// A post on which the caller holds a permission: 403 when they see it and do not, 404 when they do not even see it.
    async fn post_for(&self, tenant: &Tenant, who: &Principal, id: &str, permission: &str) -> Result<Post> {
        let post = self.any_post(&self.db, tenant, id).await?;
        if self.authz.check(permission, resource(&post.row))? {
            return Ok(post);
        }
        if !self.sees(Some(who), &post)? {
            return Err(Error::NotFound("post"));
        }
        self.authz.require(permission, resource(&post.row))?;
        Ok(post)
    }

    /// Published posts are seen by everyone, others by their authors and by whoever may read them.
    fn sees(&self, who: Option<&Principal>, post: &Post) -> Result<bool> {
        let is_own = who.is_some_and(|who| who.subject() == post.row.author);
        Ok(post.state() == State::Published || is_own || (who.is_some() && self.authz.check(READ, resource(&post.row))?))
    }

    async fn any_post<C: ConnectionTrait>(&self, on: &C, tenant: &Tenant, id: &str) -> Result<Post> {
        let row = tenant.find::<post::Entity>().filter(post::Column::Id.eq(id)).one(on).await?;
        let row = row.ok_or(Error::NotFound("post"))?;
        let tags = tags_of(on, tenant, &[row.id.as_str()]).await?.remove(&row.id).unwrap_or_default();
        Ok(Post { row, tags })
    }

    /// Writes a post over the version that was read; nobody else's change is ever lost.
    async fn store(&self, tx: &Tx, tenant: &Tenant, before: i64, after: &post::Model) -> Result<()> {
        let row = post::ActiveModel {
            title: Set(after.title.clone()),
            summary: Set(after.summary.clone()),
            body: Set(after.body.clone()),
            excerpt: Set(after.excerpt.clone()),
            minutes: Set(after.minutes),
            slug: Set(after.slug.clone()),
            state: Set(after.state.clone()),
            version: Set(after.version),
            updated: Set(after.updated),
            published: Set(after.published),
            scheduled: Set(after.scheduled),
            ..Default::default()
        };
        let written = tenant
            .update_many::<post::Entity>()
            .set(row)
            .filter(post::Column::Id.eq(&after.id))
            .filter(post::Column::Version.eq(before))
            .exec(tx)
            .await?;
        match written.rows_affected {
            0 => Err(self.stale(tx, tenant, &after.id, before).await?),
            _ => Ok(()),
        }
    }

    async fn stale(&self, tx: &Tx, tenant: &Tenant, id: &str, expected: i64) -> Result<Error> {
        let found = self.any_post(tx, tenant, id).await?.row.version;
        Ok(Error::Stale {
            found,
            expected: expected.to_string(),
        })
    }

    /// Tells watchers and other modules what happened, when the transaction commits.
    async fn tell(&self, tx: &Tx, tenant: &Tenant, what: &str, post: &post::Model, slugs: &[String]) -> Result<()> {
        let change = change::ActiveModel {
            id: Set(clock::id()),
            post: Set(post.id.clone()),
            slug: Set(post.slug.clone()),
            what: Set(what.to_owned()),
            state: Set(post.state.clone()),
            version: Set(post.version),
            at: Set(clock::now()),
            ..Default::default()
        };
        change::Entity::insert(tenant.stamp(change)).exec_without_returning(tx).await?;
        let event = PostChanged {
            post: post.id.clone(),
            slug: post.slug.clone(),
            what: what.to_owned(),
            state: post.state.clone(),
            version: post.version,
            slugs: slugs.to_vec(),
        };
        tenant.events(&self.events).publish(tx, &event).await?;
        Ok(())
    }

    /// After a commit: what is cached of these slugs is old, and watchers of this node need not wait.
    async fn told(&self, tenant: &Tenant, slugs: &[String]) {
        self.forget(tenant, slugs).await;
        self.watchers.look();
    }

    /// Takes posts out of the cache.
    pub(crate) async fn forget(&self, tenant: &Tenant, slugs: &[String]) {
        let keys: Vec<String> = slugs.iter().map(|slug| shown::key(slug)).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        if let Err(error) = tenant.cache(&self.cache).delete_many(&keys).await {
            tracing::warn!(%error, "changed posts stay cached until they are too old");
        }
    }

    /// Every slug that leads to a post.
    async fn slugs_of(&self, tx: &Tx, tenant: &Tenant, id: &str) -> Result<Vec<String>> {
        let rows = tenant
            .find::<slug::Entity>()
            .filter(slug::Column::Post.eq(id))
            .order_by_asc(slug::Column::Slug)
            .all(tx)
            .await?;
        Ok(rows.into_iter().map(|row| row.slug).collect())
    }

    /// Writes the audit record of something that was done to a post.
    async fn record(&self, tx: &Tx, tenant: &Tenant, entry: Entry) -> Result<()> {
        self.audit.record(tx, entry.in_tenant(tenant.as_str())).await?;
        Ok(())
    }
}

/// What permissions are asked for.
pub(crate) fn resource(post: &post::Model) -> Resource {
    Resource::named(object(&post.id)).owned_by(&post.author)
}

/// What it is called in rules and in the audit record.
fn object(id: &str) -> String {
    format!("post/{id}")
}

/// A row whose state nobody knows is shown to nobody but its author.
fn state(post: &post::Model) -> State {
    State::named(&post.state).unwrap_or(State::Draft)
}

/// Tags by post.
pub(crate) async fn tags_of<C: ConnectionTrait>(on: &C, tenant: &Tenant, ids: &[&str]) -> Result<BTreeMap<String, Vec<String>>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if ids.is_empty() {
        return Ok(found);
    }
    let rows = tenant
        .find::<tag::Entity>()
        .filter(tag::Column::Post.is_in(ids.iter().copied()))
        .order_by_asc(tag::Column::Tag)
        .all(on)
        .await?;
    for row in rows {
        found.entry(row.post).or_default().push(row.tag);
    }
    Ok(found)
}

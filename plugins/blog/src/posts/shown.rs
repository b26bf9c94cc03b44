//! Posts as everyone sees them: read once, rendered once, then from the cache.
//!
//! Whoever changes a post takes it out of the cache after the commit, and the event of the change does so once more. What may still be
//! old: a reader that began before the commit can put the former text back after both, and with a cache in each process the
//! event reaches one node. In both cases the text is `cache.post_seconds` old at most.

use std::time::Duration;

use sea_orm::{ColumnTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use wharf_sdk::services::cache::Load;
use wharf_sdk::{Problem, Tenant};

use super::Post;
use crate::Blog;
use crate::domain::markdown::{self, Kind};
use crate::domain::slug::is_slug;
use crate::domain::state::State;
use crate::error::{Error, Result};
use crate::tables::slug;

/// How long it is remembered that there is no such post.
const ABSENT: Duration = Duration::from_secs(5);
/// Longer texts are rendered where they hold up nobody.
const LONG: usize = 16 * 1024;

/// What a slug leads to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Found {
    /// A post.
    Here(Box<Shown>),
    /// A post that has another slug now.
    Moved(String),
}

/// A published post, rendered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Shown {
    pub(crate) id: String,
    pub(crate) slug: String,
    pub(crate) title: String,
    pub(crate) summary: String,
    pub(crate) excerpt: String,
    pub(crate) body: String,
    pub(crate) html: String,
    pub(crate) tags: Vec<String>,
    pub(crate) author: String,
    pub(crate) version: i64,
    pub(crate) minutes: i32,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) published: i64,
}

impl Blog {
    /// What everyone sees under a slug.
    pub(crate) async fn shown(&self, tenant: &Tenant, slug: &str) -> Result<Found> {
        if !is_slug(slug) {
            return Err(Error::NotFound("post"));
        }
        let how = Load {
            ttl: Duration::from_secs(u64::from(self.config.cache.post_seconds)),
            absent: Some(ABSENT),
            ..Load::default()
        };
        let load = || self.load(tenant, slug);
        let found = tenant.cache(&self.cache).get_or_load_with(&key(slug), &how, load).await?;
        found.ok_or(Error::NotFound("post"))
    }

    /// The same, where an old slug is as good as the new one.
    pub(crate) async fn shown_anyhow(&self, tenant: &Tenant, slug: &str) -> Result<Shown> {
        let mut slug = slug.to_owned();
        // The second step may meet another change of the title; more of them in that time are not believable.
        for _ in 0..3 {
            match self.shown(tenant, &slug).await? {
                Found::Here(shown) => return Ok(*shown),
                Found::Moved(now) => slug = now,
            }
        }
        Err(Error::NotFound("post"))
    }

    async fn load(&self, tenant: &Tenant, slug: &str) -> Result<Option<Found>> {
        let found = tenant
            .find::<slug::Entity>()
            .filter(slug::Column::Slug.eq(slug))
            .one(&self.db)
            .await?;
        let Some(row) = found else { return Ok(None) };
        let post = match self.any_post(&self.db, tenant, &row.post).await {
            Err(Error::NotFound(_)) => return Ok(None),
            post => post?,
        };
        if post.state() != State::Published {
            return Ok(None);
        }
        if post.row.slug != slug {
            return Ok(Some(Found::Moved(post.row.slug)));
        }
        Ok(Some(Found::Here(Box::new(shown(post).await?))))
    }
}

/// Under what a post is cached.
pub(super) fn key(slug: &str) -> String {
    format!("post:{slug}")
}

/// A body as HTML.
pub(crate) async fn rendered(body: &str, kind: Kind) -> Result<String> {
    if body.len() < LONG {
        return Ok(markdown::render(body, kind));
    }
    let body = body.to_owned();
    let html = tokio::task::spawn_blocking(move || markdown::render(&body, kind)).await;
    html.map_err(|error| Error::Problem(Problem::internal(error)))
}

async fn shown(post: Post) -> Result<Shown> {
    let Post { row, tags } = post;
    Ok(Shown {
        html: rendered(&row.body, Kind::Post).await?,
        published: row.published.unwrap_or(row.updated),
        id: row.id,
        slug: row.slug,
        title: row.title,
        summary: row.summary,
        excerpt: row.excerpt,
        body: row.body,
        tags,
        author: row.author,
        version: row.version,
        minutes: row.minutes,
        created: row.created,
        updated: row.updated,
    })
}

//! Posts, drafts, comments, tags, images and search.
//!
//! In reading order: `domain` (the rules, without I/O), `tables`; `posts`, `search`, `comments`, `images` (what is done with them),
//! `authors` (names, from `identity`), `views` and `watch` (telling others), `events` and `jobs`. `http` and `grpc` only translate.

mod authors;
mod clock;
mod comments;
mod config;
mod domain;
mod error;
mod events;
mod grpc;
mod http;
mod images;
mod jobs;
mod posts;
mod search;
mod tables;
mod views;
mod watch;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use wharf_sdk::services::audit::Audit;
use wharf_sdk::services::authz::Authz;
use wharf_sdk::services::blobs::Blobs;
use wharf_sdk::services::cache::Cache;
use wharf_sdk::services::database::{Db, Entities};
use wharf_sdk::services::events::Events;
use wharf_sdk::{Context, Error, Grpc, Handlers, Jobs, Migrations, Module, OpenApi, Routes, export_module};

pub use config::{CacheAges, Comments, Config, Images, Revisions, Views as ViewConfig};
pub use events::{CommentAdded, PostChanged, PostPublished, PostViewed};

export_module!(Blog);

/// The module.
#[derive(Clone, Debug)]
pub struct Blog {
    ctx: Context,
    config: Config,
    db: Db,
    cache: Cache,
    blobs: Blobs,
    events: Events,
    audit: Audit,
    authz: Authz,
    authors: authors::Authors,
    views: Arc<views::Views>,
    watchers: watch::Watchers,
}

impl Module for Blog {
    type Config = Config;

    async fn init(ctx: Context, config: Config) -> Result<Self, Error> {
        let cache = ctx.cache()?;
        Ok(Self {
            db: ctx.db()?,
            blobs: ctx.blobs()?,
            events: ctx.events()?,
            audit: ctx.audit()?,
            authz: ctx.authz()?,
            authors: authors::Authors::new(&ctx, &cache, &config.cache),
            views: Arc::new(views::Views::new(&ctx, &config.views).await?),
            watchers: watch::Watchers::new(),
            cache,
            config,
            ctx,
        })
    }

    fn routes() -> Routes<Self> {
        http::routes()
    }

    fn openapi() -> OpenApi {
        http::document()
    }

    fn grpc(self: &Arc<Self>) -> Grpc {
        grpc::services(self)
    }

    fn migrations() -> Migrations {
        tables::migrations()
    }

    fn entities() -> Entities {
        tables::entities()
    }

    fn events() -> Handlers<Self> {
        events::handlers()
    }

    fn jobs() -> Jobs<Self> {
        jobs::jobs()
    }

    async fn start(&self) -> Result<(), Error> {
        let (blog, ctx) = (self.clone(), self.ctx.clone());
        self.ctx.spawn(async move { blog.views.keep_writing(&ctx).await });
        let (blog, ctx) = (self.clone(), self.ctx.clone());
        self.ctx.spawn(async move { blog.watchers.follow(&ctx, &blog.db).await });
        Ok(())
    }

    async fn stop(&self) -> Result<(), Error> {
        self.views.write().await;
        Ok(())
    }
}

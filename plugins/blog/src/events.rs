//! What is told to others, and what this module does when others tell something.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_sdk::{Error, Event, EventContext, Handlers, Tenant};

use crate::Blog;

/// A post is shown to everyone from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PostPublished {
    /// Id of the post.
    pub post: String,
    /// What it is called in addresses.
    pub slug: String,
    /// Its title.
    pub title: String,
    /// Subject of its author.
    pub author: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// When it was first shown to everyone, RFC 3339.
    pub published_at: String,
}

/// Something happened to a post, whatever it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PostChanged {
    /// Id of the post.
    pub post: String,
    /// What it is called in addresses.
    pub slug: String,
    /// `create`, `update`, `restore`, `publish`, `schedule`, `unpublish`, `archive` or `delete`.
    pub what: String,
    /// `draft`, `scheduled`, `published` or `archived`.
    pub state: String,
    /// Its version from now on.
    pub version: i64,
    /// Every slug that leads or led to it.
    pub slugs: Vec<String>,
}

/// Somebody commented on a post.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommentAdded {
    /// Id of the comment.
    pub comment: String,
    /// Id of the post.
    pub post: String,
    /// Subject of whoever wrote it.
    pub author: String,
    /// `pending` or `approved`.
    pub status: String,
    /// When, RFC 3339.
    pub at: String,
}

/// Somebody looked at a post.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PostViewed {
    /// Id of the post.
    pub post: String,
    /// What it is called in addresses.
    pub slug: String,
    /// Tells visitors of one day apart, and says nothing else of them.
    pub visitor: String,
    /// When, RFC 3339.
    pub at: String,
}

/// What `identity` says of accounts: the part that matters here.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct AccountChanged {
    /// Id of the account.
    pub id: String,
    /// `user` or `service`.
    pub kind: String,
    /// Its tenant.
    pub tenant: String,
}

impl Event for PostPublished {
    const TYPE: &'static str = "blog.post.published.v1";

    fn key(&self) -> Option<String> {
        Some(self.post.clone())
    }
}

impl Event for PostChanged {
    const TYPE: &'static str = "blog.post.changed.v1";

    fn key(&self) -> Option<String> {
        Some(self.post.clone())
    }
}

impl Event for CommentAdded {
    const TYPE: &'static str = "blog.comment.added.v1";

    fn key(&self) -> Option<String> {
        Some(self.post.clone())
    }
}

/// Without a key: nobody needs views in order, and a post that is read by many would be one long queue.
impl Event for PostViewed {
    const TYPE: &'static str = "blog.post.viewed.v1";
}

impl Event for AccountChanged {
    const TYPE: &'static str = "identity.account.changed.v1";

    fn key(&self) -> Option<String> {
        Some(self.id.clone())
    }
}

pub(crate) fn handlers() -> Handlers<Blog> {
    Handlers::new()
        .publishes::<PostPublished>()
        .publishes::<CommentAdded>()
        .publishes::<PostViewed>()
        .publishes::<PostChanged>()
        .on::<PostChanged>("forget-post", Blog::on_post_changed)
        .on::<AccountChanged>("forget-author", Blog::on_account_changed)
}

impl Blog {
    /// What was read before the change may have come into the cache after its writer took it out: once more.
    async fn on_post_changed(self: Arc<Self>, changed: PostChanged, ctx: EventContext) -> Result<(), Error> {
        self.forget(&Tenant::of_event(&ctx), &changed.slugs).await;
        self.watchers.look();
        Ok(())
    }

    async fn on_account_changed(self: Arc<Self>, changed: AccountChanged, _: EventContext) -> Result<(), Error> {
        let Ok(tenant) = Tenant::named(&changed.tenant) else {
            return Ok(());
        };
        self.authors.forget(&tenant, &format!("{}:{}", changed.kind, changed.id)).await;
        Ok(())
    }
}

//! What crosses in JSON.

use std::collections::BTreeMap;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wharf_sdk::Tenant;
use wharf_sdk::extract::Json;

use super::conditions::{etag, value};
use crate::Blog;
use crate::clock::text;
use crate::domain::markdown::Kind;
use crate::domain::state::State;
use crate::error::Result;
use crate::posts::{Head, Post, Shown, Text, rendered};

/// What a post is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum PostState {
    /// For its author, and whoever may read drafts.
    Draft,
    /// Will be published.
    Scheduled,
    /// For everyone.
    Published,
    /// Put away.
    Archived,
}

/// Who wrote something.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Author {
    /// Subject, such as `user:0197...`.
    id: String,
    /// For people to read; left out when nobody can say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    name: Option<String>,
}

/// A post in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PostHead {
    #[schema(value_type = Uuid)]
    id: String,
    /// What it is called in addresses.
    #[schema(pattern = "^[a-z0-9-]{1,100}$")]
    slug: String,
    title: String,
    summary: String,
    /// How the body begins, without marks.
    excerpt: String,
    /// Minutes it takes to read.
    #[schema(minimum = 1)]
    reading_minutes: i32,
    /// In lower case, in their order.
    tags: Vec<String>,
    state: PostState,
    author: Author,
    /// Grows with every change.
    #[schema(minimum = 1)]
    version: i64,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    /// When it was first published.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    published_at: Option<String>,
    /// When it will be published.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    scheduled_at: Option<String>,
}

/// A post, whole.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PostWhole {
    #[serde(flatten)]
    head: PostHead,
    /// Markdown.
    body: String,
    /// The body as HTML that is safe to show.
    html: String,
}

/// A page of posts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PostPage {
    items: Vec<PostHead>,
    /// Empty on the last page.
    next_page_token: String,
}

/// What an author writes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PostText {
    /// One line that is not empty.
    #[schema(min_length = 1, max_length = 200, example = "Hello, world")]
    title: String,
    /// One line.
    #[serde(default)]
    #[schema(max_length = 500)]
    summary: String,
    /// Markdown. Raw HTML is shown as text.
    #[serde(default)]
    #[schema(max_length = 100_000, example = "Some *text*.")]
    body: String,
    /// Each of 1 to 50 characters; brought into lower case.
    #[serde(default)]
    #[schema(max_items = 20, example = json!(["rust"]))]
    tags: Vec<String>,
}

/// When a post is to be published.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Schedule {
    /// In the future, and within ten years.
    #[schema(format = DateTime, example = "2030-01-01T08:00:00Z")]
    pub(super) at: String,
}

/// A post as an answer, with its version as ETag.
pub(super) struct Tagged(pub(super) PostWhole);

impl PostText {
    pub(super) fn checked(&self) -> Result<Text> {
        Text::of(&self.title, &self.summary, &self.body, &self.tags)
    }
}

impl PostState {
    fn of(state: &str) -> Self {
        match State::named(state) {
            Some(State::Scheduled) => Self::Scheduled,
            Some(State::Published) => Self::Published,
            Some(State::Archived) => Self::Archived,
            Some(State::Draft) | None => Self::Draft,
        }
    }
}

impl From<PostState> for State {
    fn from(state: PostState) -> Self {
        match state {
            PostState::Draft => Self::Draft,
            PostState::Scheduled => Self::Scheduled,
            PostState::Published => Self::Published,
            PostState::Archived => Self::Archived,
        }
    }
}

impl Author {
    pub(super) fn new(id: &str, name: Option<String>) -> Self {
        Self { id: id.to_owned(), name }
    }
}

impl PostHead {
    pub(super) fn of(head: Head, names: &BTreeMap<String, String>) -> Self {
        Self {
            author: Author::new(&head.author, names.get(&head.author).cloned()),
            id: head.id,
            slug: head.slug,
            title: head.title,
            summary: head.summary,
            excerpt: head.excerpt,
            reading_minutes: head.minutes,
            tags: head.tags,
            state: PostState::of(&head.state),
            version: head.version,
            created_at: text(head.created),
            updated_at: text(head.updated),
            published_at: head.published.map(text),
            scheduled_at: head.scheduled.map(text),
        }
    }
}

impl PostHead {
    /// Of a whole post; without a name where a transaction holds the writer, and nobody else is waited for.
    pub(super) fn named(post: Post, name: Option<String>) -> Self {
        let Post { row, tags } = post;
        Self {
            author: Author::new(&row.author, name),
            id: row.id,
            slug: row.slug,
            title: row.title,
            summary: row.summary,
            excerpt: row.excerpt,
            reading_minutes: row.minutes,
            tags,
            state: PostState::of(&row.state),
            version: row.version,
            created_at: text(row.created),
            updated_at: text(row.updated),
            published_at: row.published.map(text),
            scheduled_at: row.scheduled.map(text),
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }
}

impl PostWhole {
    /// As everyone sees it.
    pub(super) fn shown(post: Shown, name: Option<String>) -> Self {
        Self {
            head: PostHead {
                author: Author::new(&post.author, name),
                id: post.id,
                slug: post.slug,
                title: post.title,
                summary: post.summary,
                excerpt: post.excerpt,
                reading_minutes: post.minutes,
                tags: post.tags,
                state: PostState::Published,
                version: post.version,
                created_at: text(post.created),
                updated_at: text(post.updated),
                published_at: Some(text(post.published)),
                scheduled_at: None,
            },
            body: post.body,
            html: post.html,
        }
    }

    /// As its author sees it.
    pub(super) async fn of(blog: &Blog, tenant: &Tenant, post: Post) -> Result<Self> {
        let name = blog.authors.name(tenant, &post.row.author).await;
        Ok(Self {
            html: rendered(&post.row.body, Kind::Post).await?,
            body: post.row.body.clone(),
            head: PostHead::named(post, name),
        })
    }
}

impl PostPage {
    /// With the names of its authors, as far as anybody can say them.
    pub(super) async fn of(blog: &Blog, tenant: &Tenant, heads: Vec<Head>, next_page_token: String) -> Self {
        let names = blog.authors.names(tenant, heads.iter().map(|head| head.author.as_str())).await;
        Self {
            items: heads.into_iter().map(|head| PostHead::of(head, &names)).collect(),
            next_page_token,
        }
    }
}

impl IntoResponse for Tagged {
    fn into_response(self) -> Response {
        let tag = etag(self.0.head.version);
        let headers = [(header::ETAG, value(&tag)), (header::CACHE_CONTROL, value("no-store"))];
        (headers, Json(self.0)).into_response()
    }
}

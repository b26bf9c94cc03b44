//! Comments: what readers write, and who decides on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use wharf_sdk::extract::{Json, Path, Query};
use wharf_sdk::{Principal, Tenant};

use super::list::{PageQuery, size};
use super::model::Author;
use super::problems::{OfCreate, OfDecide, OfOwnList, OfRead};
use crate::Blog;
use crate::clock::text;
use crate::comments::Status;
use crate::domain::markdown::Kind;
use crate::error::Result;
use crate::posts::rendered;
use crate::tables::comment;

/// Whether others see a comment.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum CommentStatus {
    /// Nobody decided yet.
    Pending,
    /// Everyone sees it.
    Approved,
    /// Only its author sees it.
    Rejected,
}

/// A comment.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Comment {
    #[schema(value_type = Uuid)]
    id: String,
    /// Id of the post.
    #[schema(value_type = Uuid)]
    post: String,
    author: Author,
    /// Markdown.
    body: String,
    /// The body as HTML that is safe to show.
    html: String,
    status: CommentStatus,
    #[schema(format = DateTime)]
    created_at: String,
}

/// A page of comments.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CommentPage {
    items: Vec<Comment>,
    /// Empty on the last page.
    next_page_token: String,
}

/// What a reader writes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewComment {
    /// Markdown, without headings, tables and images.
    #[schema(min_length = 1, max_length = 5_000, example = "Well said.")]
    body: String,
}

/// Which comments.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct CommentsQuery {
    /// Only those of this status.
    #[param(inline)]
    status: Option<CommentStatus>,
    /// Rows of a page; 20 when nothing is said.
    #[param(minimum = 1, maximum = 100)]
    page_size: Option<u32>,
    /// `next_page_token` of the page before; the first page when nothing is said.
    page_token: Option<String>,
}

impl CommentStatus {
    fn of(name: &str) -> Self {
        match Status::named(name) {
            Some(Status::Approved) => Self::Approved,
            Some(Status::Rejected) => Self::Rejected,
            Some(Status::Pending) | None => Self::Pending,
        }
    }
}

impl From<CommentStatus> for Status {
    fn from(status: CommentStatus) -> Self {
        match status {
            CommentStatus::Pending => Self::Pending,
            CommentStatus::Approved => Self::Approved,
            CommentStatus::Rejected => Self::Rejected,
        }
    }
}

impl Comment {
    fn of(row: comment::Model, html: String, name: Option<String>) -> Self {
        Self {
            html,
            author: Author::new(&row.author, name),
            status: CommentStatus::of(&row.status),
            created_at: text(row.created),
            id: row.id,
            post: row.post,
            body: row.body,
        }
    }
}

impl CommentPage {
    async fn of(blog: &Blog, tenant: &Tenant, rows: Vec<comment::Model>, next_page_token: String) -> Result<Self> {
        let names: BTreeMap<String, String> = blog.authors.names(tenant, rows.iter().map(|row| row.author.as_str())).await;
        let mut items = Vec::with_capacity(rows.len());
        for row in rows {
            let name = names.get(&row.author).cloned();
            let html = rendered(&row.body, Kind::Comment).await?;
            items.push(Comment::of(row, html, name));
            // A page of long comments is not rendered in one go on a thread of the host.
            tokio::task::yield_now().await;
        }
        Ok(Self { items, next_page_token })
    }
}

/// Approved comments on a post, oldest first; and the caller's own, whatever became of them.
#[utoipa::path(
    get, path = "/posts/{slug}/comments", tag = "comments",
    params(("slug" = String, Path, description = "What the post is called", pattern = "^[a-z0-9-]{1,100}$"), PageQuery),
    responses((status = 200, description = "A page", body = CommentPage), OfRead)
)]
pub(super) async fn list_comments(
    State(blog): State<Arc<Blog>>,
    who: Option<Principal>,
    tenant: Tenant,
    Path(slug): Path<String>,
    Query(page): Query<PageQuery>,
) -> Result<Json<CommentPage>> {
    let token = page.page_token.unwrap_or_default();
    let (rows, next) = blog
        .comments_on(&tenant, who.as_ref(), &slug, size(page.page_size)?, &token)
        .await?;
    Ok(Json(CommentPage::of(&blog, &tenant, rows, next).await?))
}

/// Comments on a published post.
#[utoipa::path(
    post, path = "/posts/{slug}/comments", tag = "comments", request_body = NewComment,
    params(
        ("slug" = String, Path, description = "What the post is called", pattern = "^[a-z0-9-]{1,100}$"),
        ("Idempotency-Key" = String, Header, description = "Chosen by the client: the same key makes one comment", pattern = r"^[!#-\[\]-~]{1,255}$"),
    ),
    responses((status = 201, description = "The comment", body = Comment), OfCreate)
)]
pub(super) async fn add_comment(
    State(blog): State<Arc<Blog>>,
    who: Principal,
    tx: wharf_sdk::Tx,
    Path(slug): Path<String>,
    Json(new): Json<NewComment>,
) -> Result<(StatusCode, Json<Comment>)> {
    let row = blog.comment(&tx, &Tenant::of(&who), &who, &slug, &new.body).await?;
    let html = rendered(&row.body, Kind::Comment).await?;
    Ok((StatusCode::CREATED, Json(Comment::of(row, html, None))))
}

/// Comments on all posts, oldest first, for those who decide on them.
#[utoipa::path(get, path = "/comments", tag = "comments", params(CommentsQuery), responses((status = 200, description = "A page", body = CommentPage), OfOwnList))]
pub(super) async fn list_all_comments(
    State(blog): State<Arc<Blog>>,
    tenant: Tenant,
    Query(asked): Query<CommentsQuery>,
) -> Result<Json<CommentPage>> {
    let token = asked.page_token.unwrap_or_default();
    let (rows, next) = blog
        .comments(&tenant, asked.status.map(Into::into), size(asked.page_size)?, &token)
        .await?;
    Ok(Json(CommentPage::of(&blog, &tenant, rows, next).await?))
}

/// Shows a comment to everyone.
#[utoipa::path(
    post, path = "/comments/{id}/approve", tag = "comments", params(("id" = Uuid, Path, description = "Id of the comment")),
    responses((status = 200, description = "The comment", body = Comment), OfDecide)
)]
pub(super) async fn approve_comment(blog: State<Arc<Blog>>, who: Principal, id: Path<Uuid>) -> Result<Json<Comment>> {
    decide(blog, &who, id, Status::Approved).await
}

/// Hides a comment from everyone but its author.
#[utoipa::path(
    post, path = "/comments/{id}/reject", tag = "comments", params(("id" = Uuid, Path, description = "Id of the comment")),
    responses((status = 200, description = "The comment", body = Comment), OfDecide)
)]
pub(super) async fn reject_comment(blog: State<Arc<Blog>>, who: Principal, id: Path<Uuid>) -> Result<Json<Comment>> {
    decide(blog, &who, id, Status::Rejected).await
}

/// Deletes a comment: one's own, or any for those who decide.
#[utoipa::path(
    delete, path = "/comments/{id}", tag = "comments", params(("id" = Uuid, Path, description = "Id of the comment")),
    responses((status = 204, description = "It is gone"), OfDecide)
)]
pub(super) async fn delete_comment(State(blog): State<Arc<Blog>>, who: Principal, Path(id): Path<Uuid>) -> Result<StatusCode> {
    blog.delete_comment(&Tenant::of(&who), &who, &id.to_string()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn decide(State(blog): State<Arc<Blog>>, who: &Principal, Path(id): Path<Uuid>, status: Status) -> Result<Json<Comment>> {
    let tenant = Tenant::of(who);
    let row = blog.decide(&tenant, who, &id.to_string(), status).await?;
    let name = blog.authors.name(&tenant, &row.author).await;
    let html = rendered(&row.body, Kind::Comment).await?;
    Ok(Json(Comment::of(row, html, name)))
}

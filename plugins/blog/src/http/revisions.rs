//! What posts said before.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use wharf_sdk::extract::{Json, Path, Query};
use wharf_sdk::{Principal, Tenant};

use super::conditions::expected;
use super::list::{PageQuery, size};
use super::model::{Author, PostWhole, Tagged};
use super::problems::{OfAct, OfOwnRead};
use crate::Blog;
use crate::clock::text;
use crate::error::Result;
use crate::posts;

/// A revision in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RevisionHead {
    /// Version that the post had with it.
    #[schema(minimum = 1)]
    number: i64,
    title: String,
    /// Who saved it.
    author: Author,
    #[schema(format = DateTime)]
    created_at: String,
}

/// A revision, whole.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RevisionWhole {
    #[serde(flatten)]
    head: RevisionHead,
    summary: String,
    /// Markdown.
    body: String,
    tags: Vec<String>,
}

/// A page of revisions.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RevisionPage {
    items: Vec<RevisionHead>,
    /// Empty on the last page.
    next_page_token: String,
}

/// What a post said each time it was saved, newest first.
#[utoipa::path(
    get, path = "/drafts/{id}/revisions", tag = "revisions", params(("id" = Uuid, Path, description = "Id of the post"), PageQuery),
    responses((status = 200, description = "A page", body = RevisionPage), OfOwnRead)
)]
pub(super) async fn list_revisions(
    State(blog): State<Arc<Blog>>,
    who: Principal,
    Path(id): Path<Uuid>,
    Query(page): Query<PageQuery>,
) -> Result<Json<RevisionPage>> {
    let tenant = Tenant::of(&who);
    let token = page.page_token.unwrap_or_default();
    let (rows, next_page_token) = blog
        .revisions(&tenant, &who, &id.to_string(), size(page.page_size)?, &token)
        .await?;
    let names = blog.authors.names(&tenant, rows.iter().map(|row| row.author.as_str())).await;
    let items = rows.into_iter().map(|row| RevisionHead {
        number: row.number,
        title: row.title,
        author: Author::new(&row.author, names.get(&row.author).cloned()),
        created_at: text(row.created),
    });
    Ok(Json(RevisionPage {
        items: items.collect(),
        next_page_token,
    }))
}

/// What a post said in one revision.
#[utoipa::path(
    get, path = "/drafts/{id}/revisions/{number}", tag = "revisions",
    params(("id" = Uuid, Path, description = "Id of the post"), ("number" = i64, Path, description = "Number of the revision")),
    responses((status = 200, description = "The revision", body = RevisionWhole), OfOwnRead)
)]
pub(super) async fn show_revision(
    State(blog): State<Arc<Blog>>,
    who: Principal,
    Path((id, number)): Path<(Uuid, i64)>,
) -> Result<Json<RevisionWhole>> {
    let tenant = Tenant::of(&who);
    let row = blog.revision(&tenant, &who, &id.to_string(), number).await?;
    let name = blog.authors.name(&tenant, &row.author).await;
    Ok(Json(RevisionWhole {
        tags: posts::revision_tags(&row),
        head: RevisionHead {
            number: row.number,
            title: row.title,
            author: Author::new(&row.author, name),
            created_at: text(row.created),
        },
        summary: row.summary,
        body: row.body,
    }))
}

/// Makes a post say again what it said in a revision: a new version.
#[utoipa::path(
    post, path = "/drafts/{id}/revisions/{number}/restore", tag = "revisions",
    params(
        ("id" = Uuid, Path, description = "Id of the post"),
        ("number" = i64, Path, description = "Number of the revision"),
        ("If-Match" = String, Header, description = "ETag this is based on, or *", pattern = r#"^(\*|"[0-9]{1,18}")$"#, example = "*"),
    ),
    responses((status = 200, description = "The post", body = PostWhole, headers(("etag" = String, description = "Its version"))), OfAct)
)]
pub(super) async fn restore_revision(
    State(blog): State<Arc<Blog>>,
    who: Principal,
    Path((id, number)): Path<(Uuid, i64)>,
    headers: HeaderMap,
) -> Result<Tagged> {
    let tenant = Tenant::of(&who);
    let post = blog.restore(&tenant, &who, &id.to_string(), number, &expected(&headers)?).await?;
    Ok(Tagged(PostWhole::of(&blog, &tenant, post).await?))
}

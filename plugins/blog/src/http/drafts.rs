//! Posts in any state, for those who work on them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;
use wharf_sdk::extract::{Json, Path, Query};
use wharf_sdk::{Principal, Tenant};

use super::conditions::expected;
use super::list::size;
use super::model::{PostPage, PostState, PostText, PostWhole, Schedule, Tagged};
use super::problems::{OfAct, OfChange, OfOwnList, OfOwnRead};
use crate::Blog;
use crate::clock;
use crate::domain::state::Action;
use crate::error::{Error, Result};
use crate::posts::{Doing, Filter};

/// Which drafts.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct DraftsQuery {
    /// Only those in this state.
    #[param(inline)]
    state: Option<PostState>,
    /// Only those with this tag.
    tag: Option<String>,
    /// Only those of this author, such as `user:0197...`.
    author: Option<String>,
    /// Rows of a page; 20 when nothing is said.
    #[param(minimum = 1, maximum = 100)]
    page_size: Option<u32>,
    /// `next_page_token` of the page before; the first page when nothing is said.
    page_token: Option<String>,
}

/// Posts in any state that are the caller's own, or that they may read. The one that changed last comes first.
#[utoipa::path(get, path = "/drafts", tag = "drafts", params(DraftsQuery), responses((status = 200, description = "A page", body = PostPage), OfOwnList))]
pub(super) async fn list_drafts(State(blog): State<Arc<Blog>>, who: Principal, Query(asked): Query<DraftsQuery>) -> Result<Json<PostPage>> {
    let filter = Filter {
        tag: asked.tag,
        author: asked.author,
        state: asked.state.map(Into::into),
        size: size(asked.page_size)?,
        token: asked.page_token.unwrap_or_default(),
    };
    let tenant = Tenant::of(&who);
    let (heads, next) = blog.drafts(&tenant, &who, &filter).await?;
    Ok(Json(PostPage::of(&blog, &tenant, heads, next).await))
}

/// A post in any state. Its ETag is what writes are based on.
#[utoipa::path(
    get, path = "/drafts/{id}", tag = "drafts", params(("id" = Uuid, Path, description = "Id of the post")),
    responses((status = 200, description = "The post", body = PostWhole, headers(("etag" = String, description = "Its version"))), OfOwnRead)
)]
pub(super) async fn show_draft(State(blog): State<Arc<Blog>>, who: Principal, Path(id): Path<Uuid>) -> Result<Tagged> {
    let tenant = Tenant::of(&who);
    let post = blog.post(&tenant, Some(&who), &id.to_string()).await?;
    Ok(Tagged(PostWhole::of(&blog, &tenant, post).await?))
}

/// Changes what a post says.
///
/// Another title gives another slug; of a post that was published, the former one goes on leading there.
#[utoipa::path(
    put, path = "/drafts/{id}", tag = "drafts", request_body = PostText,
    params(("id" = Uuid, Path, description = "Id of the post"), ("If-Match" = String, Header, description = "ETag this is based on, or *", pattern = r#"^(\*|"[0-9]{1,18}")$"#, example = "*")),
    responses((status = 200, description = "The post", body = PostWhole, headers(("etag" = String, description = "Its version"))), OfChange)
)]
pub(super) async fn change_draft(
    State(blog): State<Arc<Blog>>,
    who: Principal,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    Json(text): Json<PostText>,
) -> Result<Tagged> {
    let tenant = Tenant::of(&who);
    let expected = expected(&headers)?;
    let post = blog.update(&tenant, &who, &id.to_string(), &expected, text.checked()?).await?;
    Ok(Tagged(PostWhole::of(&blog, &tenant, post).await?))
}

/// Deletes a post with its revisions and comments.
#[utoipa::path(
    delete, path = "/drafts/{id}", tag = "drafts",
    params(("id" = Uuid, Path, description = "Id of the post"), ("If-Match" = String, Header, description = "ETag this is based on, or *", pattern = r#"^(\*|"[0-9]{1,18}")$"#, example = "*")),
    responses((status = 204, description = "It is gone"), OfAct)
)]
pub(super) async fn delete_draft(
    State(blog): State<Arc<Blog>>,
    who: Principal,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Result<StatusCode> {
    blog.delete(&Tenant::of(&who), &who, &id.to_string(), &expected(&headers)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Shows a post to everyone, now.
#[utoipa::path(
    post, path = "/drafts/{id}/publish", tag = "drafts",
    params(("id" = Uuid, Path, description = "Id of the post"), ("If-Match" = String, Header, description = "ETag this is based on, or *", pattern = r#"^(\*|"[0-9]{1,18}")$"#, example = "*")),
    responses((status = 200, description = "The post", body = PostWhole, headers(("etag" = String, description = "Its version"))), OfAct)
)]
pub(super) async fn publish_draft(blog: State<Arc<Blog>>, who: Principal, id: Path<Uuid>, headers: HeaderMap) -> Result<Tagged> {
    act(blog, &who, id, &headers, Doing::Now(Action::Publish)).await
}

/// Publishes a post at a time.
#[utoipa::path(
    post, path = "/drafts/{id}/schedule", tag = "drafts", request_body = Schedule,
    params(("id" = Uuid, Path, description = "Id of the post"), ("If-Match" = String, Header, description = "ETag this is based on, or *", pattern = r#"^(\*|"[0-9]{1,18}")$"#, example = "*")),
    responses((status = 200, description = "The post", body = PostWhole, headers(("etag" = String, description = "Its version"))), OfChange)
)]
pub(super) async fn schedule_draft(
    blog: State<Arc<Blog>>,
    who: Principal,
    id: Path<Uuid>,
    headers: HeaderMap,
    Json(schedule): Json<Schedule>,
) -> Result<Tagged> {
    let at = clock::read(&schedule.at).ok_or_else(|| {
        Error::Invalid(format!(
            "found the time {:?}, expected one such as 2030-01-01T08:00:00Z",
            schedule.at
        ))
    })?;
    act(blog, &who, id, &headers, Doing::Later(at)).await
}

/// Takes a post back to be a draft.
#[utoipa::path(
    post, path = "/drafts/{id}/unpublish", tag = "drafts",
    params(("id" = Uuid, Path, description = "Id of the post"), ("If-Match" = String, Header, description = "ETag this is based on, or *", pattern = r#"^(\*|"[0-9]{1,18}")$"#, example = "*")),
    responses((status = 200, description = "The post", body = PostWhole, headers(("etag" = String, description = "Its version"))), OfAct)
)]
pub(super) async fn unpublish_draft(blog: State<Arc<Blog>>, who: Principal, id: Path<Uuid>, headers: HeaderMap) -> Result<Tagged> {
    act(blog, &who, id, &headers, Doing::Now(Action::Unpublish)).await
}

/// Puts a post away.
#[utoipa::path(
    post, path = "/drafts/{id}/archive", tag = "drafts",
    params(("id" = Uuid, Path, description = "Id of the post"), ("If-Match" = String, Header, description = "ETag this is based on, or *", pattern = r#"^(\*|"[0-9]{1,18}")$"#, example = "*")),
    responses((status = 200, description = "The post", body = PostWhole, headers(("etag" = String, description = "Its version"))), OfAct)
)]
pub(super) async fn archive_draft(blog: State<Arc<Blog>>, who: Principal, id: Path<Uuid>, headers: HeaderMap) -> Result<Tagged> {
    act(blog, &who, id, &headers, Doing::Now(Action::Archive)).await
}

async fn act(State(blog): State<Arc<Blog>>, who: &Principal, Path(id): Path<Uuid>, headers: &HeaderMap, doing: Doing) -> Result<Tagged> {
    let tenant = Tenant::of(who);
    let post = blog.act(&tenant, who, &id.to_string(), &expected(headers)?, doing).await?;
    Ok(Tagged(PostWhole::of(&blog, &tenant, post).await?))
}

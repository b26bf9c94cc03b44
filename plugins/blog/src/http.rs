//! The routes, below `/blog`. They translate: what is done is in `posts`, `comments` and `images`.

mod comments;
mod conditions;
mod drafts;
mod feed;
mod images;
mod list;
mod model;
mod posts;
mod problems;
mod revisions;

use utoipa::OpenApi as _;
use wharf_sdk::{OpenApi, Routes, delete, get, post};

use crate::Blog;
use crate::comments::MODERATE;
use crate::images::WRITE;

/// What paths in answers begin with: the prefix in `wharf.toml`.
const PREFIX: &str = "/blog";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Blog", description = "Posts, drafts, comments, tags, images and search"),
    components(schemas(problems::ProblemBody)),
    paths(
        posts::list_posts,
        posts::create_post,
        posts::show_post,
        posts::list_tags,
        posts::search_posts,
        feed::feed,
        comments::list_comments,
        comments::add_comment,
        comments::list_all_comments,
        comments::approve_comment,
        comments::reject_comment,
        comments::delete_comment,
        drafts::list_drafts,
        drafts::show_draft,
        drafts::change_draft,
        drafts::delete_draft,
        drafts::publish_draft,
        drafts::schedule_draft,
        drafts::unpublish_draft,
        drafts::archive_draft,
        revisions::list_revisions,
        revisions::show_revision,
        revisions::restore_revision,
        images::upload_image,
        images::show_image,
    )
)]
struct Document;

pub(crate) fn document() -> OpenApi {
    OpenApi::of(&Document::openapi())
}

pub(crate) fn routes() -> Routes<Blog> {
    Routes::new()
        .route("/posts", get(posts::list_posts))
        .public()
        // Whose posts somebody may write is asked in the service, where the post is known; so with all that is `authenticated` here.
        .route("/posts", post(posts::create_post))
        .authenticated()
        .idempotent()
        .route("/posts/{slug}", get(posts::show_post))
        .public()
        .route("/posts/{slug}/comments", get(comments::list_comments))
        .public()
        .route("/posts/{slug}/comments", post(comments::add_comment))
        .authenticated()
        .idempotent()
        .route("/tags", get(posts::list_tags))
        .public()
        .route("/search", get(posts::search_posts))
        .public()
        .route("/feed", get(feed::feed))
        .public()
        .route("/drafts", get(drafts::list_drafts))
        .authenticated()
        .route(
            "/drafts/{id}",
            get(drafts::show_draft).put(drafts::change_draft).delete(drafts::delete_draft),
        )
        .authenticated()
        .route("/drafts/{id}/publish", post(drafts::publish_draft))
        .authenticated()
        .route("/drafts/{id}/schedule", post(drafts::schedule_draft))
        .authenticated()
        .route("/drafts/{id}/unpublish", post(drafts::unpublish_draft))
        .authenticated()
        .route("/drafts/{id}/archive", post(drafts::archive_draft))
        .authenticated()
        .route("/drafts/{id}/revisions", get(revisions::list_revisions))
        .authenticated()
        .route("/drafts/{id}/revisions/{number}", get(revisions::show_revision))
        .authenticated()
        .route("/drafts/{id}/revisions/{number}/restore", post(revisions::restore_revision))
        .authenticated()
        .route("/comments", get(comments::list_all_comments))
        .require(MODERATE)
        .route("/comments/{id}", delete(comments::delete_comment))
        .authenticated()
        .route("/comments/{id}/approve", post(comments::approve_comment))
        .authenticated()
        .route("/comments/{id}/reject", post(comments::reject_comment))
        .authenticated()
        .route("/images", post(images::upload_image))
        .require(WRITE)
        .route("/images/{key}", get(images::show_image))
        .public()
}

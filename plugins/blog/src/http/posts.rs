//! What everyone reads: published posts, tags and search; and making a post.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wharf_sdk::extract::{Json, Path, Query};
use wharf_sdk::{Call, Principal, Tenant};

use super::PREFIX;
use super::conditions::{is_known, value};
use super::list::{PageQuery, size};
use super::model::{PostHead, PostPage, PostText, PostWhole};
use super::problems::{OfCreate, OfList, OfRead};
use crate::Blog;
use crate::domain::query::LONGEST;
use crate::error::{Error, Result};
use crate::posts::{Filter, Found};

/// Which posts.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct PostsQuery {
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

/// What is looked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchQuery {
    /// Words, "phrases", and - before what must not be there. Any text will do.
    #[param(max_length = 200, example = "rust \"big data\" -java")]
    q: String,
    /// Rows of a page; 20 when nothing is said.
    #[param(minimum = 1, maximum = 100)]
    page_size: Option<u32>,
    /// `next_page_token` of the page before; the first page when nothing is said.
    page_token: Option<String>,
}

/// A tag.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tag {
    tag: String,
    /// Published posts that have it.
    #[schema(minimum = 1)]
    posts: i64,
}

/// A page of tags.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TagPage {
    items: Vec<Tag>,
    /// Empty on the last page.
    next_page_token: String,
}

/// A post that was found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SearchHit {
    post: PostHead,
    /// HTML that is safe to show: where it was found, with `<mark>` around what was looked for.
    snippet: String,
    /// Higher is better; comparable within one answer.
    score: f64,
}

/// A page of posts that were found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SearchPage {
    items: Vec<SearchHit>,
    /// Empty on the last page.
    next_page_token: String,
}

/// Published posts, newest first.
#[utoipa::path(get, path = "/posts", tag = "posts", params(PostsQuery), responses((status = 200, description = "A page", body = PostPage), OfList))]
pub(super) async fn list_posts(State(blog): State<Arc<Blog>>, tenant: Tenant, Query(asked): Query<PostsQuery>) -> Result<Json<PostPage>> {
    let filter = Filter {
        tag: asked.tag,
        author: asked.author,
        state: None,
        size: size(asked.page_size)?,
        token: asked.page_token.unwrap_or_default(),
    };
    let (heads, next) = blog.published(&tenant, &filter).await?;
    Ok(Json(PostPage::of(&blog, &tenant, heads, next).await))
}

/// Makes a draft of the caller's.
#[utoipa::path(
    post, path = "/posts", tag = "posts", request_body = PostText,
    params(("Idempotency-Key" = String, Header, description = "Chosen by the client: the same key makes one post", pattern = r"^[!#-\[\]-~]{1,255}$")),
    responses(
        (status = 201, description = "The draft, without its body", body = PostHead, headers(("location" = String, description = "Where it is"))),
        OfCreate
    )
)]
pub(super) async fn create_post(
    State(blog): State<Arc<Blog>>,
    who: Principal,
    tx: wharf_sdk::Tx,
    Json(text): Json<PostText>,
) -> Result<Response> {
    let post = blog.create(&tx, &Tenant::of(&who), &who, text.checked()?).await?;
    let post = PostHead::named(post, None);
    let location = value(&format!("{PREFIX}/drafts/{}", post.id()));
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(post)).into_response())
}

/// A published post.
///
/// An old slug answers 308 with the new one. With `If-None-Match` and the ETag of before it answers 304.
#[utoipa::path(
    get, path = "/posts/{slug}", tag = "posts",
    params(
        ("slug" = String, Path, description = "What it is called", pattern = "^[a-z0-9-]{1,100}$"),
        ("If-None-Match" = Option<String>, Header, description = "ETag of what the client has"),
    ),
    responses(
        (status = 200, description = "The post", body = PostWhole, headers(("etag" = String, description = "Of this version"))),
        (status = 304, description = "It is as the client has it"),
        (status = 308, description = "It is called otherwise now", headers(("location" = String, description = "The new address"))),
        OfRead
    )
)]
pub(super) async fn show_post(
    State(blog): State<Arc<Blog>>,
    method: Method,
    call: Call,
    tenant: Tenant,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let post = match blog.shown(&tenant, &slug).await? {
        Found::Here(post) => post,
        Found::Moved(now) => {
            let location = value(&format!("{PREFIX}/posts/{now}"));
            let moved = [(header::LOCATION, location), (header::CACHE_CONTROL, value("public, max-age=300"))];
            return Ok((StatusCode::PERMANENT_REDIRECT, moved).into_response());
        }
    };
    if method == Method::GET {
        let address = call.peer.map(|peer| peer.ip().to_string()).unwrap_or_default();
        let agent = headers
            .get(header::USER_AGENT)
            .and_then(|agent| agent.to_str().ok())
            .unwrap_or_default();
        let visitor = blog.views.visitor(&tenant, call.principal.as_ref(), &address, agent);
        blog.views.note(&tenant, &post.id, &post.slug, &visitor);
    }
    // Weak: the name of the author and the form of the HTML may change with the same version.
    let etag = format!("W/\"{}-{}\"", post.id, post.version);
    let told = [
        (header::ETAG, value(&etag)),
        (header::CACHE_CONTROL, value("no-cache")),
        (header::VARY, value("authorization")),
    ];
    if is_known(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, told).into_response());
    }
    let name = blog.authors.name(&tenant, &post.author).await;
    Ok((told, Json(PostWhole::shown(*post, name))).into_response())
}

/// Tags of published posts, in their order.
#[utoipa::path(get, path = "/tags", tag = "posts", params(PageQuery), responses((status = 200, description = "A page", body = TagPage), OfList))]
pub(super) async fn list_tags(State(blog): State<Arc<Blog>>, tenant: Tenant, Query(page): Query<PageQuery>) -> Result<Json<TagPage>> {
    let token = page.page_token.unwrap_or_default();
    let (counts, next_page_token) = blog.tags(&tenant, size(page.page_size)?, &token).await?;
    let tags = counts.into_iter().map(|count| Tag {
        tag: count.tag,
        posts: count.posts,
    });
    Ok(Json(TagPage {
        items: tags.collect(),
        next_page_token,
    }))
}

/// Published posts that have all words, best first.
#[utoipa::path(get, path = "/search", tag = "posts", params(SearchQuery), responses((status = 200, description = "A page", body = SearchPage), OfList))]
pub(super) async fn search_posts(
    State(blog): State<Arc<Blog>>,
    tenant: Tenant,
    Query(asked): Query<SearchQuery>,
) -> Result<Json<SearchPage>> {
    let length = asked.q.chars().count();
    if length > LONGEST {
        let text = format!("found a query of {length} characters, expected at most {LONGEST}");
        return Err(Error::Problem(wharf_sdk::Problem::bad_request(text)));
    }
    let token = asked.page_token.unwrap_or_default();
    let (hits, next_page_token) = blog.search(&tenant, &asked.q, size(asked.page_size)?, &token).await?;
    let names = blog.authors.names(&tenant, hits.iter().map(|hit| hit.head.author.as_str())).await;
    let items = hits.into_iter().map(|hit| SearchHit {
        post: PostHead::of(hit.head, &names),
        snippet: hit.snippet,
        score: hit.score,
    });
    Ok(Json(SearchPage {
        items: items.collect(),
        next_page_token,
    }))
}

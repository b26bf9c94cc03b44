//! The newest posts as an Atom feed (RFC 4287).

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use wharf_sdk::Tenant;

use super::PREFIX;
use super::conditions::{is_known, value};
use super::problems::OfList;
use crate::Blog;
use crate::clock::text;
use crate::domain::markdown::escaped;
use crate::error::Result;
use crate::posts::{Filter, Head};

/// The newest twenty posts, with their excerpts.
#[utoipa::path(
    get, path = "/feed", tag = "posts",
    params(("If-None-Match" = Option<String>, Header, description = "ETag of what the client has")),
    responses(
        (status = 200, description = "An Atom feed", body = String, content_type = "application/atom+xml"),
        (status = 304, description = "It is as the client has it"),
        OfList
    )
)]
pub(super) async fn feed(State(blog): State<Arc<Blog>>, tenant: Tenant, headers: HeaderMap) -> Result<Response> {
    let (heads, _) = blog.published(&tenant, &Filter::default()).await?;
    let updated = heads.iter().map(|head| head.updated).max().unwrap_or_default();
    let versions: i64 = heads.iter().map(|head| head.version).sum();
    let etag = format!("W/\"{updated}-{}-{versions}\"", heads.len());
    let told = [
        (header::ETAG, value(&etag)),
        (header::CACHE_CONTROL, value("no-cache")),
        (header::VARY, value("authorization")),
        (header::CONTENT_TYPE, value("application/atom+xml")),
    ];
    if is_known(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, told).into_response());
    }
    let names = blog.authors.names(&tenant, heads.iter().map(|head| head.author.as_str())).await;
    let base = blog.config.public_url.trim_end_matches('/');
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n");
    let _ = write!(
        xml,
        "  <title>{title}</title>\n  <id>{base}{PREFIX}/feed</id>\n  <link rel=\"self\" href=\"{base}{PREFIX}/feed\"/>\n  <updated>{updated}</updated>\n",
        title = escaped(&blog.config.title),
        base = escaped(base),
        updated = text(updated),
    );
    for head in &heads {
        let name = names.get(&head.author).map_or(head.author.as_str(), String::as_str);
        entry(&mut xml, base, head, name);
    }
    xml.push_str("</feed>\n");
    Ok((told, xml).into_response())
}

fn entry(xml: &mut String, base: &str, head: &Head, author: &str) {
    let _ = write!(
        xml,
        "  <entry>\n    <title>{title}</title>\n    <id>urn:uuid:{id}</id>\n    <link href=\"{base}{PREFIX}/posts/{slug}\"/>\n    \
         <published>{published}</published>\n    <updated>{updated}</updated>\n    <author><name>{author}</name></author>\n    \
         <summary>{summary}</summary>\n",
        title = escaped(&head.title),
        id = head.id,
        base = escaped(base),
        slug = head.slug,
        published = text(head.published.unwrap_or(head.updated)),
        updated = text(head.updated),
        author = escaped(author),
        summary = escaped(if head.summary.is_empty() { &head.excerpt } else { &head.summary }),
    );
    for tag in &head.tags {
        let _ = writeln!(xml, "    <category term=\"{}\"/>", escaped(tag));
    }
    xml.push_str("  </entry>\n");
}

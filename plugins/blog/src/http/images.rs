//! Images: uploaded as they are, served so that browsers keep them and run nothing.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use wharf_sdk::Tenant;
use wharf_sdk::extract::{Json, Path};

use super::PREFIX;
use super::conditions::{is_known, value};
use super::problems::{OfPart, OfUpload};
use crate::Blog;
use crate::domain::image::{Part, part};
use crate::error::{Error, Result};

/// An image that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Image {
    /// SHA-256 of its content, in hexadecimal.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    key: String,
    /// Where it is.
    url: String,
    /// What it is, by its first bytes.
    content_type: String,
    bytes: u64,
}

/// The bytes of an image.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[allow(dead_code, reason = "it stands for bytes in the OpenAPI document")]
struct Bytes(Vec<u8>);

/// Takes an image as the body of the request: PNG, JPEG, GIF, WebP or AVIF, told by its first bytes.
///
/// The same image again is the same key, with 200.
#[utoipa::path(
    post, path = "/images", tag = "images",
    request_body(content = Bytes, content_type = "application/octet-stream", description = "The image"),
    responses((status = 201, description = "It was taken", body = Image), (status = 200, description = "It was there already", body = Image), OfUpload)
)]
pub(super) async fn upload_image(State(blog): State<Arc<Blog>>, tenant: Tenant, headers: HeaderMap, body: Body) -> Result<Response> {
    let limit = blog.config.images.max_bytes;
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit) {
        return Err(Error::Large(limit));
    }
    let taken = blog.take_image(&tenant, body).await?;
    let status = if taken.is_known { StatusCode::OK } else { StatusCode::CREATED };
    let image = Image {
        url: format!("{PREFIX}/images/{}", taken.key),
        key: taken.key,
        content_type: taken.format.media_type().to_owned(),
        bytes: taken.bytes,
    };
    let location = value(&image.url);
    Ok((status, [(header::LOCATION, location)], Json(image)).into_response())
}

/// An image, or a part of it with `Range`. It never changes under its key.
#[utoipa::path(
    get, path = "/images/{key}", tag = "images",
    params(
        ("key" = String, Path, description = "SHA-256 of its content", pattern = "^[0-9a-f]{64}$"),
        ("If-None-Match" = Option<String>, Header, description = "ETag of what the client has"),
        ("Range" = Option<String>, Header, description = "One range of bytes"),
    ),
    responses(
        (status = 200, description = "The image", content(
            (Bytes = "image/png"), (Bytes = "image/jpeg"), (Bytes = "image/gif"), (Bytes = "image/webp"), (Bytes = "image/avif")
        )),
        (status = 206, description = "A part of it", content(
            (Bytes = "image/png"), (Bytes = "image/jpeg"), (Bytes = "image/gif"), (Bytes = "image/webp"), (Bytes = "image/avif")
        )),
        (status = 304, description = "The client has it"),
        OfPart
    )
)]
pub(super) async fn show_image(
    State(blog): State<Arc<Blog>>,
    tenant: Tenant,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let meta = blog.image_meta(&tenant, &key).await?;
    let etag = format!("\"{key}\"");
    let mut told = HeaderMap::from_iter([
        (header::ETAG, value(&etag)),
        (header::CACHE_CONTROL, value("public, max-age=31536000, immutable")),
        (header::VARY, value("authorization")),
        (header::ACCEPT_RANGES, value("bytes")),
        (header::X_CONTENT_TYPE_OPTIONS, value("nosniff")),
        (header::CONTENT_SECURITY_POLICY, value("default-src 'none'; sandbox")),
    ]);
    if is_known(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, told).into_response());
    }
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    // Half of another image is nobody's: the whole, when the client means one it had under another tag.
    let is_same = headers.get(header::IF_RANGE).is_none_or(|tag| tag.as_bytes() == etag.as_bytes());
    let asked = if is_same { part(range, meta.size) } else { Part::Whole };
    let piece = blog.image(&tenant, &key, asked, meta.size).await?;
    let status = match piece.range {
        Some((first, last)) => {
            told.insert(header::CONTENT_RANGE, value(&format!("bytes {first}-{last}/{}", meta.size)));
            StatusCode::PARTIAL_CONTENT
        }
        None => StatusCode::OK,
    };
    let mut response = piece.blob.into_response();
    *response.status_mut() = status;
    response.headers_mut().extend(told);
    Ok(response)
}

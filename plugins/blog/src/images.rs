//! Images of posts: streamed into blobs, known by the hash of their content.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::{Body, Bytes};
use futures_util::{StreamExt as _, stream};
use wharf_sdk::audit::Entry;
use wharf_sdk::services::blobs::{Blob, Meta};
use wharf_sdk::{Fault, FaultCode, Problem, Tenant, tracing};

use crate::Blog;
use crate::clock;
use crate::domain::image::{Format, HEAD, Part, is_key};
use crate::error::{Error, Result};

/// Uploading images.
pub(crate) const WRITE: &str = "blog.image.write";

/// An image that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) key: String,
    pub(crate) bytes: u64,
    pub(crate) format: Format,
    /// It was there already.
    pub(crate) is_known: bool,
}

/// A part of an image, or all of it.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) blob: Blob,
    /// First and last byte, when it is a part.
    pub(crate) range: Option<(u64, u64)>,
}

impl Blog {
    /// Takes an image. Its first bytes say what it is, whatever the client says. It is in memory piece by piece only, and appears
    /// under its key, whole, when all of it is there.
    pub(crate) async fn take_image(&self, tenant: &Tenant, body: Body) -> Result<Taken> {
        let limit = self.config.images.max_bytes;
        let (head, rest) = beginning(body).await?;
        let format = Format::of(&head)
            .ok_or_else(|| Error::Media("found no image by its first bytes, expected PNG, JPEG, GIF, WebP or AVIF".to_owned()))?;
        let is_over = Arc::new(AtomicBool::new(false));
        let limited = limited(head, rest, limit, is_over.clone());
        let blobs = tenant.blobs(&self.blobs);
        // The hash, and so the key, is known when all of it was read.
        let incoming = format!("incoming/{}", clock::id());
        let put = blobs.put(&incoming, limited).content_type(format.media_type()).await;
        if is_over.load(Ordering::Relaxed) {
            return Err(Error::Large(limit));
        }
        let meta = put.map_err(|fault| match fault.code {
            FaultCode::CANCELLED => Error::Problem(Problem::bad_request("the body broke off before its end")),
            _ => fault.into(),
        })?;
        let kept = self.keep_image(tenant, &incoming, &meta).await;
        if let Err(error) = blobs.delete(&incoming).await {
            tracing::warn!(%error, key = incoming, "what came of an image stays beside it");
        }
        let (key, is_known) = kept?;
        Ok(Taken {
            key,
            bytes: meta.size,
            format,
            is_known,
        })
    }

    async fn keep_image(&self, tenant: &Tenant, incoming: &str, meta: &Meta) -> Result<(String, bool)> {
        let key = meta.sha256.clone().filter(|hash| is_key(hash));
        let key = key.ok_or_else(|| Fault::new(FaultCode::UNAVAILABLE, "the store gave no SHA-256 of what was written"))?;
        let blobs = tenant.blobs(&self.blobs);
        let is_known = match blobs.head(&path(&key)).await {
            Ok(_) => true,
            Err(fault) if fault.code == FaultCode::NOT_FOUND => false,
            Err(fault) => return Err(fault.into()),
        };
        if !is_known {
            blobs.copy(incoming, &path(&key)).await?;
            let entry = Entry::of("blog.image.upload").on(format!("image/{key}")).added("bytes", &meta.size);
            self.audit.record_now(entry.in_tenant(tenant.as_str())).await?;
        }
        Ok((key, is_known))
    }

    /// What is known of an image.
    pub(crate) async fn image_meta(&self, tenant: &Tenant, key: &str) -> Result<Meta> {
        if !is_key(key) {
            return Err(Error::NotFound("image"));
        }
        tenant.blobs(&self.blobs).head(&path(key)).await.map_err(absent)
    }

    /// An image, or a part of it.
    pub(crate) async fn image(&self, tenant: &Tenant, key: &str, part: Part, size: u64) -> Result<Piece> {
        let blobs = tenant.blobs(&self.blobs);
        match part {
            Part::Whole => Ok(Piece {
                blob: blobs.get(&path(key)).await.map_err(absent)?,
                range: None,
            }),
            Part::Bytes(first, last) => Ok(Piece {
                blob: blobs.get_range(&path(key), first..=last).await.map_err(absent)?,
                range: Some((first, last)),
            }),
            Part::Nowhere => Err(Error::Range(size)),
        }
    }
}

fn path(key: &str) -> String {
    format!("images/{key}")
}

fn absent(fault: Fault) -> Error {
    match fault.code {
        FaultCode::NOT_FOUND => Error::NotFound("image"),
        _ => fault.into(),
    }
}

/// Enough bytes to tell what it is, and the rest.
async fn beginning(body: Body) -> Result<(Bytes, axum::body::BodyDataStream)> {
    let mut rest = body.into_data_stream();
    let mut head = Vec::new();
    while head.len() < HEAD {
        match rest.next().await {
            Some(Ok(piece)) => head.extend_from_slice(&piece),
            Some(Err(_)) => return Err(Error::Problem(Problem::bad_request("the body broke off before its end"))),
            None => break,
        }
    }
    Ok((head.into(), rest))
}

/// The same body, ended by an error when there is too much of it.
fn limited(head: Bytes, rest: axum::body::BodyDataStream, limit: u64, is_over: Arc<AtomicBool>) -> Body {
    let pieces = stream::once(async move { Ok(head) }).chain(rest);
    let counted = pieces.scan(0_u64, move |read, piece: Result<Bytes, axum::Error>| {
        let piece = piece.and_then(|piece| {
            *read = read.saturating_add(piece.len() as u64);
            if *read <= limit {
                return Ok(piece);
            }
            is_over.store(true, Ordering::Relaxed);
            Err(axum::Error::new(std::io::Error::other("too many bytes")))
        });
        std::future::ready(Some(piece))
    });
    Body::from_stream(counted)
}

//! A blob on its way into an S3 API: small ones in one request, larger ones in parts.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutResult, UpdateVersion, WriteMultipart,
};
use tokio::runtime::Handle;

use super::{SHA256, explain};
use crate::ports::blobs::{BlobError, BlobFuture, Condition, Key, Meta, Put, Tally, Upload};

/// Larger blobs are sent in parts of this size.
const PART: usize = 8 * 1024 * 1024;
/// Parts that are on their way at a time.
const PARTS_AT_ONCE: usize = 2;
/// A write with a condition is one request, so that S3 decides: larger ones are refused.
const MOST_WITH_CONDITION: usize = 64 * 1024 * 1024;

pub(super) struct Writing {
    store: Arc<AmazonS3>,
    path: Path,
    key: Key,
    put: Put,
    tally: Tally,
    /// What was not sent yet.
    waiting: BytesMut,
    parts: Option<WriteMultipart>,
    has_failed: bool,
    runtime: Handle,
}

impl Writing {
    pub(super) fn new(store: Arc<AmazonS3>, path: Path, key: Key, put: Put) -> Self {
        Self {
            store,
            path,
            key,
            put,
            tally: Tally::default(),
            waiting: BytesMut::new(),
            parts: None,
            has_failed: false,
            runtime: Handle::current(),
        }
    }

    async fn take(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        self.tally.add(&bytes);
        if let Some(parts) = &mut self.parts {
            // Backpressure: no more is taken than is on its way.
            let room = parts.wait_for_capacity(PARTS_AT_ONCE).await;
            room.map_err(|error| explain("write a blob", &self.key, error))?;
            parts.put(bytes);
            return Ok(());
        }
        self.waiting.extend_from_slice(&bytes);
        if self.put.condition != Condition::None {
            if self.waiting.len() > MOST_WITH_CONDITION {
                return Err(BlobError::TooLarge {
                    limit: MOST_WITH_CONDITION as u64,
                    why: "a write with a condition is one request to the S3 API",
                });
            }
            return Ok(());
        }
        if self.waiting.len() > PART {
            let options = PutMultipartOptions {
                attributes: self.attributes(None),
                ..PutMultipartOptions::default()
            };
            let begun = self.store.put_multipart_opts(&self.path, options).await;
            let begun = begun.map_err(|error| explain("write a blob", &self.key, error))?;
            let mut parts = WriteMultipart::new_with_chunk_size(begun, PART);
            parts.put(self.waiting.split().freeze());
            self.parts = Some(parts);
        }
        Ok(())
    }

    fn attributes(&self, sha256: Option<String>) -> Attributes {
        let mut attributes = Attributes::new();
        if !self.put.content_type.is_empty() {
            attributes.insert(Attribute::ContentType, self.put.content_type.clone().into());
        }
        for (name, value) in &self.put.metadata {
            attributes.insert(Attribute::Metadata(name.clone().into()), value.clone().into());
        }
        if let Some(sha256) = sha256 {
            attributes.insert(Attribute::Metadata(SHA256.into()), sha256.into());
        }
        attributes
    }

    async fn send(&mut self) -> object_store::Result<PutResult> {
        if let Some(parts) = self.parts.take() {
            return parts.finish().await;
        }
        let mode = match &self.put.condition {
            Condition::None => PutMode::Overwrite,
            Condition::Absent => PutMode::Create,
            Condition::Matches(etag) => PutMode::Update(UpdateVersion {
                e_tag: Some(etag.clone()),
                version: None,
            }),
        };
        let options = PutOptions {
            mode,
            attributes: self.attributes(Some(self.tally.sha256())),
            ..PutOptions::default()
        };
        let content = self.waiting.split().freeze();
        self.store.put_opts(&self.path, content.into(), options).await
    }
}

impl Upload for Writing {
    fn write(&mut self, bytes: Bytes) -> BlobFuture<'_, ()> {
        Box::pin(async move {
            if self.has_failed {
                return Err(cut());
            }
            // Until this piece is taken: a future that is dropped half-way has lost it.
            self.has_failed = true;
            self.take(bytes).await?;
            self.has_failed = false;
            Ok(())
        })
    }

    fn finish(mut self: Box<Self>) -> BlobFuture<'static, Meta> {
        Box::pin(async move {
            if self.has_failed {
                return Err(cut());
            }
            let sent = self.send().await.map_err(|error| explain("write a blob", &self.key, error))?;
            Ok(Meta {
                size: self.tally.size(),
                content_type: std::mem::take(&mut self.put.content_type),
                metadata: std::mem::take(&mut self.put.metadata),
                etag: sent.e_tag.unwrap_or_default(),
                sha256: self.tally.sha256(),
                modified: Timestamp::now(),
            })
        })
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if let Some(parts) = self.parts.take() {
            let key = self.key.to_string();
            self.runtime.spawn(async move {
                if let Err(error) = parts.abort().await {
                    tracing::warn!(blob.key = key, error = %error, "parts of a dropped upload stay in the bucket; let a lifecycle rule remove such");
                }
            });
        }
    }
}

fn cut() -> BlobError {
    BlobError::Unavailable {
        doing: "write a blob",
        source: "an earlier write to it failed or was cut; begin again".into(),
    }
}

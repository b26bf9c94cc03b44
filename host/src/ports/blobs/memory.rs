//! The in-memory form: for tests, and for programs that want nothing kept.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use uuid::Uuid;

use super::{Access, BlobError, BlobFuture, Blobs, Download, Entry, Found, Key, Meta, PIECE, Page, Put, Span, Tally, Upload};

type Kept = BTreeMap<(String, String), (Meta, Bytes)>;

/// Blobs in memory.
#[derive(Debug, Default)]
pub struct MemoryBlobs(Arc<Mutex<Kept>>);

struct Writing {
    kept: Arc<Mutex<Kept>>,
    module: String,
    key: Key,
    put: Put,
    content: BytesMut,
    tally: Tally,
}

struct Reading(Bytes);

impl MemoryBlobs {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn find(&self, module: &str, key: &Key) -> Result<(Meta, Bytes), BlobError> {
        let found = lock(&self.0).get(&(module.to_owned(), key.to_string())).cloned();
        found.ok_or_else(|| BlobError::NotFound { key: key.to_string() })
    }

    fn page(&self, module: &str, prefix: &str, after: &str, limit: usize) -> Page {
        let kept = lock(&self.0);
        let from = if after < prefix {
            Bound::Included((module.to_owned(), prefix.to_owned()))
        } else {
            Bound::Excluded((module.to_owned(), after.to_owned()))
        };
        let mut page = Page::default();
        for ((of, key), (meta, _)) in kept.range((from, Bound::Unbounded)) {
            if of != module || !key.starts_with(prefix) {
                break;
            }
            if page.entries.len() == limit {
                page.has_more = true;
                break;
            }
            page.entries.push(Entry {
                key: key.clone(),
                size: meta.size,
                etag: meta.etag.clone(),
                modified: meta.modified,
            });
        }
        page
    }
}

impl Blobs for MemoryBlobs {
    fn put<'a>(&'a self, module: &'a str, key: &'a Key, put: Put) -> BlobFuture<'a, Box<dyn Upload>> {
        Box::pin(async move {
            put.check()?;
            Ok(Box::new(Writing {
                kept: self.0.clone(),
                module: module.to_owned(),
                key: key.clone(),
                put,
                content: BytesMut::new(),
                tally: Tally::default(),
            }) as Box<dyn Upload>)
        })
    }

    fn get<'a>(&'a self, module: &'a str, key: &'a Key, span: Option<Span>) -> BlobFuture<'a, Found> {
        Box::pin(async move {
            let (meta, mut content) = self.find(module, key)?;
            let range = span.map_or(Ok(0..meta.size), |span| span.of(key, meta.size))?;
            let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
            content.truncate(at(range.end));
            let content = content.split_off(at(range.start));
            Ok(Found {
                meta,
                range,
                content: Box::new(Reading(content)),
            })
        })
    }

    fn head<'a>(&'a self, module: &'a str, key: &'a Key) -> BlobFuture<'a, Meta> {
        Box::pin(async move { Ok(self.find(module, key)?.0) })
    }

    fn list<'a>(&'a self, module: &'a str, prefix: &'a str, after: &'a str, limit: usize) -> BlobFuture<'a, Page> {
        Box::pin(async move { Ok(self.page(module, prefix, after, limit)) })
    }

    fn delete<'a>(&'a self, module: &'a str, key: &'a Key) -> BlobFuture<'a, ()> {
        Box::pin(async move {
            lock(&self.0).remove(&(module.to_owned(), key.to_string()));
            Ok(())
        })
    }

    fn copy<'a>(&'a self, module: &'a str, from: &'a Key, to: &'a Key) -> BlobFuture<'a, Meta> {
        Box::pin(async move {
            let (mut meta, content) = self.find(module, from)?;
            meta.etag = Uuid::now_v7().simple().to_string();
            meta.modified = Timestamp::now();
            lock(&self.0).insert((module.to_owned(), to.to_string()), (meta.clone(), content));
            Ok(meta)
        })
    }

    fn presign<'a>(&'a self, _module: &'a str, _key: &'a Key, _access: Access, _time: Duration) -> BlobFuture<'a, Option<String>> {
        Box::pin(async { Ok(None) })
    }
}

impl Upload for Writing {
    fn write(&mut self, bytes: Bytes) -> BlobFuture<'_, ()> {
        self.tally.add(&bytes);
        self.content.extend_from_slice(&bytes);
        Box::pin(async { Ok(()) })
    }

    fn finish(self: Box<Self>) -> BlobFuture<'static, Meta> {
        Box::pin(async move {
            let mut kept = lock(&self.kept);
            let place = (self.module, self.key.to_string());
            self.put.condition.check(&self.key, kept.get(&place).map(|(meta, _)| meta))?;
            let meta = Meta {
                size: self.tally.size(),
                content_type: self.put.content_type,
                metadata: self.put.metadata,
                etag: Uuid::now_v7().simple().to_string(),
                sha256: self.tally.sha256(),
                modified: Timestamp::now(),
            };
            kept.insert(place, (meta.clone(), self.content.freeze()));
            Ok(meta)
        })
    }
}

impl Download for Reading {
    fn next(&mut self) -> BlobFuture<'_, Option<Bytes>> {
        let piece = self.0.split_to(self.0.len().min(PIECE));
        Box::pin(async move { Ok(Some(piece).filter(|piece| !piece.is_empty())) })
    }
}

fn lock(kept: &Mutex<Kept>) -> std::sync::MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_in_memory_form_keeps_the_contract() {
        crate::ports::blobs::contract::check(&MemoryBlobs::new(), true).await;
    }
}

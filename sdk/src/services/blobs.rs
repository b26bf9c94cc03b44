//! Blobs: bytes of any size under a key, in a space of the module's own.

use std::collections::BTreeMap;
use std::future::{Future, IntoFuture};
use std::ops::{Bound, RangeBounds};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use wharf_plugin_api::abi_stable::std_types::{RString, RVec};
use wharf_plugin_api::future::FfiFuture;
use wharf_plugin_api::services::blobs::{BlobMeta, BlobOpened, BlobPut, BlobsRef, Note, PutIf, SignFor};
use wharf_plugin_api::{Fault, FaultCode};

/// Bytes that are asked for at a time.
const PIECE: u32 = 64 * 1024;

/// The module's blobs. Keys are segments of ASCII letters, digits and `-_.=@+,`, separated by `/`.
#[derive(Clone)]
pub struct Blobs {
    service: BlobsRef,
    /// What every key begins with; see [`Tenant::blobs`](crate::Tenant::blobs).
    space: Option<Arc<str>>,
}

/// What is known of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Meta {
    /// Bytes.
    pub size: u64,
    /// Media type; empty when nobody said.
    pub content_type: String,
    /// What was noted beside it.
    pub metadata: BTreeMap<String, String>,
    /// Changes with every write; opaque.
    pub etag: String,
    /// SHA-256 of the content in hex. Not known later of large blobs in an S3 API, only when they are put.
    pub sha256: Option<String>,
    /// When it was written.
    pub modified: SystemTime,
}

/// A blob that is being read: a body, and what is known of it. As a response it has content type, length and etag.
#[derive(Debug)]
pub struct Blob {
    /// What is known of it.
    pub meta: Meta,
    content: Content,
}

/// A blob in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// As in [`Meta::etag`].
    pub etag: String,
    /// When it was written.
    pub modified: SystemTime,
}

/// Part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// In the order of their keys.
    pub entries: Vec<Entry>,
    /// The key after which the next page begins, if there is one.
    pub next: Option<String>,
}

/// A write that is about to happen: await it.
#[must_use = "nothing is written unless this is awaited"]
pub struct PutBlob {
    service: BlobsRef,
    put: BlobPut,
    body: Body,
}

/// A handle of the host, closed when it is dropped.
struct Handle {
    service: BlobsRef,
    id: u64,
}

/// The bytes of a blob, as a body.
struct Content {
    handle: Arc<Handle>,
    reading: Option<FfiFuture<RVec<u8>>>,
    left: u64,
    has_ended: bool,
}

impl Blobs {
    pub(crate) fn new(service: BlobsRef) -> Self {
        Self { service, space: None }
    }

    /// The same store, with keys that are apart from all others.
    pub(crate) fn within(&self, space: &str) -> Self {
        Self {
            space: Some(space.into()),
            service: self.service.clone(),
        }
    }

    /// The key as the host knows it.
    fn full(&self, key: &str) -> RString {
        match &self.space {
            Some(space) => format!("{space}{key}").into(),
            None => key.into(),
        }
    }

    /// Writes a blob from anything that is a body: bytes, text, the body of a request. It is streamed, and appears, whole,
    /// when the future is ready; one that is dropped leaves nothing.
    ///
    /// # Errors
    /// `invalid` for a key or size that cannot be, `conflict` when a condition does not hold, `unavailable` when the store does
    /// not answer, `full` when there is no room or the module has what it may have, and what the body says.
    pub fn put(&self, key: &str, body: impl Into<Body>) -> PutBlob {
        PutBlob {
            service: self.service.clone(),
            put: BlobPut {
                key: self.full(key),
                content_type: RString::new(),
                notes: RVec::new(),
                condition: PutIf::ALWAYS,
                etag: RString::new(),
            },
            body: body.into(),
        }
    }

    /// Opens a blob.
    ///
    /// # Errors
    /// `not-found`, or `unavailable` when the store does not answer.
    pub async fn get(&self, key: &str) -> Result<Blob, Fault> {
        self.open(key, 0, u64::MAX).await
    }

    /// Opens a part of a blob, in bytes. An end past its end is its end.
    ///
    /// # Errors
    /// As [`Blobs::get`], and `invalid` when the range begins after the end.
    pub async fn get_range(&self, key: &str, range: impl RangeBounds<u64>) -> Result<Blob, Fault> {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(last) => last.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        self.open(key, start, end).await
    }

    async fn open(&self, key: &str, start: u64, end: u64) -> Result<Blob, Fault> {
        let BlobOpened { handle, start, end, meta } = self.service.open(self.full(key), start, end).await?;
        let handle = Handle {
            service: self.service.clone(),
            id: handle,
        };
        Ok(Blob {
            meta: meta.into(),
            content: Content {
                handle: Arc::new(handle),
                reading: None,
                left: end.saturating_sub(start),
                has_ended: false,
            },
        })
    }

    /// What is known of a blob.
    ///
    /// # Errors
    /// As [`Blobs::get`].
    pub async fn head(&self, key: &str) -> Result<Meta, Fault> {
        self.service.head(self.full(key)).await.map(Meta::from)
    }

    /// The first page of the blobs whose keys begin with `prefix`.
    ///
    /// # Errors
    /// `invalid` for what no key begins with, `unavailable` when the store does not answer.
    pub async fn list(&self, prefix: &str) -> Result<Page, Fault> {
        self.list_after(prefix, "").await
    }

    /// The page that begins after a key.
    ///
    /// # Errors
    /// As [`Blobs::list`].
    pub async fn list_after(&self, prefix: &str, after: &str) -> Result<Page, Fault> {
        let after = if after.is_empty() { RString::new() } else { self.full(after) };
        let page = self.service.list(self.full(prefix), after, 1000).await?;
        let skipped = self.space.as_ref().map_or(0, |space| space.len());
        let entries: Vec<Entry> = page
            .entries
            .into_iter()
            .map(|entry| Entry {
                key: entry.key.get(skipped..).unwrap_or_default().to_owned(),
                size: entry.size,
                etag: entry.etag.into_string(),
                modified: time(entry.modified_ms),
            })
            .collect();
        let next = entries.last().map(|entry| entry.key.clone()).filter(|_| page.has_more);
        Ok(Page { entries, next })
    }

    /// Deletes a blob. One that is not there is no error.
    ///
    /// # Errors
    /// `unavailable` when the store does not answer.
    pub async fn delete(&self, key: &str) -> Result<(), Fault> {
        self.service.delete(self.full(key)).await
    }

    /// Copies a blob with everything that is noted beside it.
    ///
    /// # Errors
    /// As [`Blobs::get`].
    pub async fn copy(&self, from: &str, to: &str) -> Result<Meta, Fault> {
        self.service.copy(self.full(from), self.full(to)).await.map(Meta::from)
    }

    /// An address where anybody who has it may read the blob, for a time of at most a week.
    ///
    /// # Errors
    /// `invalid` for another time. Whether the blob is there is not looked at.
    pub async fn presign_get(&self, key: &str, time: Duration) -> Result<String, Fault> {
        self.sign(key, SignFor::GET, time).await
    }

    /// An address where anybody who has it may write the blob with PUT, for a time of at most a week.
    ///
    /// # Errors
    /// `invalid` for another time.
    pub async fn presign_put(&self, key: &str, time: Duration) -> Result<String, Fault> {
        self.sign(key, SignFor::PUT, time).await
    }

    async fn sign(&self, key: &str, access: SignFor, time: Duration) -> Result<String, Fault> {
        let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        self.service.sign(self.full(key), access, seconds).await.map(RString::into_string)
    }
}

impl PutBlob {
    /// Says what it is, as a media type.
    pub fn content_type(mut self, media: &str) -> Self {
        self.put.content_type = media.into();
        self
    }

    /// Notes something beside it: a name of lower-case letters, digits and `-`, a value of visible ASCII.
    pub fn metadata(mut self, name: &str, value: &str) -> Self {
        self.put.notes.push(Note {
            name: name.into(),
            value: value.into(),
        });
        self
    }

    /// Writes it only if there is none; else `conflict`.
    pub fn if_absent(mut self) -> Self {
        self.put.condition = PutIf::ABSENT;
        self
    }

    /// Writes it only over the one with this etag; else `conflict`.
    pub fn if_matches(mut self, etag: &str) -> Self {
        self.put.condition = PutIf::MATCHES;
        self.put.etag = etag.into();
        self
    }

    async fn send(self) -> Result<Meta, Fault> {
        let Self { service, put, mut body } = self;
        let id = service.create(put).await?;
        let handle = Handle { service, id };
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Fault::from_error(FaultCode::CANCELLED, &error))?;
            let Ok(bytes) = frame.into_data() else { continue };
            if !bytes.is_empty() {
                handle.service.write(id, RVec::from(Vec::from(bytes))).await?;
            }
        }
        handle.service.finish(id).await.map(Meta::from)
    }
}

impl IntoFuture for PutBlob {
    type Output = Result<Meta, Fault>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Meta, Fault>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl Blob {
    /// The bytes as a body, to be streamed.
    pub fn into_body(self) -> Body {
        Body::new(self.content)
    }

    /// All bytes in memory, if there are no more than `limit`.
    ///
    /// # Errors
    /// `invalid` when there are more, `unavailable` when the store stops answering.
    pub async fn bytes(self, limit: usize) -> Result<Bytes, Fault> {
        if self.content.left > limit as u64 {
            let found = self.content.left;
            return Err(Fault::new(
                FaultCode::INVALID,
                format!("found {found} bytes, expected at most {limit}"),
            ));
        }
        self.content.collect().await.map(http_body_util::Collected::to_bytes)
    }
}

impl IntoResponse for Blob {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        let kind = match self.meta.content_type.as_str() {
            "" => "application/octet-stream",
            kind => kind,
        };
        let etag = format!("\"{}\"", self.meta.etag.trim_matches('"'));
        for (name, value) in [
            (CONTENT_TYPE, kind),
            (ETAG, &etag),
            (CONTENT_LENGTH, &self.content.left.to_string()),
        ] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        (headers, self.into_body()).into_response()
    }
}

impl HttpBody for Content {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let this = &mut *self;
        let handle = &this.handle;
        let reading = this.reading.get_or_insert_with(|| handle.service.read(handle.id, PIECE));
        let read = ready!(Pin::new(reading).poll(cx));
        this.reading = None;
        match read {
            Ok(bytes) if bytes.is_empty() => {
                this.has_ended = true;
                Poll::Ready(None)
            }
            Ok(bytes) => {
                this.left = this.left.saturating_sub(bytes.len() as u64);
                Poll::Ready(Some(Ok(Frame::data(Bytes::from(bytes.into_vec())))))
            }
            Err(fault) => {
                this.has_ended = true;
                Poll::Ready(Some(Err(fault)))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.service.close(self.id);
    }
}

impl From<BlobMeta> for Meta {
    fn from(meta: BlobMeta) -> Self {
        Self {
            size: meta.size,
            content_type: meta.content_type.into_string(),
            metadata: meta
                .notes
                .into_iter()
                .map(|note| (note.name.into_string(), note.value.into_string()))
                .collect(),
            etag: meta.etag.into_string(),
            sha256: Some(meta.sha256.into_string()).filter(|hash| !hash.is_empty()),
            modified: time(meta.modified_ms),
        }
    }
}

fn time(milliseconds: i64) -> SystemTime {
    let past = Duration::from_millis(milliseconds.unsigned_abs());
    let time = if milliseconds < 0 {
        UNIX_EPOCH.checked_sub(past)
    } else {
        UNIX_EPOCH.checked_add(past)
    };
    time.unwrap_or(UNIX_EPOCH)
}

impl std::fmt::Debug for Blobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Blobs")
    }
}

impl std::fmt::Debug for PutBlob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PutBlob").field("put", &self.put).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Content({} bytes)", self.left)
    }
}

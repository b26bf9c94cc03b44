//! Blobs: bytes of any size under a key, each module's in a space of its own.
//!
//! Nothing is half there: a blob appears, whole, when its upload is finished, and an upload that is dropped leaves nothing.
//! Reading and writing hold a few pieces in memory, however large the blob is.

mod key;
mod memory;

#[cfg(test)]
pub(crate) mod contract;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use key::{Key, check_prefix};
pub use memory::MemoryBlobs;

/// A boxed future, so that the traits can be objects. Dropping one of a write leaves it done or undone, nothing between.
pub type BlobFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, BlobError>> + Send + 'a>>;

/// Pieces in which blobs are read.
pub const PIECE: usize = 64 * 1024;

/// What is known of a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Bytes.
    pub size: u64,
    /// Media type; empty when nobody said.
    pub content_type: String,
    /// What the module noted beside it. Names are lower case.
    pub metadata: BTreeMap<String, String>,
    /// Changes with every write; opaque.
    pub etag: String,
    /// SHA-256 of the content in hex; empty where the store does not know it.
    pub sha256: String,
    /// When it was written.
    pub modified: Timestamp,
}

/// A blob in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// As in [`Meta::etag`].
    pub etag: String,
    /// When it was written.
    pub modified: Timestamp,
}

/// Part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// In the order of their keys.
    pub entries: Vec<Entry>,
    /// Whether there are more after the last.
    pub has_more: bool,
}

/// What must hold for a write to happen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Nothing: the last write wins.
    #[default]
    None,
    /// There is no such blob.
    Absent,
    /// The blob has this [`Meta::etag`].
    Matches(String),
}

/// How a blob is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Put {
    /// Media type; may be empty.
    pub content_type: String,
    /// What the module notes beside it: names of lower-case letters, digits and `-`, values of visible ASCII and spaces.
    pub metadata: BTreeMap<String, String>,
    /// What must hold.
    pub condition: Condition,
}

/// Part of a blob, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub start: u64,
    /// The one after the last; to the end without. One that is past the end is the end.
    pub end: Option<u64>,
}

/// What a signed address allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading.
    Get,
    /// Writing.
    Put,
}

/// A blob that was opened.
pub struct Found {
    /// What is known of it.
    pub meta: Meta,
    /// Which of its bytes come.
    pub range: Range<u64>,
    /// They.
    pub content: Box<dyn Download>,
}

/// A blob being read.
pub trait Download: Send {
    /// The next piece; none at the end.
    fn next(&mut self) -> BlobFuture<'_, Option<Bytes>>;
}

/// A blob being written. Dropping it leaves nothing behind.
pub trait Upload: Send {
    /// Adds to it. Ready when more may come.
    fn write(&mut self, bytes: Bytes) -> BlobFuture<'_, ()>;

    /// Makes it visible, durably, if its condition holds now.
    fn finish(self: Box<Self>) -> BlobFuture<'static, Meta>;
}

/// A store of blobs.
pub trait Blobs: Send + Sync + fmt::Debug + 'static {
    /// Begins to write a blob. The condition is checked at the end, and here where that saves work.
    fn put<'a>(&'a self, module: &'a str, key: &'a Key, put: Put) -> BlobFuture<'a, Box<dyn Upload>>;

    /// Opens a blob.
    fn get<'a>(&'a self, module: &'a str, key: &'a Key, span: Option<Span>) -> BlobFuture<'a, Found>;

    /// What is known of a blob.
    fn head<'a>(&'a self, module: &'a str, key: &'a Key) -> BlobFuture<'a, Meta>;

    /// Blobs whose keys begin with `prefix` and come after `after`, at most `limit` of them.
    fn list<'a>(&'a self, module: &'a str, prefix: &'a str, after: &'a str, limit: usize) -> BlobFuture<'a, Page>;

    /// Deletes a blob. One that is not there is no error.
    fn delete<'a>(&'a self, module: &'a str, key: &'a Key) -> BlobFuture<'a, ()>;

    /// Copies a blob with what is noted beside it. It then has an etag of its own.
    fn copy<'a>(&'a self, module: &'a str, from: &'a Key, to: &'a Key) -> BlobFuture<'a, Meta>;

    /// An address where anybody may do this for a time; none when the store has none of its own and the host has to serve it.
    fn presign<'a>(&'a self, module: &'a str, key: &'a Key, access: Access, time: Duration) -> BlobFuture<'a, Option<String>>;
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// No such blob.
    #[error("there is no blob {key:?}")]
    NotFound {
        /// Its key.
        key: String,
    },
    /// The condition of a write does not hold.
    #[error("blob {key:?} is not as the condition says: {found}")]
    Condition {
        /// Its key.
        key: String,
        /// What is there.
        found: &'static str,
    },
    /// Not a key, a prefix, a name or a value that can be kept.
    #[error("{0}")]
    Invalid(String),
    /// The range begins after the end.
    #[error("blob {key:?} has {size} bytes, found a range that begins at {start}")]
    Range {
        /// Its key.
        key: String,
        /// Its size.
        size: u64,
        /// The first byte that was asked for.
        start: u64,
    },
    /// It is larger than this store takes.
    #[error("found more than {limit} bytes, expected at most that: {why}")]
    TooLarge {
        /// The most.
        limit: u64,
        /// Which limit that is.
        why: &'static str,
    },
    /// The module has as much as it may have.
    #[error(
        "found {taken} bytes of blobs of this module and {more} more, expected at most {quota} together: delete some, or let the operator raise blobs.quota"
    )]
    OverQuota {
        /// Bytes that are there or on their way.
        taken: u64,
        /// Bytes that were to be added.
        more: u64,
        /// The most.
        quota: u64,
    },
    /// There is no room left.
    #[error("the store of blobs is full: free space, or move it to a larger disk")]
    Full,
    /// What is stored is not what was written.
    #[error("blob {key:?} is damaged: {found}; delete it, or restore it from a backup")]
    Damaged {
        /// Its key.
        key: String,
        /// What is wrong.
        found: String,
    },
    /// The store does not answer.
    #[error("cannot {doing}: the store of blobs does not answer")]
    Unavailable {
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// Counts and hashes what passes.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    hash: Sha256,
    size: u64,
}

impl Tally {
    /// Takes a piece into account.
    pub fn add(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// Bytes so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// SHA-256 so far, in hex.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex(&self.hash.clone().finalize())
    }
}

impl Span {
    /// Which bytes of a blob of this size it means.
    ///
    /// # Errors
    /// [`BlobError::Range`] when it begins after the end.
    pub fn of(self, key: &Key, size: u64) -> Result<Range<u64>, BlobError> {
        let end = self.end.unwrap_or(size).min(size);
        if self.start > end || (self.start == size && size > 0) {
            return Err(BlobError::Range {
                key: key.to_string(),
                size,
                start: self.start,
            });
        }
        Ok(self.start..end)
    }
}

impl Condition {
    /// Whether it holds for what is there.
    ///
    /// # Errors
    /// [`BlobError::Condition`] when it does not.
    pub fn check(&self, key: &Key, found: Option<&Meta>) -> Result<(), BlobError> {
        let found = match (self, found) {
            (Self::None, _) | (Self::Absent, None) => return Ok(()),
            (Self::Matches(etag), Some(meta)) if *etag == meta.etag => return Ok(()),
            (Self::Absent, Some(_)) => "it is there",
            (Self::Matches(_), Some(_)) => "it has another etag",
            (Self::Matches(_), None) => "it is not there",
        };
        Err(BlobError::Condition {
            key: key.to_string(),
            found,
        })
    }
}

impl Put {
    /// Whether every store can keep what is noted beside the blob.
    ///
    /// # Errors
    /// [`BlobError::Invalid`] with what is wrong.
    pub fn check(&self) -> Result<(), BlobError> {
        let visible = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && text.trim() == text;
        if !visible(&self.content_type) || self.content_type.len() > 255 {
            return Err(BlobError::Invalid(format!(
                "found content type {:?}, expected at most 255 visible ASCII characters",
                self.content_type
            )));
        }
        let mut length = 0;
        for (name, value) in &self.metadata {
            let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            if name.is_empty() || !name.bytes().all(is_name) || name.starts_with("wharf-") {
                return Err(BlobError::Invalid(format!(
                    "found metadata name {name:?}, expected lower-case letters, digits and `-`, not beginning with `wharf-`"
                )));
            }
            if value.is_empty() || !visible(value) {
                return Err(BlobError::Invalid(format!(
                    "found another value of metadata {name:?}, expected visible ASCII without spaces around it"
                )));
            }
            length += name.len() + value.len();
        }
        if length > 1900 {
            return Err(BlobError::Invalid(format!(
                "found {length} bytes of metadata, expected at most 1900"
            )));
        }
        Ok(())
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found")
            .field("meta", &self.meta)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

/// Bytes as lower-case hex digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

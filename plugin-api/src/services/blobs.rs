//! `blobs`: bytes of any size under a key, in a space of the module's own.

use abi_stable::StableAbi;
use abi_stable::sabi_trait;
use abi_stable::std_types::{RArc, RString, RVec};

use crate::future::FfiFuture;

/// What is noted beside a blob: a name of lower-case letters, digits and `-`, and a value of visible ASCII.
#[repr(C)]
#[derive(StableAbi, Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Name.
    pub name: RString,
    /// Value.
    pub value: RString,
}

/// What is known of a blob. Owned by the receiver.
#[repr(C)]
#[derive(StableAbi, Clone, Debug, PartialEq, Eq)]
pub struct BlobMeta {
    /// Bytes.
    pub size: u64,
    /// Milliseconds since the epoch when it was written.
    pub modified_ms: i64,
    /// Media type; empty when nobody said.
    pub content_type: RString,
    /// Changes with every write; opaque.
    pub etag: RString,
    /// SHA-256 of the content in hex; empty where the store does not know it.
    pub sha256: RString,
    /// What the module noted beside it.
    pub notes: RVec<Note>,
}

/// What must hold for a write to happen. Unknown values are refused.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct PutIf(pub u8);

impl PutIf {
    /// Nothing.
    pub const ALWAYS: Self = Self(0);
    /// There is no such blob.
    pub const ABSENT: Self = Self(1);
    /// The blob has the etag of the request.
    pub const MATCHES: Self = Self(2);
}

/// How a blob is written.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct BlobPut {
    /// Its key.
    pub key: RString,
    /// Media type; may be empty.
    pub content_type: RString,
    /// What is noted beside it.
    pub notes: RVec<Note>,
    /// What must hold.
    pub condition: PutIf,
    /// For [`PutIf::MATCHES`].
    pub etag: RString,
}

/// A blob that was opened for reading. The handle is closed by the caller, also after the end.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct BlobOpened {
    /// For `read` and `close`.
    pub handle: u64,
    /// The first byte that comes.
    pub start: u64,
    /// The one after the last.
    pub end: u64,
    /// What is known of it.
    pub meta: BlobMeta,
}

/// A blob in a list.
#[repr(C)]
#[derive(StableAbi, Clone, Debug, PartialEq, Eq)]
pub struct BlobEntry {
    /// Its key.
    pub key: RString,
    /// Bytes.
    pub size: u64,
    /// Milliseconds since the epoch when it was written.
    pub modified_ms: i64,
    /// As in [`BlobMeta::etag`].
    pub etag: RString,
}

/// Part of a list.
#[repr(C)]
#[derive(StableAbi, Clone, Debug, PartialEq, Eq)]
pub struct BlobPage {
    /// In the order of their keys.
    pub entries: RVec<BlobEntry>,
    /// Whether there are more after the last.
    pub has_more: bool,
}

/// What a signed address allows. Unknown values are refused.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignFor(pub u8);

impl SignFor {
    /// Reading.
    pub const GET: Self = Self(0);
    /// Writing.
    pub const PUT: Self = Self(1);
}

/// The service. Handles belong to the instance, end with it, and are closed after five minutes without a call. Faults:
/// `INVALID` for keys and arguments that cannot be, `NOT_FOUND` for blobs and handles that are not there, `CONFLICT` when a
/// condition does not hold, `BUSY` when too many handles are open, `UNAVAILABLE` when the store does not answer, `FULL`
/// when there is no room or the module has what it may have, `STOPPED` after the end of the instance.
#[sabi_trait]
pub trait Blobs: Send + Sync + Clone + 'static {
    /// Begins to write a blob and gives a handle. Nothing can be seen of it before [`Blobs::finish`].
    fn create(&self, put: BlobPut) -> FfiFuture<u64>;

    /// Adds to it. One at a time for each handle; ready when more may come, which is the backpressure.
    fn write(&self, handle: u64, bytes: RVec<u8>) -> FfiFuture<()>;

    /// Makes it visible, durably, and ends the handle.
    fn finish(&self, handle: u64) -> FfiFuture<BlobMeta>;

    /// Opens a blob from `start` to `end`; `u64::MAX` means the end of the blob.
    fn open(&self, key: RString, start: u64, end: u64) -> FfiFuture<BlobOpened>;

    /// The next bytes, at most `most` of them; none at the end. One at a time for each handle.
    fn read(&self, handle: u64, most: u32) -> FfiFuture<RVec<u8>>;

    /// Ends a handle of either kind, soon, without waiting. What was being written leaves nothing. Unknown ones are ignored.
    fn close(&self, handle: u64);

    /// What is known of a blob.
    fn head(&self, key: RString) -> FfiFuture<BlobMeta>;

    /// Blobs whose keys begin with `prefix` and come after `after`, at most `limit` of them, and never more than 1,000.
    fn list(&self, prefix: RString, after: RString, limit: u32) -> FfiFuture<BlobPage>;

    /// Deletes a blob. One that is not there is no fault.
    fn delete(&self, key: RString) -> FfiFuture<()>;

    /// Copies a blob with what is noted beside it.
    fn copy(&self, from: RString, to: RString) -> FfiFuture<BlobMeta>;

    /// An address where anybody may do this for so many seconds, at most a week.
    #[sabi(last_prefix_field)]
    fn sign(&self, key: RString, access: SignFor, seconds: u32) -> FfiFuture<RString>;
}

/// The service object.
pub type BlobsRef = Blobs_TO<RArc<()>>;

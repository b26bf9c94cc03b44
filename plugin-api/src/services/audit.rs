//! `audit`: records who did what. The module says what was done; the host adds who, when, where and in which request.

use abi_stable::StableAbi;
use abi_stable::sabi_trait;
use abi_stable::std_types::{RArc, ROption, RString, RVec};

use crate::future::FfiFuture;

/// How something ended. Unknown values are refused.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutcomeKind(pub u8);

impl OutcomeKind {
    /// It was done.
    pub const SUCCESS: Self = Self(1);
    /// They may not.
    pub const DENIED: Self = Self(2);
    /// It did not work.
    pub const FAILURE: Self = Self(3);
}

/// One field that changed. Secrets are masked before they cross.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct FieldChange {
    /// Its name.
    pub field: RString,
    /// JSON text of what it was; none: it was not there.
    pub before: ROption<RString>,
    /// JSON text of what it is; none: it is not there any more.
    pub after: ROption<RString>,
}

/// What is to be recorded, owned by the host from then on. Empty texts are left out.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct NewRecord {
    /// What was done, dotted: `blog.post.publish`.
    pub action: RString,
    /// On what: `post/17`.
    pub object: RString,
    /// How it ended.
    pub outcome: OutcomeKind,
    /// Why it was denied or failed, for people; never a secret.
    pub reason: RString,
    /// Tenant it happened in, where that is not the caller's.
    pub tenant: RString,
    /// Fields that changed.
    pub changes: RVec<FieldChange>,
}

/// The service.
#[sabi_trait]
pub trait Audit: Send + Sync + Clone + 'static {
    /// Records, and gives the record's id. `tx` is a handle of the core service `database`: the record is there when that
    /// transaction commits, or never. With 0 it is durable when the future is ready. `INVALID` for an action that is no dotted
    /// name, an outcome the host does not know or a record of more than 1 MiB, `NOT_FOUND` for a transaction that is not the
    /// caller's, `UNAVAILABLE` when the database does not answer.
    #[sabi(last_prefix_field)]
    fn record(&self, record: NewRecord, tx: u64) -> FfiFuture<RString>;
}

/// The service object.
pub type AuditRef = Audit_TO<RArc<()>>;

//! `authz`: what whoever calls the module may do.
//!
//! The host answers for the principal of the call that runs on the thread, which no module can claim otherwise; handlers of events
//! and jobs run as the module. On a thread that works for neither every method says `INVALID`: a task that was spawned asks before it
//! is spawned. A module asks about permissions that its own manifest declares; others are `UNDECLARED`.

use abi_stable::StableAbi;
use abi_stable::sabi_trait;
use abi_stable::std_types::{RArc, RResult, RStr, RString, RVec};

use crate::fault::Fault;

/// A set of rows, by resource name.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct RowSet {
    /// Every row.
    pub all: bool,
    /// Rows that belong to the caller.
    pub own: bool,
    /// Rows of exactly these names.
    pub names: RVec<RString>,
    /// Rows whose names match one of these, in which `*` stands for any text.
    pub globs: RVec<RString>,
}

/// Rows that the caller may use: those of `allow` that are not in `deny`.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct RowScope {
    /// Subject of the caller, such as `user:01J...`; what `own` compares owners with.
    pub subject: RString,
    /// Rows that rules allow.
    pub allow: RowSet,
    /// Rows that rules deny.
    pub deny: RowSet,
}

/// Why they may or may not.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Reason {
    /// Whether they may.
    pub allowed: bool,
    /// One sentence.
    pub because: RString,
    /// The rule that decided, in the form of a policy line; empty: none did.
    pub rule: RString,
    /// How the caller comes to hold it: each step a binding, from the caller to the subject of the rule.
    pub path: RVec<RString>,
}

/// The service. It answers from what is in memory and never blocks. `UNAVAILABLE` when the rules are not known, or too old.
#[sabi_trait]
pub trait Authz: Send + Sync + Clone + 'static {
    /// Whether the caller holds the permission on a resource. An empty `resource` is the permission as such; an empty `owner`
    /// means that it belongs to nobody.
    fn check(&self, permission: RStr<'_>, resource: RStr<'_>, owner: RStr<'_>) -> RResult<bool, Fault>;

    /// On which rows the caller holds it.
    fn scope(&self, permission: RStr<'_>) -> RResult<RowScope, Fault>;

    /// Why the caller holds it or not.
    #[sabi(last_prefix_field)]
    fn explain(&self, permission: RStr<'_>, resource: RStr<'_>, owner: RStr<'_>) -> RResult<Reason, Fault>;
}

/// The service object.
pub type AuthzRef = Authz_TO<RArc<()>>;

//! `database`: the module's own space in the host's database. Requests and answers are bytes ([`codec`](crate::sql::codec)).

use abi_stable::StableAbi;
use abi_stable::sabi_trait;
use abi_stable::std_types::{RArc, RVec};

use crate::future::FfiFuture;

/// Which database answers. May grow: a module that does not know it cannot use it.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct DialectKind(pub u8);

impl DialectKind {
    /// SQLite 3.35 or newer.
    pub const SQLITE: Self = Self(1);
    /// PostgreSQL 13 or newer.
    pub const POSTGRES: Self = Self(2);
}

/// What a module knows of its space.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct DatabaseInfo {
    /// Which database answers.
    pub dialect: DialectKind,
    /// The newest format of messages that the host reads.
    pub format: u8,
}

/// The service. Transactions and cursors are handles. One belongs to the call it was opened in, and is rolled back or closed
/// when that call has ended; one that was opened outside of a call belongs to the instance and has a maximum age.
#[sabi_trait]
pub trait Database: Send + Sync + Clone + 'static {
    /// What the module has there. It does not change during the life of an instance.
    fn info(&self) -> DatabaseInfo;

    /// Does what the request says. Failures of the database are answers; a fault is for what never reached it: `INVALID` for
    /// bytes that are no request, `STOPPED` after the end. Dropping the future may leave a statement done or undone; what it
    /// was opening is closed.
    fn call(&self, request: RVec<u8>) -> FfiFuture<RVec<u8>>;

    /// The same for a rollback or a close, soon, without waiting: for places that cannot. Anything else is ignored.
    #[sabi(last_prefix_field)]
    fn notify(&self, request: RVec<u8>);
}

/// The service object.
pub type DatabaseRef = Database_TO<RArc<()>>;

//! Named epochs: what all nodes must know within a second.
//!
//! A name is a dotted word such as `modules.desired` or `queue.blog`; its epoch is a number that only grows. Whoever changes
//! something bumps the name, whoever depends on it watches the name and looks again when the epoch has grown. A signal
//! carries no data and several bumps may arrive as one: it says "look", and what is looked at is elsewhere.

mod board;
mod memory;

#[cfg(test)]
pub(crate) mod contract;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::state::StateFuture;

pub use board::{Board, Watch};
pub use memory::MemorySignals;

/// Desired state of a module changed: every node looks at the table of what operators want.
pub const MODULES_DESIRED: &str = "modules.desired";

/// A boxed future, so that the traits can be objects. Dropping it leaves the epoch as it was or one higher.
pub type SignalFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, SignalError>> + Send + 'a>>;

/// Why an epoch could not be read or raised.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignalError {
    /// The store behind the signals does not answer.
    #[error("signals: cannot {doing}")]
    Unavailable {
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// The signals of all nodes.
pub trait Signals: Send + Sync + fmt::Debug + 'static {
    /// Raises an epoch and returns it. When the future is ready the new epoch is kept; watchers on this node see it at once,
    /// those on other nodes within a second.
    fn bump<'a>(&'a self, name: &'a str) -> SignalFuture<'a, u64>;

    /// Raises an epoch soon, and never waits: for whoever signals often and can bear a signal that is lost with the process.
    /// Watchers on this node see a change at once. Calls for one name are gathered while an earlier one is written, and an
    /// unreachable store is tried again.
    fn nudge(&self, name: &str);

    /// The epoch as the store has it; 0 when nobody ever raised it.
    fn epoch<'a>(&'a self, name: &'a str) -> SignalFuture<'a, u64>;

    /// Tells of changes of these names from now on.
    fn watch(&self, names: &[&str]) -> Watch;
}

/// Where epochs are kept: part of the host's state database.
pub trait EpochStore: Send + Sync + fmt::Debug + 'static {
    /// Raises one by one, and tells the other nodes if the store can.
    fn raise<'a>(&'a self, name: &'a str) -> StateFuture<'a, u64>;

    /// One; 0 when it was never raised.
    fn epoch<'a>(&'a self, name: &'a str) -> StateFuture<'a, u64>;

    /// All that were ever raised.
    fn epochs(&self) -> StateFuture<'_, Vec<(String, u64)>>;
}

/// Carries the news of a raised epoch to other nodes faster than they would ask. It may lose news: asking finds them.
pub trait SignalWaker: Send + Sync + fmt::Debug + 'static {
    /// Tells the others. Failing is not worth an error: they ask soon anyway.
    fn announce<'a>(&'a self, name: &'a str, epoch: u64) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

    /// Writes what others announce on the board, as long as it is polled. Reconnects by itself.
    fn listen<'a>(&'a self, board: &'a Board) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
}

//! What operators want of modules, what nodes report of them, and which nodes there are.
//!
//! Everything here is small and asked rarely; the request path never comes near it.

mod memory;

#[cfg(test)]
pub(crate) mod contract;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::status::{Desired, State};

pub use memory::MemoryState;

/// A boxed future, so that the trait can be an object. Dropping it leaves the store as it was or as it was asked to be, nothing between.
pub type StateFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StateError>> + Send + 'a>>;

/// What one node says about one module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeReport {
    /// Node name.
    pub node: String,
    /// Module id.
    pub module: String,
    /// Where the module is in its life there.
    pub state: State,
    /// Version that runs or was tried; as long as an instance of an older one ends, that one.
    pub version: String,
    /// Generation, counted by that node's process.
    pub generation: u64,
    /// Since when.
    #[schemars(with = "String")]
    pub since: Timestamp,
    /// Why, where a state needs a reason; empty otherwise.
    pub detail: String,
}

/// A sign of life of one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeBeat {
    /// Node name.
    pub node: String,
    /// Process id on its machine.
    pub pid: u32,
    /// Version of the host.
    pub version: String,
    /// When that process started.
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// When it last said so.
    #[schemars(with = "String")]
    pub at: Timestamp,
}

/// Why the store did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The database cannot be reached, opened or written.
    #[error("state database: cannot {doing}")]
    Unavailable {
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A newer host wrote this database.
    #[error(
        "state database has schema {found}, this build knows schemas up to {known}; start a newer build, or restore the older database"
    )]
    SchemaTooNew {
        /// Version in the database.
        found: i64,
        /// Newest version this build knows.
        known: i64,
    },
    /// An older host wrote this database, and it was opened only to look.
    #[error("state database has schema {found}, this build reads schema {known}; `wharf serve` migrates it")]
    SchemaTooOld {
        /// Version in the database.
        found: i64,
        /// Version this build reads.
        known: i64,
    },
    /// A migration was edited after it was applied.
    #[error("state database was made by another text of migration {version} ({name}); an applied migration is never edited")]
    MigrationEdited {
        /// Its number.
        version: i64,
        /// Its name.
        name: String,
    },
    /// A value in the database cannot be read.
    #[error("state database: found {found:?} in {place}, expected {expected}")]
    Corrupt {
        /// Table and column.
        place: &'static str,
        /// What is there.
        found: String,
        /// What should be.
        expected: &'static str,
    },
    /// Not a database there is an adapter for.
    #[error("found database {found:?}, expected sqlite://PATH or postgres://USER@HOST/DATABASE")]
    UnknownDatabase {
        /// The scheme that was found; never the whole URL, which may hold a password.
        found: String,
    },
}

/// The state of all nodes.
pub trait StateStore: Send + Sync + fmt::Debug + 'static {
    /// What is wanted of one module; `Desired::default()` when nobody has decided.
    fn desired<'a>(&'a self, module: &'a str) -> StateFuture<'a, Desired>;
    /// What is wanted of every module somebody has decided about.
    fn all_desired(&self) -> StateFuture<'_, BTreeMap<String, Desired>>;
    /// Records what is wanted of one module. Durable when the future is ready.
    fn set_desired<'a>(&'a self, module: &'a str, desired: &'a Desired) -> StateFuture<'a, ()>;
    /// Records what a node says about a module; replaces what it said before.
    fn report<'a>(&'a self, report: &'a NodeReport) -> StateFuture<'a, ()>;
    /// Forgets everything a node said, at its start: modules may have gone while it was away.
    fn forget_reports<'a>(&'a self, node: &'a str) -> StateFuture<'a, ()>;
    /// What all nodes say, by module, then node.
    fn reports(&self) -> StateFuture<'_, Vec<NodeReport>>;
    /// Records a sign of life; replaces the node's last.
    fn beat<'a>(&'a self, beat: &'a NodeBeat) -> StateFuture<'a, ()>;
    /// The last sign of life of every node, by name.
    fn nodes(&self) -> StateFuture<'_, Vec<NodeBeat>>;
}

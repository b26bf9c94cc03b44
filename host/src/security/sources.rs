//! What the host asks of the core modules `auth` and `authz`, as their client: keys, revocations, rules, API keys.
//!
//! Each watch stays open, comes back by itself with a growing pause, and moves to the successor as soon as its module is
//! replaced. What was heard counts until it is too old ([`Freshness`]).

mod client;
mod follow;
mod report;
mod take;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

pub(crate) use self::client::MeshClient;
use self::follow::follow;
pub use self::report::{DeclaredPermissions, Permission, Permissions};
use super::authenticate::Authenticator;
use super::freshness::Freshness;
use super::rules::Rules;
use crate::http::routes::Routes;
use crate::services::Channels;

/// What follows the core modules.
#[derive(Clone)]
pub struct Sources {
    /// Gets keys and revocations.
    pub authenticator: Arc<Authenticator>,
    /// Get the rules.
    pub rules: Arc<Rules>,
    /// Hears when each source spoke.
    pub freshness: Arc<Freshness>,
}

/// What the host gives them to work with.
#[derive(Clone)]
pub struct Surroundings {
    /// Name of this node.
    pub node: String,
    /// The way to the modules.
    pub channels: Arc<dyn Channels>,
    /// Which modules serve now.
    pub routes: Arc<Routes>,
    /// What modules declare.
    pub permissions: Arc<dyn Permissions>,
}

/// Watches under way. Dropping it ends them.
#[derive(Debug)]
pub struct Watching(JoinSet<()>);

/// First and longest pause before a watch is opened again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// A stream that is silent for longer has lost its other end: messages come at least every 30 seconds.
const SILENCE: Duration = Duration::from_secs(45);

impl Watching {
    /// This task too.
    pub(crate) fn and(mut self, task: impl Future<Output = ()> + Send + 'static) -> Self {
        self.0.spawn(task);
        self
    }
}

impl Sources {
    /// Begins to watch. Must be called inside a tokio runtime.
    #[must_use]
    pub fn watch(&self, around: &Surroundings) -> Watching {
        let mut tasks = JoinSet::new();
        let auth = MeshClient::new(around.channels.clone(), "auth");
        self.authenticator.ask_for_api_keys(Arc::new(auth));
        tasks.spawn(follow(take::KeysWatch(self.clone()), self.freshness.clone(), around.clone()));
        tasks.spawn(follow(take::RevocationsWatch(self.clone()), self.freshness.clone(), around.clone()));
        tasks.spawn(follow(take::PolicyWatch(self.clone()), self.freshness.clone(), around.clone()));
        tasks.spawn(report::keep_reporting(around.clone()));
        Watching(tasks)
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("freshness", &self.freshness)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").field("node", &self.node).finish_non_exhaustive()
    }
}

//! Events and jobs of one host, on the queues in the spaces of its modules.

use std::sync::Arc;
use std::time::Duration;

use super::Backends;
use crate::events::{EventHub, EventSettings};
use crate::jobs::JobHub;
use crate::mail::{MailHub, MailSettings};
use crate::ports::database::DbError;
use crate::ports::transport::Transport;
use crate::queue::{Queues, WatchedDatabases};
use crate::telemetry::Metrics;

/// Events and jobs of one host. Clones are the same.
#[derive(Clone, Debug)]
pub struct Work {
    /// Events.
    pub events: EventHub,
    /// Jobs.
    pub jobs: JobHub,
    /// Mail.
    pub mail: MailHub,
    /// The queues below, for whatever else must not be lost.
    pub queues: Arc<Queues>,
}

/// What it goes by.
#[derive(Clone)]
pub struct WorkSettings {
    /// For events.
    pub events: EventSettings,
    /// How long it is kept what became of runs.
    pub history: Duration,
    /// For mail.
    pub mail: MailSettings,
    /// Carries events; over the databases without one.
    pub transport: Option<Arc<dyn Transport>>,
}

impl Default for WorkSettings {
    fn default() -> Self {
        Self {
            events: EventSettings::default(),
            history: Duration::from_secs(30 * 24 * 3600),
            mail: MailSettings::default(),
            transport: None,
        }
    }
}

impl Work {
    /// On these backends. Their databases are watched from then on, so that whoever commits work wakes who waits for it. Must
    /// be called inside a tokio runtime.
    #[must_use]
    pub fn on(backends: &mut Backends, node: &str, metrics: &Metrics, settings: WorkSettings) -> Self {
        let watched = WatchedDatabases::new(backends.databases.clone());
        backends.databases = watched.clone();
        let queues = Queues::new(watched, backends.clock.clone(), node, backends.signals.clone());
        Self {
            events: EventHub::new(queues.clone(), settings.transport, metrics.clone(), settings.events),
            jobs: JobHub::new(queues.clone(), metrics.clone(), settings.history),
            mail: MailHub::new(queues.clone(), backends.mailer.clone(), metrics.clone(), settings.mail),
            queues,
        }
    }
}

impl Work {
    /// How much is due now: to be relayed, handled, run, or put by a schedule. 0 when nothing is.
    ///
    /// # Errors
    /// What the database says.
    pub async fn busy(&self) -> Result<u64, DbError> {
        Ok(self.events.busy().await? + self.jobs.due().await?)
    }
}

impl std::fmt::Debug for WorkSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkSettings").field("events", &self.events).finish_non_exhaustive()
    }
}

//! A job and its rules, as the manifest has them.

use std::time::Duration;

use wharf_manifest::{Job, Missed, Overlap, parse_time};

use super::cron::{Cron, CronError};
use crate::queue::NewItem;

/// Longest time for one try, unless the manifest says otherwise.
const TIMEOUT: Duration = Duration::from_secs(600);
/// Tries, unless the manifest says otherwise.
const ATTEMPTS: u32 = 3;

/// A job of a running instance.
#[derive(Clone, Debug)]
pub struct JobSpec {
    /// Its name.
    pub name: String,
    /// One line for operators.
    pub description: String,
    /// When it runs by itself.
    pub cron: Option<Cron>,
    /// The schedule as written.
    pub schedule: Option<String>,
    /// The zone as written.
    pub timezone: String,
    /// What becomes of missed times.
    pub missed: Missed,
    /// What happens when the run before goes on.
    pub overlap: Overlap,
    /// Longest time for one try.
    pub timeout: Duration,
    /// Tries.
    pub attempts: u32,
    /// How long it may go on when its instance ends; the host's drain time without.
    pub drain: Option<Duration>,
    /// JSON schema of the payload; may be empty.
    pub schema: String,
}

impl JobSpec {
    /// From the manifest.
    ///
    /// # Errors
    /// When there is no such zone.
    pub fn new(job: &Job, schema: String) -> Result<Self, CronError> {
        let cron = job
            .schedule
            .as_deref()
            .map(|schedule| Cron::parse(schedule, job.timezone.as_deref()))
            .transpose()?;
        Ok(Self {
            name: job.name.clone(),
            description: job.description.clone(),
            cron,
            schedule: job.schedule.clone(),
            timezone: job.timezone.clone().unwrap_or_else(|| "UTC".to_owned()),
            missed: job.missed,
            overlap: job.overlap,
            timeout: job.timeout.as_deref().and_then(parse_time).unwrap_or(TIMEOUT),
            attempts: job.attempts.unwrap_or(ATTEMPTS),
            drain: job.drain.as_deref().and_then(parse_time),
            schema,
        })
    }

    /// Whether its runs wait for each other, on all nodes.
    pub(super) fn is_one_at_a_time(&self) -> bool {
        self.schedule.is_some() && self.overlap != Overlap::Allow
    }

    /// A run to be put.
    pub(super) fn item(&self, payload: Vec<u8>) -> NewItem {
        let mut item = NewItem::new(&self.name, payload);
        item.key = self.is_one_at_a_time().then(|| self.name.clone());
        item.max_attempts = self.attempts;
        item
    }
}

//! Events and jobs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::units::{Period, Secret};

const DAY: u64 = 24 * 3600;

/// Events of modules: how they travel, and how long they are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Events {
    /// Carries events over RabbitMQ, `amqp://` or `amqps://`. Default: over the databases of the modules.
    pub amqp_url: Option<Secret>,
    /// The topic exchange at the broker; what goes wrong there is in `EXCHANGE.dlx`. Installations that share a broker need different ones.
    pub exchange: String,
    /// How long a published event is kept: so far back can be replayed and caught up.
    pub retention: Period,
    /// How long events are kept that a subscription has not seen, because its module is disabled or too slow. After that they are lost for it.
    pub backlog_retention: Period,
    /// How long dead letters are kept.
    pub dead_letter_retention: Period,
    /// Deliveries that may wait for one subscription; what comes beyond waits in the outbox of the publisher.
    pub backlog: u32,
    /// Tries, unless a subscription says otherwise.
    pub max_attempts: u32,
    /// Time for one try, unless a subscription says otherwise.
    pub timeout: Period,
    /// Deliveries that are handled in one transaction, at most.
    pub batch: u32,
}

/// Jobs of modules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scheduler {
    /// How long it is kept what became of runs.
    pub history: Period,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            amqp_url: None,
            exchange: "events".to_owned(),
            retention: Period::secs(7 * DAY),
            backlog_retention: Period::secs(30 * DAY),
            dead_letter_retention: Period::secs(30 * DAY),
            backlog: 100_000,
            max_attempts: 10,
            timeout: Period::secs(30),
            batch: 50,
        }
    }
}

impl Default for Scheduler {
    fn default() -> Self {
        Self {
            history: Period::secs(30 * DAY),
        }
    }
}

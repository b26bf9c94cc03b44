//! The section `[modules.analytics]` of the host's configuration.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::domain::{DAY, Retention};

/// What operators may set.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Days for which buckets of a minute are kept.
    #[schemars(range(min = 1, max = 90))]
    pub minute_days: u32,
    /// Days for which buckets of an hour are kept; at least as long as those of a minute. Days are kept for ever.
    #[schemars(range(min = 1, max = 3660))]
    pub hour_days: u32,
    /// Days for which the ids of counted events are kept. A replay counts nothing twice as long as this is longer than the host keeps
    /// events (`events.retention` and `events.backlog_retention`).
    #[schemars(range(min = 1, max = 366))]
    pub event_id_days: u32,
    /// Names of metrics that a tenant may have.
    #[schemars(range(min = 20, max = 100_000))]
    pub max_metrics: u32,
    /// Whether anybody may record page views, not only callers who are known. They are those of tenant `default`.
    pub public_views: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            minute_days: 8,
            hour_days: 400,
            event_id_days: 35,
            max_metrics: 500,
            public_views: false,
        }
    }
}

impl Config {
    pub(crate) fn retention(&self) -> Retention {
        Retention {
            minutes: self.minute_days,
            hours: self.hour_days,
        }
    }

    /// The first day, counted from 1970, whose ids of events are kept.
    pub(crate) fn first_day_of_ids(&self, now: i64) -> i64 {
        now.div_euclid(DAY) - i64::from(self.event_id_days)
    }
}

//! The section `[modules.audit]` of the host's configuration.

use schemars::JsonSchema;
use serde::Deserialize;

/// What operators may set.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How often what was recorded is sealed, in milliseconds.
    #[schemars(range(min = 10, max = 1000))]
    pub seal_every_ms: u32,
    /// A checkpoint is signed after that many entries.
    #[schemars(range(min = 1))]
    pub checkpoint_entries: u32,
    /// A checkpoint is signed after that many seconds, when there is something new.
    #[schemars(range(min = 1))]
    pub checkpoint_seconds: u32,
    /// Entries are removed when they are older; 0: never.
    pub retention_days: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seal_every_ms: 250,
            checkpoint_entries: 1000,
            checkpoint_seconds: 60,
            retention_days: 0,
        }
    }
}

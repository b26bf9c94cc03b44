//! What an operator can set.

use schemars::JsonSchema;
use serde::Deserialize;

/// The section `[modules.greeter]` of the host's configuration.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What stands before the name.
    #[schemars(length(min = 1, max = 100))]
    pub greeting: String,
    /// The highest number that one request may count to.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub count_limit: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            greeting: "Hello".to_owned(),
            count_limit: 100_000,
        }
    }
}

//! What an operator can set.

use schemars::JsonSchema;
use serde::Deserialize;

/// The section `[modules.gamut]` of the host's configuration.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A word that the tour of the configuration gives back.
    pub word: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { word: "none".to_owned() }
    }
}

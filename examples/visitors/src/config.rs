//! The section `[modules.visitors]` of the host's configuration.

use schemars::JsonSchema;
use serde::Deserialize;

/// What operators may set.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Who gets the digest.
    pub owner: String,
    /// Largest picture, in bytes.
    pub max_picture_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            owner: "owner@example.org".to_owned(),
            max_picture_bytes: 16 << 20,
        }
    }
}

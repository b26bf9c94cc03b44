//! What goes wrong in the life of the module.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::fault::Fault;

/// The section `[modules.lab]` of the host's configuration.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A word that `/word` answers, to tell instances apart.
    pub word: String,
    /// Must never be seen in any log or message.
    #[schemars(length(min = 8))]
    pub secret: String,
    /// In the part of creation that is not async.
    pub create: Fault,
    /// In `init`.
    pub init: Fault,
    /// In `start`.
    pub start: Fault,
    /// In `stop`.
    pub stop: Fault,
    /// In `health`.
    pub health: Fault,
    /// In the drop of the module.
    pub drop: Fault,
    /// Whether `init` uses a core service that `wharf.toml` does not list.
    pub undeclared: bool,
    /// How long `spin` takes.
    pub spin_ms: u64,
}

impl Config {
    pub(crate) fn spin(&self) -> Duration {
        Duration::from_millis(self.spin_ms)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            word: "first".to_owned(),
            secret: "not-a-secret".to_owned(),
            create: Fault::None,
            init: Fault::None,
            start: Fault::None,
            stop: Fault::None,
            health: Fault::None,
            drop: Fault::None,
            undeclared: false,
            spin_ms: 15_000,
        }
    }
}

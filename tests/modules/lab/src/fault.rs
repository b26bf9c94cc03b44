//! Ways for a step of the module's life to go wrong.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use wharf_sdk::Error;

/// What happens in a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Fault {
    /// Nothing bad.
    #[default]
    None,
    /// It returns an error.
    Fail,
    /// It panics.
    Panic,
    /// It never ends, and lets others run.
    Hang,
    /// It keeps its thread busy for a while.
    Spin,
}

impl Fault {
    /// Lets it happen in the step of that name.
    pub(crate) async fn happen(self, step: &str, spin: Duration) -> Result<(), Error> {
        match self {
            Self::None => {}
            Self::Fail => return Err(format!("{step} fails as configured").into()),
            Self::Panic => panic!("{step} panics as configured"),
            Self::Hang => std::future::pending().await,
            Self::Spin => crate::spin(spin),
        }
        Ok(())
    }
}

//! A module that requires the module `lab` and does nothing with it: for the order of start and stop.

use wharf_sdk::{Context, Error, Module, NoConfig, Routes, export_module, get};

export_module!(NeedsLab);

/// The module.
pub struct NeedsLab;

impl Module for NeedsLab {
    type Config = NoConfig;

    async fn init(_: Context, _: NoConfig) -> Result<Self, Error> {
        Ok(Self)
    }

    fn routes() -> Routes<Self> {
        Routes::new().route("/here", get(async || "here\n")).public()
    }
}

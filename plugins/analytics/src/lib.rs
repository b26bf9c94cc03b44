//! Counts what happens elsewhere, by minute, hour and day.

use wharf_sdk::{Context, Error, Module, NoConfig, export_module};

export_module!(Analytics);

/// The module.
#[derive(Clone, Debug)]
pub struct Analytics;

impl Module for Analytics {
    type Config = NoConfig;

    async fn init(_: Context, _: NoConfig) -> Result<Self, Error> {
        Ok(Self)
    }
}

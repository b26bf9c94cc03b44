//! Two modules in one crate.
use wharf_sdk::{Context, Error, Module, NoConfig, export_module};

export_module!(Hello);
export_module!(Hello);

pub struct Hello;

impl Module for Hello {
    type Config = NoConfig;

    async fn init(_: Context, _: NoConfig) -> Result<Self, Error> {
        Ok(Self)
    }
}

fn main() {}

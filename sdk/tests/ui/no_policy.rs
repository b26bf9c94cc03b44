//! A route without a policy.
use wharf_sdk::{Context, Error, Module, NoConfig, Routes, get};

pub struct Hello;

impl Module for Hello {
    type Config = NoConfig;

    async fn init(_: Context, _: NoConfig) -> Result<Self, Error> {
        Ok(Self)
    }

    fn routes() -> Routes<Self> {
        Routes::new().route("/", get(async || "hello"))
    }
}

fn main() {}

//! A config type without a schema.
use wharf_sdk::{Context, Error, Module};

pub struct Hello;

#[derive(serde::Deserialize)]
pub struct Config {
    pub greeting: String,
}

impl Module for Hello {
    type Config = Config;

    async fn init(_: Context, _: Config) -> Result<Self, Error> {
        Ok(Self)
    }
}

fn main() {}

//! A handler whose argument cannot be taken from a request.
use wharf_sdk::{Context, Error, Module, NoConfig, Routes, get};

pub struct Hello;

async fn hello(name: String, times: u32) -> String {
    name.repeat(times as usize)
}

impl Module for Hello {
    type Config = NoConfig;

    async fn init(_: Context, _: NoConfig) -> Result<Self, Error> {
        Ok(Self)
    }

    fn routes() -> Routes<Self> {
        Routes::new().route("/", get(hello)).public()
    }
}

fn main() {}

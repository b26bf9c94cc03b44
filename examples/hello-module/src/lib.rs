//! The smallest useful Wharf module: a typed config, a route with a parameter, and an error.
use std::sync::Arc;

use axum::extract::{Path, State};
use wharf_sdk::{Context, Error, Module, Problem, Result, Routes, export_module, get};

export_module!(Hello);

/// The section `[modules.hello]` of the host's configuration.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    #[serde(default = "default_greeting")]
    greeting: String,
}

fn default_greeting() -> String {
    "Hello".to_owned()
}

impl Module for Hello {
    type Config = Self;

    async fn init(_: Context, config: Self) -> Result<Self, Error> {
        Ok(config)
    }

    fn routes() -> Routes<Self> {
        Routes::new().route("/{name}", get(hello)).public()
    }
}

async fn hello(State(hello): State<Arc<Hello>>, Path(name): Path<String>) -> Result<String> {
    match name.as_str() {
        "nobody" => Err(Problem::not_found("there is nobody to greet")),
        name => Ok(format!("{}, {name}!\n", hello.greeting)),
    }
}

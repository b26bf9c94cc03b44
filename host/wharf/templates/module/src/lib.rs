//! What this module is, in a sentence.
use std::sync::Arc;

use axum::extract::{Path, State};
use wharf_sdk::{Context, Error, Module, Problem, Result, Routes, export_module, get};

export_module!(__TYPE__);

/// The section `[modules.__NAME__]` of the host's configuration.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct __TYPE__ {
    #[serde(default = "default_greeting")]
    greeting: String,
}

fn default_greeting() -> String {
    "Hello".to_owned()
}

impl Module for __TYPE__ {
    type Config = Self;

    async fn init(_: Context, config: Self) -> Result<Self, Error> {
        Ok(config)
    }

    fn routes() -> Routes<Self> {
        Routes::new().route("/{name}", get(greet)).public()
    }
}

async fn greet(State(module): State<Arc<__TYPE__>>, Path(name): Path<String>) -> Result<String> {
    match name.as_str() {
        "nobody" => Err(Problem::not_found("there is nobody to greet")),
        name => Ok(format!("{}, {name}!\n", module.greeting)),
    }
}

//! Greets people: a module with a config, HTTP routes, server-sent events, and all four kinds of gRPC method.
//!
//! What it does is in [`Greeter`]; the files `http` and `grpc` only translate. `export_module!` makes it both a
//! library to load and a module to link in.

mod config;
mod greeter;
mod grpc;
mod http;
mod paced;

use std::sync::Arc;

use wharf_sdk::{Context, Error, Grpc, Module, Routes, export_module};

pub use config::Config;
pub use greeter::{Greeter, Refusal};

/// The module's gRPC API, generated from `proto/greeter/v1/greeter.proto`.
pub mod v1 {
    #![allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::allow_attributes_without_reason,
        reason = "generated code"
    )]

    include!("gen/greeter.v1.rs");
}

export_module!(Greeter);

impl Module for Greeter {
    type Config = Config;

    async fn init(_: Context, config: Config) -> Result<Self, Error> {
        Ok(Self::new(config))
    }

    fn routes() -> Routes<Self> {
        http::routes()
    }

    fn grpc(self: &Arc<Self>) -> Grpc {
        Grpc::new().serve(v1::greeter_server::GreeterServer::from_arc(Arc::clone(self)))
    }
}

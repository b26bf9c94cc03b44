//! What an author of a Wharf module imports: ordinary axum, tonic and tracing, and a handle on the host.
//!
//! A module is a type that implements [`Module`], a `wharf.toml` beside `Cargo.toml`, and one line:
//! `export_module!(Hello);`. There is no ABI type, no runtime to start and no `unsafe` in it; all of that is in
//! `bridge`. `examples/hello-module` is the smallest one, `docs/module-author/` the guide.
//!
//! In reading order: [`Module`] and [`Context`] (the life of a module), [`Routes`] and [`Grpc`] (what it serves),
//! [`Problem`] (how it fails), [`extract`] (what handlers take), then the core services.

mod module;

mod context;

pub mod audit;
mod call;
pub mod events;
pub mod extract;
mod grpc;
#[cfg(feature = "database")]
mod idempotency;
pub mod jobs;
mod migrations;
mod openapi;
mod principal;
mod problem;
mod routes;
mod tenant;

pub mod services;
pub mod testing;

#[doc(hidden)]
pub mod bridge;

pub use axum;
pub use http;
#[cfg(feature = "database")]
pub use sea_orm;
pub use tonic;
pub use tracing;

pub use call::Call;
pub use context::{Context, Own};
pub use events::{Event, EventContext, Handlers, Subscription};
pub use grpc::Grpc;
#[cfg(feature = "database")]
pub use idempotency::Tx;
pub use jobs::{JobContext, Jobs, Payload};
#[cfg(feature = "database")]
pub use migrations::SchemaStatement;
pub use migrations::{Migration, Migrations};
pub use module::{Error, Health, Module, NoConfig, StaticModule};
pub use openapi::OpenApi;
pub use principal::{Principal, PrincipalKind};
pub use problem::Problem;
pub use routes::{Methods, Routes, any, delete, get, patch, post, put};
pub use services::authz::{Resource, Scope};
pub use services::mail::MailTemplates;
#[cfg(feature = "database")]
pub use tenant::Tenanted;
pub use tenant::{DEFAULT_TENANT, Tenant};
/// What core services say when they do not do what they were asked, with a code to tell the reasons apart.
pub use wharf_plugin_api::{Fault, FaultCode};
pub use wharf_sdk_macros::export_module;

/// What handlers return: an answer, or a [`Problem`].
pub type Result<T, E = Problem> = std::result::Result<T, E>;

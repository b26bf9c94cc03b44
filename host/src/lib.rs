//! The Wharf host as a library: it loads modules, gives them core services and serves what they offer.
//!
//! The binary `wharf`, the `TestHost` of `wharf-testing` and programs that embed the host all build a
//! host from the parts in here. Modules in reading order:

pub mod config;
pub mod domain;
pub mod ports;

pub mod infra;
pub mod modules;
pub mod services;

pub mod grpc;
pub mod http;
pub mod security;

pub mod admin;
pub mod telemetry;

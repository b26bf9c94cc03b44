//! The Wharf host as a library: it loads modules, gives them core services and serves what they offer.
//!
//! The binary `wharf`, the `TestHost` of `wharf-testing` and programs that embed the host all build a
//! host from the parts in here. Modules in reading order:

pub mod config;
pub mod domain;
pub mod ports;

pub mod blobs;
pub mod mail;

pub mod infra;
pub mod modules;
pub mod services;

pub mod grpc;
pub mod http;
pub mod security;

pub mod admin;
pub mod telemetry;

pub mod failpoint;

pub mod events;
pub mod jobs;
pub mod queue;

pub mod host;

/// The ABI this host speaks.
pub const HOST_ABI: wharf_manifest::Abi = wharf_manifest::Abi {
    major: wharf_plugin_api::ABI.major as u32,
    minor: wharf_plugin_api::ABI.minor as u32,
    draft: wharf_plugin_api::ABI_DRAFT,
};

/// A module that is linked into the program: `root()` of its crate, turned into this.
pub use wharf_plugin_api::root::Root_Ref as Root;

//! Between the author's code and the ABI: the only part of the SDK with ABI types and `unsafe`.
//!
//! [`mod@create`] makes an instance; [`core`] is what it has of the host; [`scope`] is who is running on this thread, set in
//! every entry point; [`serve`] takes requests; [`image`] and [`forward`] are about the one tracing dispatcher and panic
//! hook that each shared library has.

pub(crate) mod core;
pub(crate) mod scope;

mod create;
#[cfg(feature = "database")]
mod database;
mod forward;
mod image;
mod serve;

pub use create::{RuntimeKind, Setup, create, make_root};

pub use wharf_plugin_api::abi_stable::library::{LibHeader, RootModuleResult};
pub use wharf_plugin_api::abi_stable::std_types::RSlice;
pub use wharf_plugin_api::future::FfiFuture;
pub use wharf_plugin_api::host::HostRef;
pub use wharf_plugin_api::module::ModuleRef;
pub use wharf_plugin_api::root::{Linkage, Root_Ref as RootRef, header, root_result};

//! The stable ABI between the Wharf host and its modules, and nothing else.
//!
//! Who may use it: `wharf-bridge`, the SDK's bridge and the host's `modules` and `services`. An author of a module
//! never names anything in here. The rules by which it may grow are in `docs/ABI.md`; in short: the root is
//! frozen, everything else is found by name and major version, and a layout is compared when it is asked for.
//!
//! Reading order: [`root`] (how an image is entered), [`host`] and [`module`] (the two sides), [`services`] (what
//! the host gives), [`exports`] (what a module gives), then the parts they are made of.
//!
//! ```
//! use wharf_plugin_api::{AbiVersion, ABI};
//! assert_eq!(ABI, AbiVersion { major: 1, minor: 0 });
//! ```
#![allow(
    non_local_definitions,
    non_camel_case_types,
    reason = "both come from abi_stable's `sabi_trait` and prefix types: `Log_TO`, `Root_Ref`"
)]

pub mod root;

pub mod host;
pub mod module;

pub mod exports;
pub mod services;

pub mod bytes;
pub mod fault;
pub mod future;
pub mod guard;
pub mod http;
pub mod layout;
pub mod object;
pub mod sql;
pub mod waker;

pub use abi_stable;
pub use fault::{Fault, FaultCode};
pub use guard::{guard, guard_drop};
pub use root::{ABI, ABI_DRAFT, AbiVersion};

//! wharf.toml: types, parsing, validation and the embedded section; no I/O.
//!
//! The SDK's macro uses this crate while a module is compiled, the host uses it before a line of the module
//! runs, and both judge a manifest by the same rules:
//!
//! ```
//! use wharf_manifest::{Abi, BuildInfo, Panic, decode_section, encode_section, parse_toml};
//!
//! let source = parse_toml("id = \"greeter\"\nversion = \"1.2.0\"\ndescription = \"Greets people\"\n").expect("a sound wharf.toml");
//! let build = BuildInfo {
//!     abi: Abi { major: 1, minor: 0, draft: false },
//!     sdk: "0.1.0".into(),
//!     rustc: "1.95.0".into(),
//!     target: "x86_64-unknown-linux-gnu".into(),
//!     panic: Panic::Unwind,
//! };
//! let manifest = source.embed(None, build);
//! let section = encode_section(&manifest, &[]).expect("small enough");
//! let (read, descriptors) = decode_section(&section).expect("what was written");
//! assert_eq!(read, manifest);
//! assert!(descriptors.is_empty());
//! assert_eq!(read.root_symbol(), "wharf_root_v1_greeter");
//! ```

mod abi;
mod check;
mod document;
mod grammar;
mod model;
mod problem;
mod schedule;
mod section;
mod source;
mod text;

pub use abi::{Abi, AbiMismatch};
pub use grammar::{is_module_id, is_secret_name, root_symbol};
pub use model::{
    Cache, Events, Grpc, Http, Job, Manifest, Missed, ModuleRequirement, Overlap, Panic, Permission, Runtime, Secrets, parse_time,
};
pub use problem::{PROBLEM_KINDS, Position, Problem, ProblemKind};
pub use section::{
    FORMAT, MAX_DESCRIPTORS, MAX_JSON, SECTION_ELF, SECTION_MACHO, SEGMENT_MACHO, SectionError, decode_section, encode_section,
};
pub use source::{BuildInfo, Source, SourceConfig, SourceGrpc, SourceHttp, parse_toml};
pub use text::{is_printable, printable};

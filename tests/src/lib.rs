//! Support for the end-to-end tests in `tests/`: the real libraries, the real binary, and processes that
//! end with the test that started them.
//!
//! ```no_run
//! use wharf_tests::{ServerOptions, TestServer};
//!
//! let server = TestServer::start(ServerOptions { modules: &["greeter"], ..ServerOptions::default() });
//! assert_eq!(server.get("/greeter/hello/Ada").status, 200);
//! ```
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "test support: what fails here fails the test that called it, with the reason"
)]

pub mod analytics;
mod artifacts;
pub mod backends;
pub mod billing;
pub mod blobs;
pub mod blog;
mod client;
pub mod disk;
pub mod gamut;
pub mod people;
mod process;
mod server;
pub mod shared;
mod trace;
pub mod visitors;
mod workspace;

pub use artifacts::{install, libraries, library, wharf_binary};
pub use client::{Answer, open, send, send_unix_with};
pub use process::{Process, until};
pub use server::{Ran, ServerOptions, TestServer, without_test_variables};
pub use trace::mapped_executable;
pub use workspace::{metadata, root, scratch};

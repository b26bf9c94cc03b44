//! A TestHost: the Wharf host library with in-memory ports and no sockets, for tests of modules.
//!
//! Who may use it: tests of modules (as a dev-dependency), of the SDK and of the host. The module under test runs behind the
//! same objects and the same calls as in `wharf serve`: its manifest is read, its config is checked against its type, only
//! what it declares is reachable, and requests take the way through the route table and the policies.
//!
//! ```no_run
//! use wharf_testing::TestHost;
//! # fn root() -> wharf_testing::Root { unimplemented!() }
//! # async fn test() {
//! // In a module's own tests the argument is `my_module::root()`.
//! let host = TestHost::builder().module(root()).config("hello", serde_json::json!({ "greeting": "Ahoy" })).start().await;
//! assert_eq!(host.get("/hello/Ada").await.text(), "Ahoy, Ada!\n");
//! # }
//! ```
//!
//! It runs on whatever tokio runtime the test has: `#[tokio::test]` is enough. A module that blocks its thread needs
//! `#[tokio::test(flavor = "multi_thread", worker_threads = 4)]`, as then only that thread waits. Reading order:
//! [`TestHost`], [`Builder`], [`Caller`], [`Answer`], [`Channel`].

mod answer;
mod builder;
mod caller;
mod calls;
mod channel;
mod events;
mod host;
mod log;
mod rules;

pub use answer::Answer;
pub use builder::{Builder, StartError};
pub use caller::Caller;
pub use channel::Channel;
pub use events::{DeadLetter, Events, PublishedEvent};
pub use host::TestHost;
pub use wharf_host::Root;
pub use wharf_host::domain::status::{ModuleStatus, State};
pub use wharf_host::grpc::connect::CallFailed;
pub use wharf_host::http::body::Body;
pub use wharf_host::ports::mail::Mail;
pub use wharf_host::telemetry::{Captured, CapturedEvent};

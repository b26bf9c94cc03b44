//! Events: what a module publishes, and what it does with those it takes.

mod context;
mod handlers;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use context::{EventContext, Meta};
pub(crate) use handlers::EventsObject;
pub use handlers::{EventHandler, Handlers, Subscription};

/// A type of event. Its subject carries its major version: a change that older handlers cannot read is a new type with a new
/// subject, and both can be published and handled side by side.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # use schemars::JsonSchema;
/// #[derive(Serialize, Deserialize, JsonSchema)]
/// struct PostPublished {
///     post: u64,
///     title: String,
/// }
///
/// impl wharf_sdk::Event for PostPublished {
///     const TYPE: &'static str = "blog.post.published.v1";
///
///     fn key(&self) -> Option<String> {
///         Some(self.post.to_string())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is used as an event and has no subject",
    label = "needs `impl wharf_sdk::Event for {Self}`",
    note = "one line: `impl wharf_sdk::Event for {Self} {{ const TYPE: &'static str = \"blog.post.published.v1\"; }}`"
)]
pub trait Event: Serialize + DeserializeOwned + JsonSchema + Send + 'static {
    /// Subject: the module's id, what happened, and the major version. Listed in `wharf.toml` under `[events]`.
    const TYPE: &'static str;

    /// Events of one key are handled in the order in which they were published; without one in any order.
    fn key(&self) -> Option<String> {
        None
    }
}

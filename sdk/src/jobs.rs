//! Jobs: what a module does when it is time, or when it is asked to.

mod context;
mod handlers;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use context::JobContext;
pub(crate) use handlers::JobsObject;
pub use handlers::{JobHandler, Jobs, PayloadHandler};

/// What a job is given. It may wait for days, through several versions of the module: [`Payload::VERSION`] grows when older
/// texts cannot be read any more, and [`Payload::upgrade`] reads them all the same.
pub trait Payload: Serialize + DeserializeOwned + JsonSchema + Send + 'static {
    /// Grows when the type changes in a way that older texts do not fit.
    const VERSION: u32 = 1;

    /// Reads a payload of another version. The run is not tried again when there is no way.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn upgrade(version: u32, payload: Value) -> Result<Self, crate::Error> {
        drop(payload);
        Err(format!(
            "found a payload of version {version}, expected {}; Payload::upgrade can read older ones",
            Self::VERSION
        )
        .into())
    }
}

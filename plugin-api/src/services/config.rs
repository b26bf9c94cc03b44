//! `config`: the module's own section, already checked against the schema in its manifest.

use abi_stable::sabi_trait;
use abi_stable::std_types::{RArc, RString};

/// The service.
#[sabi_trait]
pub trait Config: Send + Sync + Clone + 'static {
    /// The section as a JSON object; `{}` when there is none. It does not change during the life of an instance: a changed
    /// section makes a new instance.
    #[sabi(last_prefix_field)]
    fn section(&self) -> RString;
}

/// The service object.
pub type ConfigRef = Config_TO<RArc<()>>;

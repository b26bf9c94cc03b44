//! `secrets`: values that only the module whose manifest names them may read.

use abi_stable::sabi_trait;
use abi_stable::std_types::{RArc, RStr, RVec};

use crate::future::FfiFuture;

/// The service.
#[sabi_trait]
pub trait Secrets: Send + Sync + Clone + 'static {
    /// The value as it is now. The receiver owns the bytes and overwrites them when it is done. `UNDECLARED` when the
    /// manifest does not name it, `NOT_FOUND` when nobody has set it, `UNAVAILABLE` when it cannot be read now.
    #[sabi(last_prefix_field)]
    fn get(&self, name: RStr<'_>) -> FfiFuture<RVec<u8>>;
}

/// The service object.
pub type SecretsRef = Secrets_TO<RArc<()>>;

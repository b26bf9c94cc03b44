//! `channel`: clients of other modules. The call has the shapes of the export `http`, in the other direction.

use abi_stable::StableAbi;
use abi_stable::sabi_trait;
use abi_stable::std_types::{RArc, RResult, RStr};

use crate::fault::Fault;
use crate::http::FfiService;

/// In whose name a call is made. Unknown values are refused.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behalf(pub u8);

impl Behalf {
    /// Whoever called the module.
    pub const CALLER: Self = Self(0);
    /// The module itself.
    pub const OWN: Self = Self(1);
}

/// The service.
#[sabi_trait]
pub trait Channel: Send + Sync + Clone + 'static {
    /// A service that takes gRPC requests for the module `module` (lane 1). `UNDECLARED` when the manifest does not list
    /// it. A module that is not running answers each call with gRPC status UNAVAILABLE.
    #[sabi(last_prefix_field)]
    fn open(&self, module: RStr<'_>, behalf: Behalf) -> RResult<FfiService, Fault>;
}

/// The service object.
pub type ChannelRef = Channel_TO<RArc<()>>;

//! The host as a module sees it: a thing that gives services.

use abi_stable::StableAbi;
use abi_stable::sabi_trait;
use abi_stable::std_types::{RArc, RResult, RStr, RString};

use crate::fault::Fault;
use crate::object::{Interface, Room, receive};

/// Who an instance is. Owned by the receiver.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Identity {
    /// Module id.
    pub module: RString,
    /// Version of the module, as in its manifest.
    pub version: RString,
    /// Which loaded build, counted from 1 over the whole process.
    pub generation: u64,
    /// Which instance, counted from 1 over the whole process.
    pub instance: u64,
    /// Name of the node.
    pub node: RString,
    /// Version of the host, for logs only.
    pub host_version: RString,
}

/// What the host gives an instance. Frozen in ABI 1. Any thread may call any method, at any time of the instance's
/// life; after the instance was retired every service answers with [`FaultCode::STOPPED`](crate::FaultCode::STOPPED).
#[sabi_trait]
pub trait HostApi: Send + Sync + Clone + 'static {
    /// Who the caller is.
    fn identity(&self) -> Identity;

    /// Puts the core service `name` of major version `major` into the room. Use [`import`].
    ///
    /// Errors: `UNDECLARED` when the manifest does not list it, `UNSUPPORTED` when the host has none of that major,
    /// `LAYOUT` when it was built from something else, `STOPPED` after the end. Nothing is written on error.
    #[sabi(last_prefix_field)]
    fn service(&self, name: RStr<'_>, major: u16, room: Room<'_>) -> RResult<(), Fault>;
}

/// A shared handle on the host, one for each instance.
pub type HostRef = HostApi_TO<RArc<()>>;

/// Imports a core service.
///
/// # Errors
/// See [`HostApi::service`].
pub fn import<S: Interface>(host: &HostRef) -> Result<S, Fault> {
    receive::<S>(|room| host.service(RStr::from_str(S::NAME), S::MAJOR, room).into_result())
}

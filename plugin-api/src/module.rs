//! A module instance as the host sees it.

use abi_stable::StableAbi;
use abi_stable::sabi_trait;
use abi_stable::std_types::{RBox, RResult, RStr, RString};

use crate::fault::Fault;
use crate::future::FfiFuture;
use crate::object::{AnyObject, Interface};

/// How a module says it is. May grow: an unknown value reads as [`HealthState::UNKNOWN`].
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthState(pub u8);

impl HealthState {
    /// It has not said.
    pub const UNKNOWN: Self = Self(0);
    /// It serves.
    pub const SERVING: Self = Self(1);
    /// It serves, and something is wrong.
    pub const DEGRADED: Self = Self(2);
    /// It does not serve.
    pub const NOT_SERVING: Self = Self(3);
}

/// An answer to "how are you". Owned by the receiver.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Health {
    /// The answer.
    pub state: HealthState,
    /// A sentence for operators; may be empty.
    pub detail: RString,
}

/// One instance of a module. Frozen in ABI 1. The host may call any method on any thread; dropping the object ends the
/// instance, and its drop is guarded by the module.
#[sabi_trait]
pub trait ModuleApi: Send + Sync + 'static {
    /// Begins work: the instance is reachable once this is `Ok`. Called once.
    fn start(&self) -> FfiFuture<()>;

    /// Ends work. Called once, also after a `start` that failed half-way. Requests in flight have ended or were cut.
    fn stop(&self) -> FfiFuture<()>;

    /// How it is. Called every few seconds and after `start`.
    fn health(&self) -> FfiFuture<Health>;

    /// An export by name and major. `UNSUPPORTED` when the module has none.
    #[sabi(last_prefix_field)]
    fn export(&self, name: RStr<'_>, major: u16) -> RResult<AnyObject, Fault>;
}

/// An instance, owned by the host.
pub type ModuleRef = ModuleApi_TO<RBox<()>>;

/// Asks an instance for an export; `None` when it has none of that name and major.
///
/// # Errors
/// `LAYOUT`, or whatever fault the module has.
pub fn export<E: Interface>(module: &ModuleRef) -> Result<Option<E>, Fault> {
    match module.export(RStr::from_str(E::NAME), E::MAJOR).into_result() {
        Ok(object) => object.open::<E>().map(Some),
        Err(fault) if fault.code == crate::FaultCode::UNSUPPORTED => Ok(None),
        Err(fault) => Err(fault),
    }
}

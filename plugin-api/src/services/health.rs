//! `health`: named checks of a module, beside its answer to `ModuleApi::health`.

use abi_stable::sabi_trait;
use abi_stable::std_types::{RArc, RStr};

use crate::module::HealthState;

/// The service.
#[sabi_trait]
pub trait HealthChecks: Send + Sync + Clone + 'static {
    /// Sets the state of the check `name`. The worst check is the module's state; gRPC health and readiness follow.
    #[sabi(last_prefix_field)]
    fn set(&self, name: RStr<'_>, state: HealthState, detail: RStr<'_>);
}

/// The service object.
pub type HealthRef = HealthChecks_TO<RArc<()>>;

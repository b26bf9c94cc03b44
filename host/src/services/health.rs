//! `health`: named checks, kept with the instance's standing.

use std::sync::Arc;

use wharf_plugin_api::abi_stable::sabi_trait::TD_Opaque;
use wharf_plugin_api::abi_stable::std_types::{RArc, RStr};
use wharf_plugin_api::guard_drop;
use wharf_plugin_api::module::HealthState;
use wharf_plugin_api::services::health::{HealthChecks, HealthChecks_TO, HealthRef};

use super::Inner;

#[derive(Clone)]
struct Checks(Arc<Inner>);

pub(super) fn object(inner: &Arc<Inner>) -> HealthRef {
    HealthChecks_TO::from_ptr(RArc::new(Checks(inner.clone())), TD_Opaque)
}

impl HealthChecks for Checks {
    fn set(&self, name: RStr<'_>, state: HealthState, detail: RStr<'_>) {
        guard_drop(|| {
            if !self.0.standing.is_retired() {
                self.0.standing.set_check(&name, state, &detail);
            }
        });
    }
}

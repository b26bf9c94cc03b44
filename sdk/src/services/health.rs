//! Named checks.

use wharf_plugin_api::services::health::HealthRef;

use crate::module::Health;

/// Named checks of a module: the worst of them, and of what [`Module::health`](crate::Module::health) says, is its state.
#[derive(Clone)]
pub struct HealthChecks(HealthRef);

impl HealthChecks {
    pub(crate) fn new(service: HealthRef) -> Self {
        Self(service)
    }

    /// Sets one check.
    pub fn set(&self, name: &str, health: Health) {
        self.0.set(name.into(), health.state, health.detail.as_str().into());
    }
}

impl std::fmt::Debug for HealthChecks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HealthChecks")
    }
}

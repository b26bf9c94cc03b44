//! How callers are checked.

use std::sync::Arc;

use wharf_host::config::Config;
use wharf_host::ports::clock::SystemClock;
use wharf_host::security::{Security, SecuritySettings};

/// Goes by the core modules, as far as they run.
pub(super) fn open(config: &Config) -> Security {
    let settings = SecuritySettings {
        max_staleness: config.security.max_staleness.get(),
        leeway: config.security.leeway.get(),
    };
    Security::guarded(settings, Arc::new(SystemClock))
}

//! The configuration in force, read again on SIGHUP.

use std::sync::{Arc, Mutex, PoisonError};

use wharf_host::config::{Changes, Config, LoadOptions, Setting};
use wharf_host::host::Host;
use wharf_host::telemetry::{Directives, LogControl};

/// The configuration in force.
#[derive(Debug)]
pub(super) struct Settings {
    current: Mutex<Arc<Config>>,
    load: LoadOptions,
    log: LogControl,
}

impl Settings {
    pub(super) fn new(config: Config, load: LoadOptions, log: LogControl) -> Self {
        Self {
            current: Mutex::new(Arc::new(config)),
            load,
            log,
        }
    }

    /// For the admin API.
    pub(super) fn explainer(self: &Arc<Self>) -> Arc<dyn Fn() -> Vec<Setting> + Send + Sync> {
        let settings = Arc::clone(self);
        Arc::new(move || settings.current().explain())
    }

    /// Reads everything again and hands it to the host. A configuration with a mistake, and one that the host does not
    /// take, changes nothing and is logged.
    pub(super) fn reread(&self, host: &Host) -> Option<Changes> {
        let newer = match Config::load(&self.load) {
            Ok(newer) => newer,
            Err(error) => {
                tracing::error!(error = %error, hint = error.hint(), "configuration has mistakes; the old one stays in force");
                return None;
            }
        };
        if let Err(error) = Directives::parse(&newer.log.level) {
            tracing::error!(error = %error, "log.level has a mistake; the old configuration stays in force");
            return None;
        }
        if let Err(error) = host.reconfigure(&newer) {
            tracing::error!(error = %error, hint = error.hint, "the configuration was not taken; the old one stays in force");
            return None;
        }
        let old = self.current();
        let changes = old.changes(&newer);
        for change in changes.host.iter().filter(|change| change.restart_needed) {
            tracing::warn!(path = change.path, "this setting changed and counts only after a restart");
        }
        if old.log.level != newer.log.level
            && let Err(error) = self.log.configure(&newer.log.level)
        {
            tracing::error!(error = %error, "log.level was not taken");
        }
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(old.taking(&newer));
        Some(changes)
    }

    fn current(&self) -> Arc<Config> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

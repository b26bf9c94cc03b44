//! The configuration in force, read again on SIGHUP.

use std::sync::{Arc, Mutex, PoisonError};

use wharf_host::config::{Changes, Config, LoadOptions, Setting};
use wharf_host::telemetry::LogControl;

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

    /// What is in force now.
    pub(super) fn current(&self) -> Arc<Config> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// For the admin API.
    pub(super) fn explainer(self: &Arc<Self>) -> Arc<dyn Fn() -> Vec<Setting> + Send + Sync> {
        let settings = Arc::clone(self);
        Arc::new(move || settings.current().explain())
    }

    /// Reads everything again. A configuration with a mistake changes nothing and is logged.
    pub(super) fn reread(&self) -> Option<Changes> {
        let newer = match Config::load(&self.load) {
            Ok(newer) => newer,
            Err(error) => {
                tracing::error!(error = %error, hint = error.hint(), "configuration has mistakes; the old one stays in force");
                return None;
            }
        };
        let old = self.current();
        let changes = old.changes(&newer);
        for change in &changes.host {
            if change.restart_needed {
                tracing::warn!(path = change.path, "this setting changed and counts only after a restart");
            }
        }
        if old.log.level != newer.log.level
            && let Err(error) = self.log.configure(&newer.log.level)
        {
            tracing::error!(error = %error, "log.level has a mistake; the configuration in force stays");
            return None;
        }
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(newer);
        Some(changes)
    }
}

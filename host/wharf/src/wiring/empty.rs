//! A host without modules: what the admin API answers until there is a supervisor.

use jiff::Timestamp;
use wharf_host::config::Config;
use wharf_host::domain::status::{HostStatus, ModuleStatus};
use wharf_host::modules::control::{Answer, Control, ControlError, Plan, RouteRow};
use wharf_host::telemetry::LogControl;

/// Knows no module and says so.
#[derive(Debug)]
pub(super) struct EmptyHost {
    node: String,
    started: Timestamp,
    log: LogControl,
}

impl EmptyHost {
    pub(super) fn new(config: &Config, log: LogControl) -> Self {
        Self {
            node: config.node.name.clone(),
            started: Timestamp::now(),
            log,
        }
    }

    fn unknown<T: Send + 'static>(id: &str) -> Answer<'static, T> {
        let error = ControlError {
            code: "module.unknown".to_owned(),
            message: format!("found no module {id:?}"),
            hint: "`wharf modules list` shows the modules there are".to_owned(),
            findings: Vec::new(),
        };
        Box::pin(async { Err(error) })
    }
}

impl Control for EmptyHost {
    fn status(&self) -> Answer<'_, HostStatus> {
        let status = HostStatus {
            node: self.node.clone(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            abi: "1.0-draft".to_owned(),
            started: self.started,
            ready: true,
            generations_loaded: 0,
            thread_keys_left: 0,
            private_bytes: 0,
            modules: Vec::new(),
        };
        Box::pin(async { Ok(status) })
    }

    fn module<'a>(&'a self, id: &'a str) -> Answer<'a, ModuleStatus> {
        Self::unknown(id)
    }

    fn plan(&self) -> Answer<'_, Plan> {
        Box::pin(async {
            Ok(Plan {
                order: Vec::new(),
                findings: Vec::new(),
            })
        })
    }

    fn enable<'a>(&'a self, id: &'a str) -> Answer<'a, ModuleStatus> {
        Self::unknown(id)
    }

    fn disable<'a>(&'a self, id: &'a str, _force: bool) -> Answer<'a, ModuleStatus> {
        Self::unknown(id)
    }

    fn reload<'a>(&'a self, id: &'a str) -> Answer<'a, ModuleStatus> {
        Self::unknown(id)
    }

    fn rescan(&self) -> Answer<'_, Plan> {
        self.plan()
    }

    fn routes(&self) -> Answer<'_, Vec<RouteRow>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn set_log<'a>(&'a self, directives: &'a str) -> Answer<'a, String> {
        let outcome = self.log.set(directives).map_err(|error| ControlError {
            code: "log.directives".to_owned(),
            message: error.to_string(),
            hint: "such as info,blog=debug; reset goes back to the configured levels".to_owned(),
            findings: Vec::new(),
        });
        Box::pin(async { outcome })
    }
}

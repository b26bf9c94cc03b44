//! What can be told with no host running: stages 1 to 5, and what databases remember. Only [`preview_migrations`] runs code of
//! modules.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wharf_plugin_api::root::Root_Ref;

use super::{Host, HostParts, settings};
use crate::config::Config;
use crate::domain::migration::{MigrationRow, rows};
use crate::domain::status::Desired;
use crate::modules::control::{ControlError, Plan, PlannedModule};
use crate::modules::inspect::InspectRules;
use crate::modules::plan::{Report, check_file, check_folder};
use crate::modules::supervisor::Preview;
use crate::modules::verify::VerifyContext;
use crate::ports::database::{Databases, DbError, On};
use crate::ports::secrets::Secrets;
use crate::ports::state::{MemoryState, StateError, StateStore};
use crate::security::Security;
use crate::services::Backends;
use crate::services::migrations::applied;
use crate::telemetry::{LineFormat, LogControl, LogSink, Metrics};

/// What a preview needs beside the configuration.
pub struct Asked<'a> {
    /// Modules that are linked into the program.
    pub linked: Vec<Root_Ref>,
    /// What operators want.
    pub desired: BTreeMap<String, Desired>,
    /// Where secrets come from: builds may want theirs when they are created.
    pub secrets: Secrets,
    /// The databases of modules, which are read.
    pub databases: &'a dyn Databases,
}

/// Stages 1 to 5 over the plugins folder of a configuration, beside what operators want. A folder that is not there yet is
/// an empty one: a host makes it.
#[must_use]
pub fn plan(config: &Config, desired: &BTreeMap<String, Desired>) -> Plan {
    let folder = config.plugins_dir();
    if !folder.exists() {
        return to_plan(Report::default());
    }
    let mut plan = to_plan(check_folder(&folder, &context(config), &[]));
    let undecided = Desired::default();
    for module in plan.order.iter_mut().filter(|module| module.action == "load") {
        let reason = match desired.get(&module.id).unwrap_or(&undecided).enabled {
            Some(true) => continue,
            Some(false) => "disabled by an operator",
            None if config.plugins.auto_enable => continue,
            None => "waits for `wharf modules enable`",
        };
        module.action = "skip".to_owned();
        module.reason = Some(reason.to_owned());
    }
    plan
}

/// Stages 1 to 4 over files, whatever lies beside them.
#[must_use]
pub fn check(config: &Config, files: &[PathBuf]) -> Plan {
    let context = context(config);
    let mut all = Plan {
        order: Vec::new(),
        findings: Vec::new(),
    };
    for file in files {
        let Plan { order, findings } = to_plan(check_file(file, &context));
        all.order.extend(order);
        all.findings.extend(findings);
    }
    all
}

/// Migrations that ran, as the databases remember them; whether builds know them is not asked.
///
/// # Errors
/// What the databases say.
pub async fn remembered(databases: &dyn Databases) -> Result<Vec<MigrationRow>, DbError> {
    let mut all = Vec::new();
    for module in databases.known().await? {
        let space = databases.space(&module).await?;
        let ran = applied(&space, On::Pool).await?;
        all.extend(rows(&module, &[], &ran, false).into_iter().map(|row| MigrationRow {
            state: "applied".to_owned(),
            ..row
        }));
    }
    Ok(all)
}

/// What the builds that would run would do to their tables. Which migrations a build has is known to its code alone, so each is
/// created, with every core service in memory, asked, and dropped; none is started.
///
/// # Errors
/// `internal` when the databases do not answer. What is wrong with modules is among the findings.
pub async fn preview_migrations(config: &Config, asked: Asked<'_>) -> Result<Preview, ControlError> {
    let state = MemoryState::new();
    for (module, desired) in &asked.desired {
        let noted: Result<(), StateError> = state.set_desired(module, desired).await;
        noted.map_err(|error| internal(&error))?;
    }
    let host = Host::new(HostParts {
        config: config.clone(),
        log: LogControl::new("off").map_err(|error| internal(&error))?,
        sink: LogSink::writer(LineFormat::Json, Box::new(std::io::sink())),
        metrics: Metrics::new().map_err(|error| internal(&error))?,
        state: Arc::new(state),
        linked: asked.linked,
        error_sinks: Vec::new(),
        span_sinks: Vec::new(),
        backends: Backends {
            secrets: asked.secrets,
            ..Backends::in_memory()
        },
        transport: None,
        security: Security::public_only(),
    });
    let host = host.map_err(|error| internal(&error))?;
    host.preview_migrations(asked.databases).await
}

fn internal(error: &dyn std::error::Error) -> ControlError {
    ControlError {
        code: "internal".to_owned(),
        message: error.to_string(),
        hint: "run this as the host's user, or name the configuration with --config".to_owned(),
        findings: Vec::new(),
    }
}

/// How libraries are inspected under a configuration.
#[must_use]
pub fn inspect_rules(config: &Config) -> InspectRules {
    context(config).inspect
}

fn context(config: &Config) -> VerifyContext {
    let settings = settings::from_config(config, 1);
    let trust = Arc::new(settings.trust.clone());
    settings.verify_context(trust)
}

fn to_plan(report: Report) -> Plan {
    let name = |file: &Path| file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut order: Vec<PlannedModule> = report
        .modules
        .iter()
        .map(|module| PlannedModule {
            id: module.id.clone().unwrap_or_else(|| name(&module.file)),
            version: module.version.clone().unwrap_or_default(),
            file: Some(module.file.display().to_string()),
            hash: module.hash.clone(),
            action: if module.ok { "load" } else { "refuse" }.to_owned(),
            reason: report
                .findings
                .iter()
                .find(|f| f.is_error() && f.file.as_ref() == Some(&module.file))
                .map(|f| f.what.clone()),
            asks: module.asks.clone(),
        })
        .collect();
    let place = |id: &str| report.order.iter().position(|known| known == id).unwrap_or(usize::MAX);
    order.sort_by_key(|module| place(&module.id));
    Plan {
        order,
        findings: report.findings,
    }
}

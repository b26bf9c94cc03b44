//! Stages 1 to 5 with no host running. No module code runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::settings;
use crate::config::Config;
use crate::domain::status::Desired;
use crate::modules::control::{Plan, PlannedModule};
use crate::modules::inspect::InspectRules;
use crate::modules::plan::{Report, check_file, check_folder};
use crate::modules::verify::VerifyContext;

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

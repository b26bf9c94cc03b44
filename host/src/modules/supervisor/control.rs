//! What operators ask of the supervisor.

use std::error::Error;

use super::slot::running_among;
use super::{Scope, Supervisor};
use crate::domain::finding::Finding;
use crate::domain::status::{Desired, HostStatus, ModuleStatus, State};
use crate::modules::control::{ControlError, PinnedBuild, Plan};
use crate::modules::open;
use crate::modules::os;
use crate::modules::plan::Report;
use crate::security::sources::{DeclaredPermissions, Permission};

pub(super) fn internal(error: &(dyn Error + 'static)) -> ControlError {
    let mut message = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        message = format!("{message}: {cause}");
        next = cause.source();
    }
    ControlError {
        code: "internal".to_owned(),
        message,
        hint: "the host's log has more".to_owned(),
        findings: Vec::new(),
    }
}

fn refused(code: &str, message: String, hint: String) -> ControlError {
    ControlError {
        code: code.to_owned(),
        message,
        hint,
        findings: Vec::new(),
    }
}

impl Supervisor {
    /// What the modules that run declare, by id.
    #[must_use]
    pub fn permissions(&self) -> Vec<DeclaredPermissions> {
        let declared = |manifest: &wharf_manifest::Manifest| DeclaredPermissions {
            module: manifest.id.clone(),
            permissions: manifest
                .permissions
                .iter()
                .map(|permission| Permission {
                    name: permission.name.clone(),
                    description: permission.description.clone(),
                    installation: permission.installation,
                })
                .collect(),
        };
        self.running()
            .iter()
            .map(|(_, running)| declared(&running.instance.image.manifest))
            .collect()
    }

    /// Status of the node and of every module.
    #[must_use]
    pub fn host_status(&self) -> HostStatus {
        let slots: Vec<_> = self.slots().values().cloned().collect();
        let up = running_among(&slots);
        HostStatus {
            node: self.0.shared.node.clone(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            abi: crate::HOST_ABI.to_string(),
            started: self.0.started,
            ready: self.is_ready(),
            generations_loaded: open::generations_loaded(),
            thread_keys_left: open::thread_keys_after_load(),
            private_bytes: os::anonymous_bytes().unwrap_or(0),
            modules: slots.iter().map(|slot| slot.status(&up)).collect(),
        }
    }

    /// Status of one module.
    ///
    /// # Errors
    /// `module.unknown`
    pub fn module_status(&self, id: &str) -> Result<ModuleStatus, ControlError> {
        let slots: Vec<_> = self.slots().values().cloned().collect();
        let slot = slots.iter().find(|slot| slot.id == id).ok_or_else(|| self.unknown(id))?;
        Ok(slot.status(&running_among(&slots)))
    }

    fn unknown(&self, id: &str) -> ControlError {
        let known: Vec<String> = self.slots().keys().cloned().collect();
        refused(
            "module.unknown",
            format!("there is no module {id}"),
            if known.is_empty() {
                "the host knows no module; `wharf modules plan` tells what is in the folder".to_owned()
            } else {
                format!("known modules: {}", known.join(", "))
            },
        )
    }

    /// No module of that id, or one whose file was refused before its manifest was read.
    fn unknown_among(&self, id: &str, report: &Report) -> ControlError {
        let nameless = |finding: &&Finding| finding.is_error() && finding.module.is_none();
        let findings: Vec<Finding> = report.findings.iter().filter(nameless).cloned().collect();
        if findings.is_empty() {
            return self.unknown(id);
        }
        ControlError {
            hint: "the folder holds files that were refused before anything in them was read; it may be one of these".to_owned(),
            findings,
            ..self.unknown(id)
        }
    }

    /// Stages 1 to 5 over the folder, together with what runs: no module code runs.
    ///
    /// # Errors
    /// `internal` when the state store does not answer.
    pub async fn make_plan(&self) -> Result<Plan, ControlError> {
        self.decide(&Scope::all()).await.map(|(plan, _)| plan)
    }

    /// Marks a module as wanted and runs it.
    ///
    /// # Errors
    /// `module.unknown`, or `module.refused` with the findings.
    pub async fn enable_module(&self, id: &str) -> Result<ModuleStatus, ControlError> {
        self.want(id, true).await?;
        self.run_one(id, false, "module.refused", "cannot run").await
    }

    /// Marks a module as unwanted and ends it.
    ///
    /// # Errors
    /// `module.unknown`; `module.needed` when running modules require it and `force` is not set.
    pub async fn disable_module(&self, id: &str, force: bool) -> Result<ModuleStatus, ControlError> {
        let dependents: Vec<String> = self
            .running()
            .iter()
            .filter(|(_, running)| running.instance.image.manifest.modules.get(id).is_some_and(|needs| !needs.optional))
            .map(|(slot, _)| slot.id.clone())
            .collect();
        if !dependents.is_empty() && !force {
            return Err(refused(
                "module.needed",
                format!("{id} is needed by {}", dependents.join(", ")),
                format!(
                    "disable these first, or `wharf modules disable {id} --force`: they go on, and their calls to {id} get UNAVAILABLE"
                ),
            ));
        }
        self.want(id, false).await?;
        let _changing = self.0.changing.lock().await;
        let slot = self.slot(id);
        if slot.is_running() {
            self.take_down(&slot, State::Disabled, "disabled by an operator").await;
        } else {
            self.note(&slot, State::Disabled, "disabled by an operator");
        }
        self.module_status(id)
    }

    /// Lets only these builds be loaded from now on; what runs goes on. An empty pin lets any.
    ///
    /// # Errors
    /// `module.unknown`, or `module.pin` when version or hash are none.
    pub async fn pin_module(&self, id: &str, pin: PinnedBuild) -> Result<ModuleStatus, ControlError> {
        if let Some(version) = &pin.version
            && let Err(error) = semver::Version::parse(version)
        {
            let message = format!("found version {version:?}, which is none: {error}");
            return Err(refused("module.pin", message, "such as 1.2.0".to_owned()));
        }
        if let Some(hash) = &pin.hash
            && !(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
        {
            let message = format!("found hash {hash:?}, expected 64 hex digits");
            return Err(refused(
                "module.pin",
                message,
                "`wharf modules show ID` shows the hash of what runs".to_owned(),
            ));
        }
        self.decide_for(id, |desired| {
            desired.pinned_version = pin.version;
            desired.pinned_hash = pin.hash.map(|hash| hash.to_ascii_lowercase());
        })
        .await?;
        self.module_status(id)
    }

    /// Replaces a module by the build in the folder.
    ///
    /// # Errors
    /// `module.unknown`, `module.static`, `module.disabled`, or `reload.refused` with the findings; what ran goes on then.
    pub async fn reload_module(&self, id: &str) -> Result<ModuleStatus, ControlError> {
        let status = self.module_status(id)?;
        if self.0.linked.iter().any(|image| image.manifest.id == id) {
            return Err(refused(
                "module.static",
                format!("{id} is linked into the program"),
                "restart the host to change it".to_owned(),
            ));
        }
        if status.state == State::Disabled {
            return Err(refused(
                "module.disabled",
                format!("{id} is disabled"),
                format!("`wharf modules enable {id}`"),
            ));
        }
        self.run_one(id, true, "reload.refused", "was not replaced").await
    }

    async fn run_one(&self, id: &str, force: bool, code: &str, what: &str) -> Result<ModuleStatus, ControlError> {
        let before = self.slot(id).running();
        let plan = self.apply(Scope::one(id, force)).await?;
        let after = self.slot(id).running();
        let changed = match (&before, &after) {
            (Some(before), Some(after)) => !std::sync::Arc::ptr_eq(before, after),
            (None, Some(_)) => true,
            _ => false,
        };
        let errors: Vec<_> = plan.findings.iter().filter(|f| f.is_error()).cloned().collect();
        if changed || (!force && errors.is_empty() && after.is_some()) {
            return self.module_status(id);
        }
        let first = errors.first();
        Err(ControlError {
            code: code.to_owned(),
            message: first.map_or_else(
                || format!("{id} {what}: there is no build of it in the folder"),
                |f| format!("{id} {what}: {}", f.what),
            ),
            hint: first.map_or_else(|| "put the library into the plugins folder".to_owned(), |f| f.fix.clone()),
            findings: plan.findings,
        })
    }

    async fn want(&self, id: &str, enabled: bool) -> Result<(), ControlError> {
        self.decide_for(id, |desired| desired.enabled = Some(enabled)).await
    }

    async fn decide_for(&self, id: &str, change: impl FnOnce(&mut Desired)) -> Result<(), ControlError> {
        let known = self.slots().contains_key(id);
        if !known {
            let report = self.look().await.report;
            if !report.modules.iter().any(|module| module.id.as_deref() == Some(id)) {
                return Err(self.unknown_among(id, &report));
            }
        }
        let mut desired = self.0.state.desired(id).await.map_err(|e| internal(&e))?;
        change(&mut desired);
        self.0.state.set_desired(id, &desired).await.map_err(|e| internal(&e))?;
        self.slot(id).set_desired(desired);
        self.tell_nodes().await;
        Ok(())
    }
}

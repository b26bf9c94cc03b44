//! What would be done: stages 1 to 5, what operators want, and what runs now. Nothing is changed and no module code runs.

use std::collections::BTreeSet;
use std::path::Path;

use wharf_manifest::Manifest;
use wharf_plugin_api::root::Linkage as AbiLinkage;

use super::Supervisor;
use super::slot::About;
use crate::domain::finding::{Finding, kind};
use crate::domain::graph::{Node, resolve};
use crate::domain::status::{Desired, Linkage, State};
use crate::modules::control::{ControlError, Plan, PlannedModule};
use crate::modules::open::Image;
use crate::modules::plan::{Report, Survey};
use crate::modules::verify::{Checked, check_config, with_settings};

/// Which modules a change is about.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Only this module; all when none.
    pub only: Option<String>,
    /// Replaces it even if the file is the same.
    pub force: bool,
    /// Modules whose config section changed.
    pub renew: BTreeSet<String>,
}

/// What is done with one module.
pub(super) struct Decision {
    pub(super) id: String,
    pub(super) desired: Desired,
    pub(super) action: Action,
}

/// See [`Decision`].
pub(super) enum Action {
    /// It stays as it is.
    Keep,
    /// It is not wanted, or waits for someone to want it.
    Skip { about: About, reason: String },
    /// It runs and is not wanted any more.
    TakeDown,
    /// It cannot run.
    Refuse { about: Option<About>, findings: Vec<Finding> },
    /// A library is opened, in place of what runs.
    Open { checked: Box<Checked>, section: String },
    /// A new instance of code that is in the process already.
    Renew { image: Box<Image>, section: String },
}

impl Scope {
    /// All modules; what has not changed stays.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// One module.
    #[must_use]
    pub fn one(id: &str, force: bool) -> Self {
        Self {
            only: Some(id.to_owned()),
            force,
            renew: BTreeSet::new(),
        }
    }

    fn covers(&self, id: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == id)
    }
}

impl Supervisor {
    /// The plan for people, and the decisions behind it in the order in which they are carried out.
    pub(super) async fn decide(&self, scope: &Scope) -> Result<(Plan, Vec<Decision>), ControlError> {
        let desired = self.desired().await?;
        let Survey { accepted, report } = self.look().await;
        let wanted = |id: &str| desired.get(id).cloned().unwrap_or_default();
        let mut accepted: Vec<Option<Checked>> = accepted.into_iter().map(Some).collect();
        let mut decisions = Vec::new();
        for id in &report.order {
            if !scope.covers(id) {
                continue;
            }
            let checked = accepted
                .iter_mut()
                .find(|c| c.as_ref().is_some_and(|c| c.manifest.id == *id))
                .and_then(Option::take);
            let action = self.choose(id, checked, &wanted(id), scope);
            decisions.push(Decision {
                id: id.clone(),
                desired: wanted(id),
                action,
            });
        }
        for module in report.modules.iter().filter(|module| !module.ok) {
            // A file that cannot be read has no id: it is about the module that was loaded from it.
            let id = module.id.clone().or_else(|| self.loaded_from(&module.file));
            if let Some(id) = &id
                && scope.covers(id)
                && !decisions
                    .iter()
                    .any(|decision| decision.id == *id && !matches!(decision.action, Action::Keep | Action::Refuse { about: None, .. }))
            {
                let findings: Vec<Finding> = report
                    .findings
                    .iter()
                    .filter(|f| f.file.as_ref() == Some(&module.file))
                    .cloned()
                    .collect();
                decisions.retain(|decision| decision.id != *id);
                decisions.push(Decision {
                    id: id.clone(),
                    desired: wanted(id),
                    action: Action::Refuse { about: None, findings },
                });
            }
        }
        let order = decisions.iter().map(|decision| self.row(decision)).collect();
        Ok((
            Plan {
                order,
                findings: findings_of(&report, scope),
            },
            decisions,
        ))
    }

    fn choose(&self, id: &str, checked: Option<Checked>, desired: &Desired, scope: &Scope) -> Action {
        let slot = self.slots().get(id).cloned();
        let running = slot.as_ref().and_then(|slot| slot.running());
        let linked = self.0.linked.iter().find(|image| image.manifest.id == id);
        let about = match (&checked, linked, &running) {
            (Some(checked), _, _) => About::new(
                &checked.manifest,
                Linkage::Dynamic,
                Some(checked.file.clone()),
                Some(checked.hash()),
            ),
            (None, Some(image), _) => About::new(&image.manifest, Linkage::Static, None, None),
            (None, None, Some(running)) => About::new(
                &running.instance.image.manifest,
                Linkage::Dynamic,
                running.file.clone(),
                running.hash.clone(),
            ),
            (None, None, None) => return Action::Keep,
        };
        let is_enabled = desired.enabled.unwrap_or(linked.is_some() || self.settings().auto_enable);
        if !is_enabled {
            let reason = match desired.enabled {
                Some(false) => "disabled by an operator".to_owned(),
                _ => format!("new: `wharf modules enable {id}` to run it"),
            };
            return match (&running, desired.enabled) {
                (Some(_), Some(false)) => Action::TakeDown,
                (Some(_), _) => Action::Keep,
                (None, _) => Action::Skip { about, reason },
            };
        }
        if let Some(finding) = pinned(id, &about, desired) {
            return Action::Refuse {
                about: Some(about),
                findings: vec![finding],
            };
        }
        let is_quarantined = slot.as_ref().is_some_and(|slot| slot.state() == State::Quarantined);
        let renew = scope.renew.contains(id) || (is_quarantined && scope.only.is_some());
        let has_failed = |hash: &str| slot.as_ref().is_some_and(|slot| slot.has_failed_with(hash));
        match (checked, running) {
            (Some(checked), _) if scope.only.is_none() && !renew && has_failed(&checked.hash()) => Action::Keep,
            (Some(checked), Some(running)) if running.hash.as_deref() == Some(&checked.hash()) => {
                if scope.force {
                    Action::Open {
                        section: self.section(&checked.manifest),
                        checked: Box::new(checked),
                    }
                } else if renew {
                    Action::Renew {
                        image: Box::new(running.instance.image.clone()),
                        section: self.section(&running.instance.image.manifest),
                    }
                } else {
                    Action::Keep
                }
            }
            (Some(checked), _) => Action::Open {
                section: self.section(&checked.manifest),
                checked: Box::new(checked),
            },
            (None, Some(running)) if renew => self.renew(id, &running.instance.image),
            (None, Some(_)) => Action::Keep,
            (None, None) => linked.map_or(Action::Keep, |image| self.renew(id, image)),
        }
    }

    /// A new instance of code whose file was not checked just now, and so its section was not either.
    fn renew(&self, id: &str, image: &Image) -> Action {
        let findings = check_config(&image.manifest, self.settings().sections.get(id));
        if findings.is_empty() {
            return Action::Renew {
                image: Box::new(image.clone()),
                section: self.section(&image.manifest),
            };
        }
        Action::Refuse {
            about: None,
            findings: findings.into_iter().map(|finding| finding.about(id)).collect(),
        }
    }

    fn loaded_from(&self, file: &Path) -> Option<String> {
        let running = self.running();
        let slot = running.iter().find(|(_, running)| running.file.as_deref() == Some(file));
        slot.map(|(slot, _)| slot.id.clone())
    }

    fn section(&self, manifest: &Manifest) -> String {
        let settings = self.settings();
        let section = settings.sections.get(&manifest.id);
        with_settings(manifest.config_schema.as_ref(), section, &settings.given).to_string()
    }

    fn row(&self, decision: &Decision) -> PlannedModule {
        let running = self.slots().get(&decision.id).and_then(|slot| slot.running());
        let runs = running.is_some();
        let from_running = || {
            running.as_ref().map(|r| {
                (
                    r.instance.image.manifest.version.to_string(),
                    r.file.as_ref().map(|f| f.display().to_string()),
                    r.hash.clone(),
                )
            })
        };
        let (what, action, reason) = match &decision.action {
            Action::Keep if !runs => {
                let reason = format!("this build failed before; `wharf modules reload {}` tries it again", decision.id);
                (None, "skip", Some(reason))
            }
            Action::Keep => (from_running(), "keep", None),
            Action::TakeDown => (from_running(), "stop", Some("disabled by an operator".to_owned())),
            Action::Skip { about, reason } => (Some(of(about)), "skip", Some(reason.clone())),
            Action::Refuse { about, findings } => {
                let why = findings.iter().find(|f| f.is_error()).map(|f| f.what.clone());
                (about.as_ref().map(of).or_else(from_running), "refuse", why)
            }
            Action::Open { checked, .. } => {
                let file = Some(checked.file.display().to_string());
                let action = if runs { "replace" } else { "load" };
                (
                    Some((checked.manifest.version.to_string(), file, Some(checked.hash()))),
                    action,
                    None,
                )
            }
            Action::Renew { image, .. } => {
                let action = if runs { "replace" } else { "load" };
                let reason = runs.then(|| "its configuration changed".to_owned());
                (
                    from_running().or_else(|| Some((image.manifest.version.to_string(), None, None))),
                    action,
                    reason,
                )
            }
        };
        let (version, file, hash) = what.unwrap_or_default();
        let asks = match &decision.action {
            Action::Skip { about, .. } => about.asks.clone(),
            Action::Refuse { about, .. } => about.as_ref().map(|about| about.asks.clone()).unwrap_or_default(),
            Action::Open { checked, .. } => checked.manifest.asks(),
            Action::Renew { image, .. } => image.manifest.asks(),
            Action::Keep | Action::TakeDown => running.map(|running| running.instance.image.manifest.asks()).unwrap_or_default(),
        };
        PlannedModule {
            id: decision.id.clone(),
            version,
            file,
            hash,
            action: action.to_owned(),
            reason,
            asks,
        }
    }
}

/// Linked-in modules alone, when there is no folder.
pub(super) fn survey_linked(others: &[Node]) -> Survey {
    let resolution = resolve(others, &BTreeSet::new());
    let order = resolution
        .order
        .iter()
        .filter_map(|place| others.get(*place))
        .map(|node| node.id.clone())
        .collect();
    Survey {
        accepted: Vec::new(),
        report: Report {
            order,
            findings: resolution.findings,
            ..Report::default()
        },
    }
}

fn of(about: &About) -> (String, Option<String>, Option<String>) {
    (
        about.version.clone(),
        about.file.as_ref().map(|f| f.display().to_string()),
        about.hash.clone(),
    )
}

fn pinned(id: &str, about: &About, desired: &Desired) -> Option<Finding> {
    let what = match (&desired.pinned_version, &desired.pinned_hash, &about.hash) {
        (Some(version), _, _) if *version != about.version => format!("{id} is pinned to version {version}, found {}", about.version),
        (_, Some(pin), Some(hash)) if pin != hash => format!("{id} is pinned to hash {pin}, found {hash}"),
        _ => return None,
    };
    Some(Finding::new(&kind::PINNED, what).about(id))
}

fn findings_of(report: &Report, scope: &Scope) -> Vec<Finding> {
    report
        .findings
        .iter()
        .filter(|f| f.module.as_deref().is_none_or(|id| scope.covers(id)))
        .cloned()
        .collect()
}

/// The linkage of the status for that of the ABI.
pub(super) fn linkage(linkage: AbiLinkage) -> Linkage {
    if linkage == AbiLinkage::STATIC {
        Linkage::Static
    } else {
        Linkage::Dynamic
    }
}

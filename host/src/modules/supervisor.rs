//! Keeps modules running: start-up, reload, check and shutdown are one path, `Supervisor::apply`.
//!
//! In reading order: `slot` (what is kept for each module), `decide` (what would be done), `bring_up` (stages 6, 7 and the
//! start of one instance), `migrate` (its tables), `preview` (what would become of them), `wind_down` (its end), `control` (what
//! operators ask), `follow` (what they ask elsewhere), `watch` (the folder).

mod bring_up;
mod control;
mod decide;
mod follow;
mod migrate;
mod preview;
mod slot;
mod watch;
mod wind_down;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use wharf_plugin_api::root::Root_Ref;

pub use decide::Scope;
use decide::{Action, Decision};
pub use preview::Preview;
use slot::{Running, Slot};

use super::control::{ControlError, Plan};
use super::inspect::InspectRules;
use super::open::{self, Image};
use super::os::Target;
use super::place::{PlaceRules, PrivateFolder};
use super::plan::survey;
use super::standing::Limits;
use super::trust::{Trust, TrustPolicy};
use super::verify::VerifyContext;
use crate::domain::finding::{Finding, kind};
use crate::domain::graph::{Node, Standing as Footing};
use crate::domain::status::{Desired, State};
use crate::http::routes::{Mounted, RouteTable, Routes};
use crate::ports::state::{NodeReport, StateStore};
use crate::services::Shared;

/// What the supervisor goes by. A new one can be given while it runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder with the libraries; none: only linked-in modules.
    pub plugins: Option<PathBuf>,
    /// Where private copies are kept.
    pub private: PathBuf,
    /// Whether modules nobody has decided about are enabled.
    pub auto_enable: bool,
    /// Who may make modules. Only ever tightened.
    pub trust: TrustPolicy,
    /// Libraries that modules may need beside the system's own.
    pub allow_libraries: Vec<String>,
    /// Largest library in bytes.
    pub max_file_size: u64,
    /// pthread keys that are kept in reserve.
    pub reserve_thread_keys: u64,
    /// How long calls in flight may take when their instance is replaced or disabled.
    pub drain: Duration,
    /// How long creating, starting and the first health check may take, each.
    pub start: Duration,
    /// How long stopping and dropping may take, each.
    pub stop: Duration,
    /// Limits of each instance.
    pub limits: Limits,
    /// Config sections by module id.
    pub sections: BTreeMap<String, Value>,
    /// Settings of the host that keys of sections may take, by name.
    pub given: BTreeMap<String, Value>,
}

/// Keeps the modules of one host.
#[derive(Clone)]
pub struct Supervisor(Arc<Inner>);

struct Inner {
    settings: RwLock<Arc<Settings>>,
    trust: Trust,
    private: PrivateFolder,
    shared: Shared,
    state: Arc<dyn StateStore>,
    routes: Arc<Routes>,
    linked: Vec<Image>,
    slots: Mutex<BTreeMap<String, Arc<Slot>>>,
    /// One change at a time.
    changing: AsyncMutex<()>,
    started: Timestamp,
    ready: AtomicBool,
    reports: mpsc::Sender<NodeReport>,
}

/// Why a supervisor could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SupervisorError {
    /// The private folder cannot be made.
    #[error("the folder for private copies cannot be used: {}", .0.iter().map(|f| f.what.clone()).collect::<Vec<_>>().join("; "))]
    Private(Vec<Finding>),
    /// A linked-in module cannot be read.
    #[error("a linked-in module cannot be used: {0}")]
    Linked(#[from] open::OpenError),
    /// The system gives no random bytes.
    #[error("found no random bytes for the key of calls between modules: {0}")]
    Random(String),
}

impl Settings {
    /// Everything stages 1 to 4 judge by, under this trust policy.
    #[must_use]
    pub fn verify_context(&self, trust: Arc<TrustPolicy>) -> VerifyContext {
        let mut services: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
        for (name, major) in wharf_plugin_api::services::ALL {
            services.entry((*name).to_owned()).or_default().insert(u32::from(*major));
        }
        VerifyContext {
            place: PlaceRules {
                max_size: self.max_file_size,
                ..PlaceRules::default()
            },
            trust,
            inspect: InspectRules {
                allow_libraries: self.allow_libraries.clone(),
                ..InspectRules::default()
            },
            abi: crate::HOST_ABI,
            services,
            configs: self.sections.clone(),
            now: Timestamp::now(),
        }
    }
}

impl Supervisor {
    /// Makes one; nothing runs yet. `linked` are modules that are linked into the program.
    ///
    /// # Errors
    /// [`SupervisorError`]
    pub fn new(
        settings: Settings,
        shared: Shared,
        state: Arc<dyn StateStore>,
        routes: Arc<Routes>,
        linked: Vec<Root_Ref>,
    ) -> Result<Self, SupervisorError> {
        let private = PrivateFolder::create(&settings.private, Target::HOST.library_suffix()).map_err(SupervisorError::Private)?;
        let linked = linked.into_iter().map(open::linked).collect::<Result<_, _>>()?;
        let (reports, inbox) = mpsc::channel(256);
        shared.runtime.spawn(slot::write_reports(inbox, state.clone()));
        let trust = Trust::new(settings.trust.clone());
        Ok(Self(Arc::new(Inner {
            settings: RwLock::new(Arc::new(settings)),
            trust,
            private,
            shared,
            state,
            routes,
            linked,
            slots: Mutex::default(),
            changing: AsyncMutex::default(),
            started: Timestamp::now(),
            ready: AtomicBool::new(false),
            reports,
        })))
    }

    /// Starts everything that is wanted, in dependency order, and keeps an eye on it.
    ///
    /// # Errors
    /// Only when the state store does not answer; whatever is wrong with modules is in the plan.
    pub async fn start(&self) -> Result<Plan, ControlError> {
        self.0
            .state
            .forget_reports(&self.0.shared.node)
            .await
            .map_err(|e| control::internal(&e))?;
        self.follow_other_nodes();
        let plan = self.apply(Scope::all()).await?;
        self.0.ready.store(true, Ordering::Release);
        self.0.shared.runtime.spawn(slot::ask_for_health(Arc::downgrade(&self.0)));
        Ok(plan)
    }

    /// Whether start-up is over and shutdown has not begun.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.ready.load(Ordering::Acquire)
    }

    /// Marks the node as not ready, so that load balancers turn away.
    pub fn set_unready(&self) {
        self.0.ready.store(false, Ordering::Release);
    }

    /// Takes new settings. Returns the modules whose section changed.
    ///
    /// # Errors
    /// When the new trust policy is looser than the one in force: nothing is taken then.
    pub fn set_settings(&self, settings: Settings) -> Result<BTreeSet<String>, ControlError> {
        self.0.trust.tighten(settings.trust.clone()).map_err(|loosened| ControlError {
            code: "config.trust-loosened".to_owned(),
            message: loosened.to_string(),
            hint: "restart the host with the new configuration".to_owned(),
            findings: Vec::new(),
        })?;
        let mut current = self.0.settings.write().unwrap_or_else(PoisonError::into_inner);
        let ids: BTreeSet<&String> = current.sections.keys().chain(settings.sections.keys()).collect();
        let changed = ids
            .into_iter()
            .filter(|id| current.sections.get(*id) != settings.sections.get(*id))
            .cloned()
            .collect();
        *current = Arc::new(settings);
        Ok(changed)
    }

    /// The one path: looks at the folder, decides, and does what was decided, one module after the other.
    ///
    /// # Errors
    /// Only when the state store does not answer; whatever is wrong with modules is in the plan.
    pub async fn apply(&self, scope: Scope) -> Result<Plan, ControlError> {
        let _changing = self.0.changing.lock().await;
        let (mut plan, decisions) = self.decide(&scope).await?;
        for decision in decisions {
            let id = decision.id.clone();
            let known = plan.order.iter_mut().find(|row| row.id == id);
            let findings = self.carry_out(decision).await;
            if let Some(row) = known
                && let Some(first) = findings.iter().find(|finding| finding.is_error())
            {
                row.action = "refuse".to_owned();
                row.reason = Some(first.what.clone());
            }
            plan.findings.extend(findings);
        }
        for finding in &plan.findings {
            let (id, file) = (
                finding.module.as_deref().unwrap_or_default(),
                finding.file.as_deref().map(|f| f.display().to_string()),
            );
            let text = format!("{}: {}", finding.code, finding.what);
            if finding.is_error() {
                tracing::error!(module.id = id, file, code = finding.code, fix = finding.fix, "{text}");
            } else {
                tracing::warn!(module.id = id, file, code = finding.code, fix = finding.fix, "{text}");
            }
        }
        Ok(plan)
    }

    async fn carry_out(&self, decision: Decision) -> Vec<Finding> {
        let slot = self.slot(&decision.id);
        slot.set_desired(decision.desired.clone());
        match decision.action {
            Action::Keep => {
                slot.look_for_file();
                Vec::new()
            }
            Action::TakeDown => {
                self.take_down(&slot, State::Disabled, "disabled by an operator").await;
                Vec::new()
            }
            Action::Skip { about, reason } => {
                if !slot.is_running() {
                    slot.about(about);
                    self.note(&slot, State::Disabled, &reason);
                }
                Vec::new()
            }
            Action::Refuse { about, findings } => {
                if let Some(about) = about {
                    slot.about(about);
                }
                let why = findings.iter().find(|f| f.is_error()).map_or_else(String::new, |f| f.what.clone());
                if slot.is_running() {
                    slot.message("error", format!("the build in the folder was refused: {why}"));
                } else {
                    self.note(&slot, State::Failed, &why);
                }
                // They are in the plan already, but for those that were made here.
                findings
                    .into_iter()
                    .filter(|f| {
                        f.code == kind::NEEDS_DOWN.code || f.code == kind::PINNED.code || (f.code == kind::CONFIG.code && f.file.is_none())
                    })
                    .collect()
            }
            Action::Open { checked, section } => self.bring_up_library(&slot, *checked, section).await,
            Action::Renew { image, section } => self.bring_up_image(&slot, *image, section).await,
        }
    }

    /// Everything stages 1 to 4 judge by.
    fn verify_context(&self) -> VerifyContext {
        self.settings().verify_context(self.0.trust.current())
    }

    fn settings(&self) -> Arc<Settings> {
        self.0.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Slot>>> {
        self.0.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, id: &str) -> Arc<Slot> {
        self.slots().entry(id.to_owned()).or_insert_with(|| Arc::new(Slot::new(id))).clone()
    }

    /// Moves a slot to a state, remembers why, and tells the database.
    fn note(&self, slot: &Slot, state: State, why: &str) {
        let report = slot.set_state(state, why, &self.0.shared.node);
        match state {
            State::Failed | State::Quarantined => tracing::error!(module.id = slot.id, state = ?state, reason = why, "module is {state:?}"),
            State::Running | State::Disabled | State::Stopped => {
                tracing::info!(
                    module.id = slot.id,
                    generation = report.generation,
                    reason = why,
                    "module is {state:?}"
                );
            }
            _ => tracing::debug!(module.id = slot.id, state = ?state, "module is {state:?}"),
        }
        self.tell(report);
    }

    /// Lets other nodes know.
    fn tell(&self, report: NodeReport) {
        if let Err(unsent) = self.0.reports.try_send(report) {
            tracing::warn!(
                module.id = unsent.into_inner().module,
                "the state of the module could not be reported: the database is slow or gone"
            );
        }
    }

    fn running(&self) -> Vec<(Arc<Slot>, Arc<Running>)> {
        let slots: Vec<_> = self.slots().values().cloned().collect();
        slots
            .into_iter()
            .filter_map(|slot| slot.running().map(|running| (slot, running)))
            .collect()
    }

    /// What stands beside the libraries in the folder.
    fn others(&self) -> Vec<Node> {
        let running = self.running();
        let mut nodes: Vec<Node> = running
            .iter()
            .map(|(_, r)| Node::new(&r.instance.image.manifest, Footing::Running, r.file.clone()))
            .collect();
        let is_running = |id: &str| running.iter().any(|(slot, _)| slot.id == id);
        nodes.extend(
            self.0
                .linked
                .iter()
                .filter(|image| !is_running(&image.manifest.id))
                .map(|image| Node::new(&image.manifest, Footing::Linked, None)),
        );
        nodes
    }

    /// The route table of everything that runs, with `changed` in place of the module of that id.
    fn table(&self, id: &str, changed: Option<&Arc<Running>>) -> Result<RouteTable, Vec<Finding>> {
        let mut mounted: Vec<Mounted> = self
            .running()
            .iter()
            .filter(|(slot, _)| slot.id != id)
            .map(|(_, running)| running.mounted())
            .collect();
        mounted.extend(changed.map(|running| running.mounted()));
        RouteTable::build(mounted)
    }

    async fn look(&self) -> super::plan::Survey {
        let (settings, context, others) = (self.settings(), self.verify_context(), self.others());
        let folder = settings.plugins.clone();
        let looked = tokio::task::spawn_blocking(move || match folder {
            Some(folder) => survey(&folder, &context, &others),
            None => decide::survey_linked(&others),
        });
        match looked.await {
            Ok(survey) => survey,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    async fn desired(&self) -> Result<BTreeMap<String, Desired>, ControlError> {
        self.0.state.all_desired().await.map_err(|e| control::internal(&e))
    }
}

impl std::fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supervisor")
            .field("slots", &self.slots().keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

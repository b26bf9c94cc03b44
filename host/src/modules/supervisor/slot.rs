//! What is kept for each module, whether it runs or not.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use jiff::Timestamp;
use prost_reflect::DescriptorPool;
use semver::Version;
use tokio::sync::mpsc;
use wharf_manifest::Manifest;
use wharf_plugin_api::module::HealthState;

use super::{Inner, Supervisor};
use crate::domain::lifecycle::allowed;
use crate::domain::route::GrpcMethod;
use crate::domain::status::{Desired, Linkage, Message, ModuleStatus, State};
use crate::http::routes::Mounted;
use crate::modules::endpoint::Endpoint;
use crate::modules::instance::Instance;
use crate::modules::standing::{Gate, Standing};
use crate::ports::state::{NodeReport, StateStore};

const MESSAGES: usize = 64;
const HEALTH_EVERY: Duration = Duration::from_secs(5);
const HEALTH_WITHIN: Duration = Duration::from_secs(2);

/// One module.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) id: String,
    life: Mutex<Life>,
}

#[derive(Debug)]
struct Life {
    state: State,
    since: Timestamp,
    desired: Desired,
    about: Option<About>,
    running: Option<Arc<Running>>,
    /// Versions of instances that were replaced and have not ended yet: what they began they do on the tables they know.
    ending: Vec<String>,
    messages: VecDeque<Message>,
    /// What is known of the instance before: what goes wrong in its end is only seen after it was replaced.
    ended: Option<Arc<Standing>>,
    /// Panics of the instances before that one.
    panics_before: u64,
    memory: Option<u64>,
    health: &'static str,
    /// SHA-256 of the build that failed last, after code of it had run: it is tried again only when someone asks for it.
    failed_build: Option<String>,
}

/// What is known of a module from its manifest.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub(super) version: String,
    pub(super) description: String,
    pub(super) linkage: Linkage,
    pub(super) hash: Option<String>,
    pub(super) file: Option<PathBuf>,
    pub(super) prefix: Option<String>,
    pub(super) grpc_services: Vec<String>,
    pub(super) requires: Vec<String>,
    pub(super) asks: Vec<String>,
}

/// An instance that serves.
pub(super) struct Running {
    pub(super) instance: Arc<Instance>,
    /// The same in every route table, so that whoever has a call open can tell whether it was replaced.
    pub(super) endpoint: Arc<dyn Endpoint>,
    pub(super) file: Option<PathBuf>,
    pub(super) hash: Option<String>,
    pub(super) grpc: Vec<GrpcMethod>,
    pub(super) descriptors: Option<DescriptorPool>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("who", &self.instance.standing.who)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

impl Running {
    /// What it brings to the route table.
    pub(super) fn mounted(&self) -> Mounted {
        let manifest = &self.instance.image.manifest;
        Mounted {
            id: manifest.id.clone(),
            prefix: (!self.instance.routes.is_empty()).then(|| manifest.http.prefix.clone()),
            routes: self.instance.routes.clone(),
            grpc: self.grpc.clone(),
            endpoint: Arc::clone(&self.endpoint),
            descriptors: self.descriptors.clone(),
            openapi: self.instance.openapi.clone(),
        }
    }
}

impl About {
    pub(super) fn new(manifest: &Manifest, linkage: Linkage, file: Option<PathBuf>, hash: Option<String>) -> Self {
        Self {
            version: manifest.version.to_string(),
            description: manifest.description.clone(),
            linkage,
            hash,
            file,
            prefix: Some(manifest.http.prefix.clone()),
            grpc_services: manifest.grpc.services.clone(),
            requires: manifest.modules.keys().cloned().collect(),
            asks: manifest.asks(),
        }
    }
}

impl Slot {
    pub(super) fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            life: Mutex::new(Life {
                state: State::Discovered,
                since: Timestamp::now(),
                desired: Desired::default(),
                about: None,
                running: None,
                ending: Vec::new(),
                messages: VecDeque::new(),
                ended: None,
                panics_before: 0,
                memory: None,
                health: "unknown",
                failed_build: None,
            }),
        }
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state(&self) -> State {
        self.life().state
    }

    pub(super) fn running(&self) -> Option<Arc<Running>> {
        self.life().running.clone()
    }

    pub(super) fn is_running(&self) -> bool {
        self.life().running.is_some()
    }

    /// What this node last knew to be wanted.
    pub(super) fn desired(&self) -> Desired {
        self.life().desired.clone()
    }

    pub(super) fn set_desired(&self, desired: Desired) {
        self.life().desired = desired;
    }

    pub(super) fn about(&self, about: About) {
        self.life().about = Some(about);
    }

    pub(super) fn set_failed_build(&self, hash: Option<String>) {
        self.life().failed_build = hash;
    }

    /// Whether this build failed before. Each try costs the process a generation.
    pub(super) fn has_failed_with(&self, hash: &str) -> bool {
        self.life().failed_build.as_deref() == Some(hash)
    }

    pub(super) fn set_memory(&self, bytes: u64) {
        self.life().memory = Some(bytes);
    }

    pub(super) fn set_health(&self, health: &'static str) {
        self.life().health = health;
    }

    /// Puts an instance in place and gives back the one that was there.
    pub(super) fn put(&self, running: Option<Arc<Running>>) -> Option<Arc<Running>> {
        let mut life = self.life();
        let before = std::mem::replace(&mut life.running, running);
        if let Some(before) = &before
            && let Some(older) = life.ended.replace(before.instance.standing.clone())
        {
            life.panics_before += older.panics.load(Ordering::Relaxed);
        }
        before
    }

    /// Notes that an instance of this version is about to end, with another one in its place.
    pub(super) fn begins_to_end(&self, version: &str) {
        self.life().ending.push(version.to_owned());
    }

    /// Notes that it has ended. Gives what is to be reported from now on.
    pub(super) fn has_ended(&self, version: &str, node: &str) -> NodeReport {
        let mut life = self.life();
        if let Some(place) = life.ending.iter().position(|ending| ending == version) {
            life.ending.swap_remove(place);
        }
        report(&self.id, &life, "", node)
    }

    /// Versions of instances that were replaced and have not ended yet.
    pub(super) fn ending(&self) -> Vec<String> {
        self.life().ending.clone()
    }

    pub(super) fn message(&self, level: &str, text: impl Into<String>) {
        push(&mut self.life(), level, text.into());
    }

    /// Says, once, that the file of what runs is gone.
    pub(super) fn look_for_file(&self) {
        let mut life = self.life();
        let gone = life
            .running
            .as_ref()
            .and_then(|running| running.file.clone())
            .filter(|file| !file.exists());
        let Some(file) = gone else { return };
        let text = format!(
            "{} is gone; the build that was loaded from it goes on until the host ends",
            file.display()
        );
        if !life.messages.iter().any(|message| message.text == text) {
            tracing::warn!(module.id = self.id, "{text}");
            push(&mut life, "warn", text);
        }
    }

    /// Moves on; a step that the table does not know is made all the same and shown, since the truth is worth more.
    pub(super) fn set_state(&self, state: State, why: &str, node: &str) -> NodeReport {
        let mut life = self.life();
        if !allowed(life.state, state) {
            tracing::warn!(module.id = self.id, from = ?life.state, to = ?state, "a module made a step that its lifecycle does not know");
        }
        if life.state != state {
            life.since = Timestamp::now();
        }
        life.state = state;
        if !why.is_empty() {
            let level = if matches!(state, State::Failed | State::Quarantined) {
                "error"
            } else {
                "info"
            };
            push(&mut life, level, why.to_owned());
        }
        report(&self.id, &life, why, node)
    }

    /// Everything there is to say. `up` are the modules that run: given and not asked for, since whoever asks another slot
    /// while holding this one waits for somebody who may wait for this one.
    pub(super) fn status(&self, up: &BTreeSet<String>) -> ModuleStatus {
        let life = self.life();
        let about = life.about.clone();
        let running = life.running.clone();
        let standing = running.as_ref().map(|running| running.instance.standing.clone());
        let mut messages: Vec<Message> = life.messages.iter().cloned().collect();
        let ended = life.ended.clone();
        messages.extend(standing.iter().chain(&ended).flat_map(|standing| standing.messages()));
        messages.sort_by_key(|message| message.at);
        let requires = about.as_ref().map(|about| about.requires.clone()).unwrap_or_default();
        let load = |counter: fn(&Standing) -> u64| standing.as_deref().map_or(0, counter);
        let panics_of_ended = ended.map_or(0, |ended| ended.panics.load(Ordering::Relaxed));
        ModuleStatus {
            id: self.id.clone(),
            version: about.as_ref().map(|about| about.version.clone()).unwrap_or_default(),
            description: about.as_ref().map(|about| about.description.clone()).unwrap_or_default(),
            state: life.state,
            since: life.since,
            linkage: about.as_ref().map_or(Linkage::Dynamic, |about| about.linkage),
            placement: "in-process".to_owned(),
            generation: load(|s| s.who.generation),
            instance: load(|s| s.who.instance),
            hash: about.as_ref().and_then(|about| about.hash.clone()),
            file: about
                .as_ref()
                .and_then(|about| about.file.as_ref())
                .map(|file| file.display().to_string()),
            prefix: running
                .as_ref()
                .filter(|r| !r.instance.routes.is_empty())
                .and(about.as_ref())
                .and_then(|about| about.prefix.clone()),
            grpc_services: about.as_ref().map(|about| about.grpc_services.clone()).unwrap_or_default(),
            degraded: requires.iter().filter(|id| !up.contains(*id)).cloned().collect(),
            requires,
            asks: about.as_ref().map(|about| about.asks.clone()).unwrap_or_default(),
            health: life.health.to_owned(),
            calls: load(|s| s.calls()),
            in_flight: load(|s| s.in_flight()),
            errors: load(|s| s.errors.load(Ordering::Relaxed)),
            panics: life.panics_before + panics_of_ended + load(|s| s.panics.load(Ordering::Relaxed)),
            memory_bytes: life.memory,
            desired: life.desired.clone(),
            messages,
        }
    }
}

/// The modules among these that run.
pub(super) fn running_among(slots: &[Arc<Slot>]) -> BTreeSet<String> {
    slots
        .iter()
        .filter(|slot| slot.state() == State::Running)
        .map(|slot| slot.id.clone())
        .collect()
}

fn report(module: &str, life: &Life, why: &str, node: &str) -> NodeReport {
    let version = life.about.as_ref().map(|about| about.version.clone()).unwrap_or_default();
    let running = life.running.as_ref();
    NodeReport {
        node: node.to_owned(),
        module: module.to_owned(),
        state: life.state,
        version: oldest(version, &life.ending),
        generation: running.map_or(0, |running| running.instance.standing.who.generation),
        since: life.since,
        detail: why.to_owned(),
    }
}

/// The one that other nodes have to wait for.
fn oldest(version: String, ending: &[String]) -> String {
    let parsed = |text: &str| Version::parse(text).ok();
    let older = ending.iter().filter(|ending| parsed(ending) < parsed(&version));
    older.min_by_key(|ending| parsed(ending)).cloned().unwrap_or(version)
}

fn push(life: &mut Life, level: &str, text: String) {
    if life.messages.len() >= MESSAGES {
        life.messages.pop_front();
    }
    life.messages.push_back(Message {
        at: Timestamp::now(),
        level: level.to_owned(),
        text,
    });
}

/// Writes what slots report, in their order.
pub(super) async fn write_reports(mut inbox: mpsc::Receiver<NodeReport>, state: Arc<dyn StateStore>) {
    while let Some(report) = inbox.recv().await {
        if let Err(error) = state.report(&report).await {
            tracing::warn!(module.id = report.module, error = %error, "the state of a module could not be written");
        }
    }
}

/// Asks every running module how it is, until the supervisor is gone.
pub(super) async fn ask_for_health(supervisor: Weak<Inner>) {
    loop {
        let Some(inner) = supervisor.upgrade() else { return };
        for (slot, running) in Supervisor(inner).running() {
            slot.set_health(health_of(&running.instance).await);
        }
        tokio::time::sleep(HEALTH_EVERY).await;
    }
}

/// The worse of what a module says itself and of its named checks.
pub(super) async fn health_of(instance: &Arc<Instance>) -> &'static str {
    let asked = instance.clone();
    let said = match super::bring_up::within(HEALTH_WITHIN, "health", async move { asked.health().await }).await {
        Ok(health) => health.state,
        Err(_) => HealthState::NOT_SERVING,
    };
    let worst = instance
        .standing
        .worst_check()
        .map_or(said, |(_, state, _)| if state.0 > said.0 { state } else { said });
    if instance.standing.gate() == Gate::Quarantined {
        return "not-serving";
    }
    match worst {
        HealthState::SERVING => "serving",
        HealthState::DEGRADED => "degraded",
        HealthState::NOT_SERVING => "not-serving",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::oldest;

    #[test]
    fn as_long_as_an_older_instance_ends_its_version_is_the_one_that_is_reported() {
        for (serves, ending, reported) in [
            ("1.1.0", &[][..], "1.1.0"),
            ("1.1.0", &["1.0.0"][..], "1.0.0"),
            ("10.0.0", &["9.2.0", "10.0.0", "9.10.0"], "9.2.0"),
            ("1.0.0", &["1.1.0"], "1.0.0"),
        ] {
            let ending: Vec<String> = ending.iter().map(|version| (*version).to_owned()).collect();
            assert_eq!(oldest(serves.to_owned(), &ending), reported, "{serves}, {ending:?}");
        }
    }
}

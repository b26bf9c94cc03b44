//! Stages 6 and 7 for one module, its start, and the swap. A failure anywhere leaves what runs as it is.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use prost_reflect::DescriptorPool;
use tokio::sync::oneshot;
use wharf_plugin_api::module::HealthState;
use wharf_plugin_api::{Fault, FaultCode};

use super::decide::linkage;
use super::slot::{About, Running, Slot};
use super::{Settings, Supervisor};
use crate::domain::finding::kind::{self, Kind};
use crate::domain::finding::{Finding, Stage};
use crate::domain::status::State;
use crate::grpc::policy::methods_from_pool;
use crate::modules::instance::Instance;
use crate::modules::open::{Image, OpenError, Opening, open};
use crate::modules::os;
use crate::modules::verify::Checked;

/// Where an instance comes from.
struct Origin {
    about: About,
}

impl Supervisor {
    /// Opens a library and puts an instance of it in place of what runs.
    pub(super) async fn bring_up_library(&self, slot: &Arc<Slot>, checked: Checked, section: String) -> Vec<Finding> {
        let about = About::new(
            &checked.manifest,
            crate::domain::status::Linkage::Dynamic,
            Some(checked.file.clone()),
            Some(checked.hash()),
        );
        let before = os::anonymous_bytes();
        self.step(slot, State::Verified);
        self.step(slot, State::Resolved);
        if let Some(finding) = self.needs_down(&checked.manifest) {
            return self.failed(slot, about, vec![finding]);
        }
        let image = match self.open_library(&slot.id, checked).await {
            Ok(image) => image,
            Err(finding) => return self.failed(slot, about, vec![finding]),
        };
        let findings = self.bring_up(slot, image, section, Origin { about }).await;
        if let (Some(before), Some(after)) = (before, os::anonymous_bytes()) {
            slot.set_memory(after.saturating_sub(before));
        }
        findings
    }

    /// Puts a new instance of code that is in the process in place of what runs.
    pub(super) async fn bring_up_image(&self, slot: &Arc<Slot>, image: Image, section: String) -> Vec<Finding> {
        let running = slot.running();
        let (file, hash) = running.map_or((None, None), |running| (running.file.clone(), running.hash.clone()));
        let about = About::new(&image.manifest, linkage(image.linkage), file, hash);
        self.step(slot, State::Verified);
        self.step(slot, State::Resolved);
        self.bring_up(slot, image, section, Origin { about }).await
    }

    /// Stage 6.
    pub(super) async fn open_library(&self, id: &str, checked: Checked) -> Result<Image, Finding> {
        let verified = checked.store(&self.0.private)?;
        let reserve = self.settings().reserve_thread_keys;
        let opened = tokio::task::spawn_blocking(move || {
            open(&Opening {
                copy: &verified.copy,
                manifest: &verified.manifest,
                descriptors: &verified.descriptors,
                reserve_thread_keys: reserve,
            })
        });
        match opened.await {
            Ok(Ok(image)) => Ok(image),
            Ok(Err(error)) => Err(open_finding(&error).about(id)),
            Err(join) => Err(Finding::new(&kind::OPEN_PANICKED, join.to_string()).about(id)),
        }
    }

    /// A required module that does not run.
    fn needs_down(&self, manifest: &wharf_manifest::Manifest) -> Option<Finding> {
        let slots = self.slots();
        let down = manifest
            .modules
            .iter()
            .find(|(id, requirement)| !requirement.optional && !slots.get(*id).is_some_and(|slot| slot.is_running()));
        let (id, _) = down?;
        let state = slots
            .get(id)
            .map_or_else(|| "not there".to_owned(), |slot| format!("{:?}", slot.state()).to_lowercase());
        Some(
            Finding::new(&kind::NEEDS_DOWN, format!("{} requires {id}, which is {state}", manifest.id))
                .about(&manifest.id)
                .mend(format!("`wharf modules show {id}` says why; then `wharf modules enable {id}`")),
        )
    }

    async fn bring_up(&self, slot: &Arc<Slot>, image: Image, section: String, origin: Origin) -> Vec<Finding> {
        self.step(slot, State::Loaded);
        let settings = self.settings();
        let About { file, hash, .. } = origin.about.clone();
        match self.make(&image, section, &settings, file, hash).await {
            Ok((running, findings)) => {
                self.step(slot, State::Initialized);
                let instance = running.instance.clone();
                self.swap(slot, running, origin.about);
                if let Err(error) = instance.go_to_work(&self.0.shared.work).await {
                    tracing::error!(module.id = slot.id, error = %error, "the module gets no events and jobs: reload it when its database answers");
                    slot.message("error", format!("it gets no events and jobs: {error}"));
                }
                findings
            }
            Err(findings) => self.failed(slot, origin.about, findings),
        }
    }

    /// Creates, checks the routes, starts, asks how it is.
    async fn make(
        &self,
        image: &Image,
        section: String,
        settings: &Settings,
        file: Option<std::path::PathBuf>,
        hash: Option<String>,
    ) -> Result<(Arc<Running>, Vec<Finding>), Vec<Finding>> {
        let id = image.manifest.id.clone();
        let one = |finding: Finding| vec![finding.about(&id)];
        if let Some(finding) = self.needs_down(&image.manifest) {
            return Err(vec![finding]);
        }
        let (descriptors, grpc) = grpc_of(image)?;
        let created = {
            let (image, shared, limits) = (image.clone(), self.0.shared.clone(), settings.limits);
            within(settings.start, "init", async move {
                Instance::create(image, section, &shared, limits).await
            })
            .await
        };
        let instance = created.map_err(|fault| one(create_finding(&fault)))?;
        let findings = instance
            .unserved
            .iter()
            .map(|route| Finding::new(&kind::NO_POLICY, format!("{route} has no policy this host knows")).about(&id))
            .collect();
        let running = Arc::new(Running {
            endpoint: Arc::new(instance.clone()),
            instance,
            file,
            hash,
            grpc,
            descriptors,
        });
        if let Err(mut findings) = self.table(&id, Some(&running)) {
            self.wind_down(running, "its routes were refused");
            findings
                .iter_mut()
                .for_each(|finding| finding.module = finding.module.take().or_else(|| Some(id.clone())));
            return Err(findings);
        }
        if let Err(finding) = self.migrate(&running.instance).await {
            self.wind_down(running, "its migrations did not run");
            return Err(one(finding));
        }
        if let Err(finding) = begin(&running.instance, settings).await {
            self.wind_down(running, "its start failed");
            return Err(one(finding));
        }
        if let Err(error) = running.instance.declare(&self.0.shared.work).await {
            self.wind_down(running, "its subscriptions could not be kept");
            let text = format!("its subscriptions and schedules could not be written: {error}");
            return Err(one(Finding::new(&kind::START_FAILED, text)));
        }
        Ok((running, findings))
    }

    /// Puts an instance in place, atomically for whoever looks up a route, and ends the one before.
    fn swap(&self, slot: &Arc<Slot>, running: Arc<Running>, about: About) {
        let version = about.version.clone();
        slot.set_failed_build(None);
        slot.about(about);
        slot.set_health("serving");
        if let Some(before) = slot.running() {
            slot.begins_to_end(&before.instance.standing.who.version);
        }
        let before = slot.put(Some(running.clone()));
        if let Some(before) = &before {
            before.instance.stop_leasing();
        }
        match self.table(&slot.id, Some(&running)) {
            Ok(table) => drop(self.0.routes.swap(table)),
            Err(findings) => tracing::error!(
                module.id = slot.id,
                ?findings,
                "the route table could not be made after it had been checked"
            ),
        }
        let who = &running.instance.standing.who;
        let what = if before.is_some() { "replaced by" } else { "running" };
        self.note(
            slot,
            State::Running,
            &format!("{what} version {version}, generation {}, instance {}", who.generation, who.instance),
        );
        self.guard_against_quarantine(slot.clone(), running);
        if let Some(before) = before {
            let version = before.instance.standing.who.version.clone();
            let ending = self.wind_down(before, "a new instance has taken over");
            let (supervisor, slot) = (self.clone(), slot.clone());
            self.0.shared.runtime.spawn(async move {
                let _ = ending.await;
                supervisor.tell(slot.has_ended(&version, &supervisor.0.shared.node));
                supervisor.migrate_later(&slot).await;
            });
        }
    }

    /// Marks the slot when the instance is quarantined.
    fn guard_against_quarantine(&self, slot: Arc<Slot>, running: Arc<Running>) {
        let supervisor = Arc::downgrade(&self.0);
        let standing = running.instance.standing.clone();
        drop(running);
        self.0.shared.runtime.spawn(async move {
            standing.alarmed().await;
            // Whatever it has open, others need: a call that is stuck never gives it back.
            if let Some(now) = slot.running().filter(|now| Arc::ptr_eq(&now.instance.standing, &standing)) {
                now.instance.let_go();
                now.instance.stop_leasing();
            }
            if let Some(inner) = supervisor.upgrade()
                && slot.running().is_some_and(|now| Arc::ptr_eq(&now.instance.standing, &standing))
            {
                slot.set_health("not-serving");
                Self(inner).note(&slot, State::Quarantined, "");
            }
        });
    }

    /// A step on the way up; while another instance serves, the state stays `Running`.
    fn step(&self, slot: &Slot, state: State) {
        if !slot.is_running() {
            self.note(slot, state, "");
        }
    }

    fn failed(&self, slot: &Slot, about: About, findings: Vec<Finding>) -> Vec<Finding> {
        if findings.iter().any(|finding| finding.is_error() && finding.stage >= Stage::Open) {
            slot.set_failed_build(about.hash.clone());
        }
        let why = findings
            .iter()
            .find(|f| f.is_error())
            .map_or_else(String::new, |f| format!("{}: {}", f.code, f.what));
        if slot.is_running() {
            slot.message(
                "error",
                format!("version {} was not taken, the running one goes on: {why}", about.version),
            );
        } else {
            slot.about(about);
            self.note(slot, State::Failed, &why);
        }
        findings
    }
}

async fn begin(instance: &Arc<Instance>, settings: &Settings) -> Result<(), Finding> {
    let starting = instance.clone();
    within(settings.start, "start", async move { starting.start().await })
        .await
        .map_err(|fault| {
            let kind = if fault.code == FaultCode::DEADLINE {
                &kind::START_DEADLINE
            } else {
                &kind::START_FAILED
            };
            Finding::new(kind, fault.message.as_str())
        })?;
    let asked = instance.clone();
    let health = within(settings.start, "health", async move { asked.health().await })
        .await
        .map_err(|fault| Finding::new(&kind::UNHEALTHY, format!("its health check failed: {fault}")))?;
    if health.state == HealthState::NOT_SERVING {
        return Err(Finding::new(
            &kind::UNHEALTHY,
            format!("it says that it cannot serve: {}", health.detail),
        ));
    }
    Ok(())
}

fn grpc_of(image: &Image) -> Result<(Option<DescriptorPool>, Vec<crate::domain::route::GrpcMethod>), Vec<Finding>> {
    if image.manifest.grpc.services.is_empty() {
        return Ok((None, Vec::new()));
    }
    let id = &image.manifest.id;
    let pool = DescriptorPool::decode(&*image.descriptors)
        .map_err(|e| vec![Finding::new(&kind::DESCRIPTORS_MALFORMED, e.to_string()).about(id)])?;
    let methods = methods_from_pool(&pool, &image.manifest.grpc.services)
        .map_err(|findings| findings.into_iter().map(|finding| finding.about(id)).collect::<Vec<_>>())?;
    Ok((Some(pool), methods))
}

fn open_finding(error: &OpenError) -> Finding {
    let kind: &Kind = match error.code() {
        "open.thread-keys" => &kind::THREAD_KEYS,
        "open.unresolved-symbol" => &kind::UNRESOLVED_SYMBOL,
        "open.linker" => &kind::LINKER,
        "open.no-root" => &kind::NO_ROOT,
        "open.layout" => &kind::LAYOUT,
        "open.other-library" => &kind::OTHER_LIBRARY,
        "open.manifest" => &kind::MANIFEST_DIFFERS,
        "open.panicked" => &kind::OPEN_PANICKED,
        _ => &kind::HEADER,
    };
    if let OpenError::Layout { detail, .. } = error {
        tracing::debug!(detail, "the whole comparison of layouts");
    }
    Finding::new(kind, error.to_string())
}

pub(super) fn create_finding(fault: &Fault) -> Finding {
    let kind = match fault.code {
        FaultCode::PANICKED => &kind::CREATE_PANICKED,
        FaultCode::UNDECLARED => &kind::CREATE_UNDECLARED,
        FaultCode::CONFIG => &kind::CREATE_CONFIG,
        FaultCode::DEADLINE => &kind::CREATE_DEADLINE,
        FaultCode::UNSUPPORTED | FaultCode::LAYOUT => &kind::CREATE_REFUSED,
        _ => &kind::CREATE_FAILED,
    };
    Finding::new(kind, fault.message.as_str())
}

/// Runs a step of a module on a thread of its own: one that never comes back costs that thread and none of the host's
/// workers. A step that is over its time is dropped there, at its next `await`.
pub(super) async fn within<T: Send + 'static>(
    time: Duration,
    what: &str,
    step: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> Result<T, Fault> {
    let runtime = tokio::runtime::Handle::current();
    let (done, result) = oneshot::channel();
    let (patience, over) = oneshot::channel::<()>();
    let thread = std::thread::Builder::new().name(format!("wharf-{what}")).spawn(move || {
        #[allow(clippy::disallowed_methods, reason = "a thread of its own, outside of the runtime's workers")]
        runtime.block_on(async {
            tokio::select! {
                result = step => drop(done.send(result)),
                _ = over => {}
            }
        });
    });
    if let Err(error) = thread {
        return Err(Fault::new(FaultCode::UNAVAILABLE, format!("no thread can be started: {error}")));
    }
    let outcome = match tokio::time::timeout(time, result).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Fault::new(FaultCode::PANICKED, format!("{what} panicked"))),
        Err(_) => Err(Fault::new(
            FaultCode::DEADLINE,
            format!("{what} did not end within {} ms", time.as_millis()),
        )),
    };
    drop(patience);
    outcome
}

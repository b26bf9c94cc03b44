//! A module's handle on its host.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use wharf_plugin_api::Fault;

use crate::bridge::core::Core;
use crate::services::audit::Audit;
use crate::services::authz::Authz;
use crate::services::blobs::Blobs;
use crate::services::cache::Cache;
use crate::services::channel::Channel;
use crate::services::errors::Errors;
use crate::services::events::Events;
use crate::services::health::HealthChecks;
use crate::services::mail::Mail;
use crate::services::metrics::Metrics;
use crate::services::scheduler::Scheduler;
use crate::services::secrets::Secrets;

/// A handle on the host, for one instance of a module. Clones are cheap; keep one in the module.
///
/// Each core service must be listed in `wharf.toml` under `[services]`; one that is not is refused by name.
#[derive(Clone)]
pub struct Context {
    core: Arc<Core>,
}

impl Context {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Id of this module.
    #[must_use]
    pub fn module(&self) -> &str {
        &self.core.identity.module
    }

    /// Name of the node this runs on.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.core.identity.node
    }

    /// Which instance this is, counted over the whole process.
    #[must_use]
    pub fn instance(&self) -> u64 {
        self.core.identity.instance
    }

    /// Counters, gauges and histograms, with the label `module` added by the host.
    ///
    /// # Errors
    /// `undeclared` when `wharf.toml` lacks `metrics = 1` under `[services]`.
    pub fn metrics(&self) -> Result<Metrics, Fault> {
        Ok(Metrics::new(self.core.import()?))
    }

    /// Named checks, beside [`Module::health`](crate::Module::health).
    ///
    /// # Errors
    /// `undeclared` when `wharf.toml` lacks `health = 1` under `[services]`.
    pub fn health(&self) -> Result<HealthChecks, Fault> {
        Ok(HealthChecks::new(self.core.import()?))
    }

    /// Blobs: bytes of any size under a key, in a space of the module's own.
    ///
    /// # Errors
    /// `undeclared` when `wharf.toml` lacks `blobs = 1` under `[services]`.
    pub fn blobs(&self) -> Result<Blobs, Fault> {
        Ok(Blobs::new(self.core.import()?))
    }

    /// Mail of the templates in [`Module::templates`](crate::Module::templates).
    ///
    /// # Errors
    /// `undeclared` when `wharf.toml` lacks `notifier = 1` under `[services]`.
    pub fn mail(&self) -> Result<Mail, Fault> {
        Ok(Mail::new(self.core.import()?))
    }

    /// Reports of failures.
    ///
    /// # Errors
    /// `undeclared` when `wharf.toml` lacks `errors = 1` under `[services]`.
    pub fn errors(&self) -> Result<Errors, Fault> {
        Ok(Errors::new(self.core.import()?))
    }

    /// Values that may be lost and recomputed, counters, and locks. Calls that load one key at the same time share one load.
    ///
    /// # Errors
    /// `undeclared` when `wharf.toml` lacks `cache = 1` under `[services]`.
    pub fn cache(&self) -> Result<Cache, Fault> {
        Cache::open(&self.core)
    }

    /// Values that `wharf.toml` names under `[secrets]` and operators set.
    ///
    /// # Errors
    /// `undeclared` when `wharf.toml` lacks `secrets = 1` under `[services]`.
    pub fn secrets(&self) -> Result<Secrets, Fault> {
        Ok(Secrets::new(self.core.import()?))
    }

    /// The module's own space in the host's database, for sea-orm. Tables are made by
    /// [`Module::migrations`](crate::Module::migrations), which run between `init` and `start`.
    ///
    /// # Errors
    /// `undeclared` when `wharf.toml` lacks `database = 1` under `[services]`.
    #[cfg(feature = "database")]
    pub fn db(&self) -> Result<crate::services::database::Db, Fault> {
        Ok(crate::services::database::Db::new(self.core.link()?))
    }

    /// What whoever calls this module may do.
    ///
    /// # Errors
    /// `undeclared` when `wharf.toml` lacks `authz = 1` under `[services]`.
    pub fn authz(&self) -> Result<Authz, Fault> {
        Ok(Authz::new(self.core.import()?))
    }

    /// Records who did what.
    ///
    /// # Errors
    /// `undeclared` when `wharf.toml` lacks `audit = 1` under `[services]`.
    pub fn audit(&self) -> Result<Audit, Fault> {
        Ok(Audit::new(self.core.import()?))
    }

    /// Publishes events.
    ///
    /// # Errors
    /// `undeclared` when `wharf.toml` lacks `events = 1` under `[services]`.
    pub fn events(&self) -> Result<Events, Fault> {
        Ok(Events::new(self.core.import()?))
    }

    /// Asks for runs of this module's jobs.
    ///
    /// # Errors
    /// `undeclared` when `wharf.toml` lacks `scheduler = 1` under `[services]`.
    pub fn jobs(&self) -> Result<Scheduler, Fault> {
        Ok(Scheduler::new(self.core.import()?))
    }

    /// A gRPC channel to another module, in the name of whoever called this one. Give it to a client that tonic generated.
    ///
    /// # Errors
    /// `undeclared` when `wharf.toml` lacks `channel = 1` under `[services]`, or the module under `[modules]`.
    pub fn channel(&self, module: &str) -> Result<Channel, Fault> {
        Channel::open(&self.core, module, wharf_plugin_api::services::channel::Behalf::CALLER)
    }

    /// The same handle, for calls in the module's own name.
    #[must_use]
    pub fn own(&self) -> Own {
        Own(self.clone())
    }

    /// Sleeps. Works with every `runtime`.
    pub async fn sleep(&self, time: Duration) {
        self.core.sleep(time).await;
    }

    /// Runs a task until it ends or the instance does. Its panics are contained and counted. Works with every `runtime`.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Core::spawn(&self.core, task);
    }

    /// Runs `work` as this instance: for threads the module started itself, so that their log lines and panics are told apart.
    pub fn enter<R>(&self, work: impl FnOnce() -> R) -> R {
        let _entered = crate::bridge::scope::enter(&self.core, None);
        work()
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Context").field(&self.core.identity).finish()
    }
}

/// A [`Context`] that acts in the module's own name instead of its caller's.
#[derive(Clone, Debug)]
pub struct Own(Context);

impl Own {
    /// A gRPC channel to another module, in this module's own name.
    ///
    /// # Errors
    /// As [`Context::channel`].
    pub fn channel(&self, module: &str) -> Result<Channel, Fault> {
        Channel::open(&self.0.core, module, wharf_plugin_api::services::channel::Behalf::OWN)
    }
}

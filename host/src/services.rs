//! The core services given to modules, one file each: check the import, then call a port.
//!
//! A [`Provider`] is the host as one instance sees it. To add a core service: a file here and a line in the list below, a
//! file and a line in `plugin-api/src/services`, a file in the SDK.

mod audit;
mod authz;
mod backends;
mod blobs;
mod cache;
mod channel;
mod config;
pub(crate) mod database;
mod entered;
mod errors;
mod events;
mod health;
mod log;
mod metrics;
pub mod migrations;
mod notifier;
mod runtime;
mod scheduler;
mod secrets;
mod spans;
mod traced;
mod work;

use std::sync::{Arc, OnceLock};

use wharf_manifest::Manifest;
use wharf_plugin_api::abi_stable::sabi_trait::TD_Opaque;
use wharf_plugin_api::abi_stable::std_types::{RArc, RResult, RStr};
use wharf_plugin_api::host::{HostApi, HostApi_TO, HostRef, Identity};
use wharf_plugin_api::object::{Interface, Room};
use wharf_plugin_api::{Fault, FaultCode, guard};

pub(crate) use database::handles::Loan;

pub use backends::{Backends, CacheLimits};
pub use channel::Channels;
pub use errors::{ErrorEvent, ErrorSink};
pub use spans::Spans;
pub use work::{Work, WorkSettings};

use crate::modules::belongings::Belongings;
use crate::modules::current;
use crate::modules::endpoint::CallInfo;
use crate::modules::standing::Standing;
use crate::ports::database::{DbError, DbErrorKind};
use crate::security::{Authorizer, Principal};
use crate::telemetry::{Metrics, ModuleLog};

/// What all instances of a host share.
#[derive(Clone)]
pub struct Shared {
    /// Name of this node.
    pub node: String,
    /// Where events of modules go.
    pub log: ModuleLog,
    /// Spans that are open.
    pub spans: Arc<Spans>,
    /// Where series of modules go.
    pub metrics: Metrics,
    /// The way to other modules.
    pub channels: Arc<dyn Channels>,
    /// Says what callers may.
    pub authorizer: Arc<dyn Authorizer>,
    /// Where reports of failures go, beside the log and a counter.
    pub error_sinks: Vec<Arc<dyn ErrorSink>>,
    /// The outside systems behind the core services.
    pub backends: Backends,
    /// Events and jobs.
    pub work: Work,
    /// The host's runtime, for tasks of modules that have none.
    pub runtime: tokio::runtime::Handle,
}

/// The host as one instance sees it.
#[derive(Clone)]
pub struct Provider(Arc<Inner>);

struct Inner {
    standing: Arc<Standing>,
    manifest: Arc<Manifest>,
    /// The module in its own name, with what its manifest asks for.
    own: Principal,
    /// The module's config section as JSON.
    section: String,
    shared: Shared,
    log: Arc<log::LogState>,
    runtime: Arc<runtime::TaskSet>,
    /// Empty for a module that does not import `database`.
    database: OnceLock<database::Holding>,
    /// Empty for a module that gave none.
    templates: notifier::Given,
}

impl Inner {
    /// The module in its own name.
    fn own_principal(&self) -> Principal {
        self.own.clone()
    }

    /// What `read` gives of the call, event or run that this instance works on, on this thread; none when it works on none, as in
    /// a task that was spawned.
    fn with_call<R>(&self, read: impl FnOnce(&CallInfo) -> R) -> Option<R> {
        current::with(|standing, call| {
            let is_here = standing.is_some_and(|standing| Arc::ptr_eq(standing, &self.standing));
            call.filter(|_| is_here).map(read)
        })
    }
}

impl Provider {
    /// For one instance, with its config section.
    #[must_use]
    pub fn new(standing: Arc<Standing>, manifest: Arc<Manifest>, section: String, shared: Shared) -> Self {
        let log = log::LogState::new(&standing, &shared);
        standing.set_log(shared.log.clone());
        Self(Arc::new(Inner {
            standing,
            own: own_principal(&manifest),
            manifest,
            section,
            shared,
            log,
            runtime: Arc::default(),
            database: OnceLock::new(),
            templates: OnceLock::new(),
        }))
    }

    /// Gets what a service needs that cannot be had without waiting: before the module is made.
    ///
    /// # Errors
    /// `UNAVAILABLE` when an outside system does not answer.
    pub(crate) async fn prepare(&self) -> Result<(), Fault> {
        self.0.open_database().await?;
        audit::prepare(&self.0).await?;
        notifier::prepare(&self.0).await
    }

    /// The module in its own name: as whom it handles events and runs jobs.
    pub(crate) fn own(&self) -> Principal {
        self.0.own_principal()
    }

    /// What the instance has of its database.
    pub(crate) fn holding(&self) -> Option<&database::Holding> {
        self.0.holding()
    }

    /// Rolls back and closes what the instance has open: it is quarantined and may never come back to do it.
    pub(crate) fn let_go(&self) {
        self.0.end_handles(false);
    }

    /// What crosses.
    #[must_use]
    pub fn host_ref(&self) -> HostRef {
        HostApi_TO::from_ptr(RArc::new(self.clone()), TD_Opaque)
    }

    /// Lends a transaction of the host to the instance; none when it has no database.
    pub(crate) fn lend_tx(&self, tx: crate::ports::database::TxId) -> Option<Loan> {
        self.0.lend_tx(tx)
    }

    /// What is kept for the work that a transaction was lent for.
    pub(crate) fn belongings_of(&self, loan: &Loan) -> Belongings {
        self.0.belongings_of(loan)
    }

    /// Ends everything the instance has of the host: services answer `Stopped`, tasks are dropped.
    pub fn retire(&self) {
        self.0.standing.retire();
        self.0.log.stop();
        self.0.runtime.abort_all();
        self.0.end_handles(true);
    }

    fn declared(&self, name: &str, major: u16) -> Result<(), Fault> {
        match self.0.manifest.services.get(name) {
            Some(listed) if *listed == u32::from(major) => Ok(()),
            Some(listed) => Err(Fault::new(
                FaultCode::UNDECLARED,
                format!(
                    "core service {name}@{major} is not declared: wharf.toml says `{name} = {listed}`; write `{name} = {major}` under [services]"
                ),
            )),
            None => Err(Fault::new(
                FaultCode::UNDECLARED,
                format!("core service {name}@{major} is not declared; add `{name} = {major}` under [services] in wharf.toml"),
            )),
        }
    }

    fn provide(&self, name: &str, major: u16, room: Room<'_>) -> Result<(), Fault> {
        if self.0.standing.is_retired() {
            return Err(stopped());
        }
        self.declared(name, major)?;
        macro_rules! provide {
            ($($service:ident => $object:ty;)*) => {
                match (name, major) {
                    $((<$object as Interface>::NAME, <$object as Interface>::MAJOR) => room.fill::<$object>($service::object(&self.0)),)*
                    _ => Err(Fault::new(FaultCode::UNSUPPORTED, format!("this host has no core service {name}@{major}"))),
                }
            };
        }
        use wharf_plugin_api::services as api;
        provide! {
            audit => api::audit::AuditRef;
            authz => api::authz::AuthzRef;
            blobs => api::blobs::BlobsRef;
            cache => api::cache::CacheRef;
            channel => api::channel::ChannelRef;
            config => api::config::ConfigRef;
            database => api::database::DatabaseRef;
            errors => api::errors::ErrorsRef;
            events => api::events::EventsRef;
            health => api::health::HealthRef;
            log => api::log::LogRef;
            metrics => api::metrics::MetricsRef;
            notifier => api::notifier::NotifierRef;
            runtime => api::runtime::RuntimeRef;
            scheduler => api::scheduler::SchedulerRef;
            secrets => api::secrets::SecretsRef;
        }
    }
}

/// What an instance has of the host while it is made. However that ends, short of an instance, its services and tasks end too:
/// by a fault, by an export that does not fit, or because the deadline dropped the future.
pub(crate) struct Unfinished(Option<Provider>);

impl Unfinished {
    pub(crate) fn new(provider: &Provider) -> Self {
        Self(Some(provider.clone()))
    }

    /// It has become an instance, which ends by itself.
    pub(crate) fn finish(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(provider) = &self.0 {
            provider.retire();
        }
    }
}

impl HostApi for Provider {
    fn identity(&self) -> Identity {
        let who = &self.0.standing.who;
        Identity {
            module: who.module.as_str().into(),
            version: who.version.as_str().into(),
            generation: who.generation,
            instance: who.instance,
            node: self.0.shared.node.as_str().into(),
            host_version: env!("CARGO_PKG_VERSION").into(),
        }
    }

    fn service(&self, name: RStr<'_>, major: u16, room: Room<'_>) -> RResult<(), Fault> {
        guard(|| self.provide(&name, major, room)).unwrap_or_else(Err).into()
    }
}

/// A module may do to others what its manifest asks for, and to itself whatever it likes.
fn own_principal(manifest: &Manifest) -> Principal {
    let asked = manifest.modules.values().flat_map(|required| required.permissions.iter().cloned());
    let own = std::iter::once(format!("{}.*", manifest.id));
    Principal::module(&manifest.id, asked.chain(own).collect())
}

/// What a service that writes in a module's space says of a database that did not.
fn database_code(error: &DbError) -> FaultCode {
    match error.kind {
        DbErrorKind::Full => FaultCode::FULL,
        _ => FaultCode::UNAVAILABLE,
    }
}

fn stopped() -> Fault {
    Fault::new(FaultCode::STOPPED, "this instance was stopped")
}

//! What an instance has of its host.

use std::future::Future;
use std::sync::atomic::AtomicU8;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use tokio::runtime::{Handle, Runtime};
use wharf_plugin_api::abi_stable::std_types::RString;
use wharf_plugin_api::future::FfiFuture;
use wharf_plugin_api::host::{HostRef, Identity, import};
use wharf_plugin_api::object::Interface;
use wharf_plugin_api::root::Linkage;
use wharf_plugin_api::services::config::ConfigRef;
use wharf_plugin_api::services::log::LogRef;
use wharf_plugin_api::services::runtime::RuntimeRef;
use wharf_plugin_api::{Fault, FaultCode};

use super::create::{RuntimeKind, Setup};
use super::{image, scope};
use crate::services::cache::CacheState;

/// One instance: its host, its services, its runtime. Everything of the SDK that an instance has is in here.
pub(crate) struct Core {
    pub(crate) identity: Identity,
    pub(crate) linkage: Linkage,
    pub(crate) log: Option<LogRef>,
    /// Most detailed level anyone wants of this instance, as the log service says.
    pub(crate) level: AtomicU8,
    pub(crate) runtime: Tasks,
    /// The cache, once it was asked for: all handles of an instance share its loads.
    pub(crate) cache: OnceLock<CacheState>,
    /// What sea-orm needs to know of the module's tables.
    #[cfg(feature = "database")]
    pub(crate) database: super::database::Database,
    host: HostRef,
}

/// Where the instance's tasks run.
pub(crate) enum Tasks {
    /// In a runtime of its own, entered in every entry point.
    Own(Option<Runtime>),
    /// In the runtime of the program it is linked into.
    Program(Handle),
    /// In the host's runtime, through the service `runtime`, if it was imported.
    Host(Option<RuntimeRef>),
}

impl Core {
    pub(crate) fn new(host: HostRef, linkage: Linkage, setup: &Setup) -> Result<Arc<Self>, Fault> {
        let identity = host.identity();
        let log = optional(import::<LogRef>(&host))?;
        let runtime = match (linkage, setup.runtime) {
            (_, RuntimeKind::None) => Tasks::Host(optional(import::<RuntimeRef>(&host))?),
            (Linkage::STATIC, RuntimeKind::Tokio) => Tasks::Program(Handle::try_current().map_err(|e| {
                Fault::new(
                    FaultCode::UNAVAILABLE,
                    format!("a linked-in module is created inside the host's tokio runtime: {e}"),
                )
            })?),
            (_, RuntimeKind::Tokio) => Tasks::Own(None),
        };
        let mut core = Self {
            identity,
            linkage,
            log,
            level: AtomicU8::new(0),
            runtime,
            cache: OnceLock::new(),
            #[cfg(feature = "database")]
            database: super::database::Database::default(),
            host,
        };
        let core = if matches!(core.runtime, Tasks::Own(_)) {
            let (name, seat) = (core.identity.module.to_string(), Arc::new(OnceLock::<Weak<Self>>::new()));
            core.runtime = Tasks::Own(Some(own_runtime(&name, seat.clone())?));
            let core = Arc::new(core);
            // The runtime's threads learn who they work for before the first task runs on them.
            drop(seat.set(Arc::downgrade(&core)));
            core
        } else {
            Arc::new(core)
        };
        image::adopt(&core);
        Ok(core)
    }

    pub(crate) fn import<S: Interface>(&self) -> Result<S, Fault> {
        import(&self.host)
    }

    /// The config section, `{}` when the service was not imported.
    pub(crate) fn section(&self) -> Result<RString, Fault> {
        Ok(optional(import::<ConfigRef>(&self.host))?.map_or_else(|| "{}".into(), |config| config.section()))
    }

    pub(crate) async fn sleep(&self, time: Duration) {
        match &self.runtime {
            Tasks::Host(Some(service)) => {
                let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                drop(service.sleep(milliseconds).await);
            }
            Tasks::Host(None) => undeclared(),
            Tasks::Own(_) | Tasks::Program(_) => tokio::time::sleep(time).await,
        }
    }

    /// Whether [`Core::spawn`] and [`Core::sleep`] work: not without a runtime and the service `runtime`.
    pub(crate) fn can_spawn(&self) -> bool {
        !matches!(self.runtime, Tasks::Host(None))
    }

    pub(crate) fn spawn<F>(core: &Arc<Self>, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let task = scope::Scoped::new(core.clone(), task);
        match &core.runtime {
            Tasks::Own(Some(runtime)) => drop(runtime.spawn(task)),
            Tasks::Own(None) => {}
            Tasks::Program(handle) => drop(handle.spawn(task)),
            Tasks::Host(Some(service)) => drop(service.spawn(FfiFuture::new(async move {
                task.await;
                Ok(())
            }))),
            Tasks::Host(None) => undeclared(),
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        if let Tasks::Own(runtime) = &mut self.runtime
            && let Some(runtime) = runtime.take()
        {
            // Dropping a runtime waits for its threads, which a thread that polls futures must not do.
            runtime.shutdown_background();
        }
    }
}

/// A mistake of the author that no type can catch: it fails the call and names the missing line.
#[allow(clippy::panic, reason = "like tokio's own timers, these have no result to carry it")]
fn undeclared() -> ! {
    panic!("sleep and spawn with runtime = \"none\" need `runtime = 1` under [services] in wharf.toml")
}

/// One worker and timers and sockets: enough for what crates on tokio do in the background.
fn own_runtime(module: &str, seat: Arc<OnceLock<Weak<Core>>>) -> Result<Runtime, Fault> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(16)
        .thread_name(module.chars().take(15).collect::<String>())
        .on_thread_start(move || scope::sit_down(seat.clone()))
        .enable_all()
        .build()
        .map_err(|e| Fault::from_error(FaultCode::UNAVAILABLE, &e))
}

/// A service that the manifest does not list is left out; any other fault is one.
fn optional<S>(imported: Result<S, Fault>) -> Result<Option<S>, Fault> {
    match imported {
        Ok(service) => Ok(Some(service)),
        Err(fault) if fault.code == FaultCode::UNDECLARED => Ok(None),
        Err(fault) => Err(fault),
    }
}

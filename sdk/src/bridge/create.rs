//! Makes an instance of a module, and is that instance for the host.

use std::future::Future;
use std::mem::ManuallyDrop;
use std::sync::Arc;

use axum::Router;
use wharf_plugin_api::abi_stable::sabi_trait::TD_Opaque;
use wharf_plugin_api::abi_stable::std_types::{RBox, RResult, RSlice, RStr};
use wharf_plugin_api::exports::events::EventsExport;
use wharf_plugin_api::exports::http::{HttpExport, HttpRoute};
use wharf_plugin_api::exports::jobs::JobsExport;
use wharf_plugin_api::exports::migrations::MigrationsExport;
use wharf_plugin_api::exports::openapi::OpenApiExport;
use wharf_plugin_api::future::FfiFuture;
use wharf_plugin_api::host::HostRef;
use wharf_plugin_api::module::{Health as FfiHealth, ModuleApi, ModuleApi_TO, ModuleRef};
use wharf_plugin_api::object::{AnyObject, Interface};
use wharf_plugin_api::root::{ABI, Linkage, Root, Root_Ref, leak};
use wharf_plugin_api::services::notifier::NotifierRef;
use wharf_plugin_api::{Fault, FaultCode, guard, guard_drop};

use super::core::Core;
use super::scope::{self, Scoped};
use super::serve::Lanes;
use crate::context::Context;
use crate::events::{EventsObject, Handlers};
use crate::jobs::{Jobs, JobsObject};
use crate::migrations::Migrations;
use crate::module::{Error, Module};
use crate::services::mail::MailTemplates;

/// What `export_module!` knows at compile time.
#[derive(Debug)]
pub struct Setup {
    /// The embedded section.
    pub manifest: &'static [u8],
    /// `runtime` in `wharf.toml`.
    pub runtime: RuntimeKind,
    /// Whether `wharf.toml` names a config schema.
    pub has_schema: bool,
}

/// `runtime` in `wharf.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuntimeKind {
    /// One of its own.
    Tokio,
    /// None.
    None,
}

/// The root behind the symbol. Called once for each image.
#[must_use]
pub fn make_root(
    manifest: extern "C" fn() -> RSlice<'static, u8>,
    create: extern "C" fn(HostRef, Linkage) -> FfiFuture<ModuleRef>,
) -> Root_Ref {
    leak(Root {
        abi: ABI,
        manifest,
        create,
    })
}

/// Makes one instance.
pub fn create<M: Module>(host: HostRef, linkage: Linkage, setup: &'static Setup) -> FfiFuture<ModuleRef> {
    FfiFuture::new(async move {
        let core = Core::new(host, linkage, setup)?;
        #[cfg(feature = "database")]
        {
            let _entered = scope::enter(&core, None);
            let entities = M::entities();
            core.set_entities(if M::routes().has_idempotent() {
                entities.with(crate::idempotency::entity())
            } else {
                entities
            });
        }
        let config = read_config::<M>(&core)?;
        give_templates(&core, M::templates())?;
        let module = {
            let core = core.clone();
            Scoped::new(core.clone(), async move {
                M::init(Context::new(core), config)
                    .await
                    .map_err(|e| failed("could not be created", &*e))
            })
        };
        let module = Arc::new(module.await?);
        let _entered = scope::enter(&core, None);
        let (http, routes) = M::routes().into_parts(module.clone());
        let grpc = module.grpc().into_router();
        let (events, jobs) = (Arc::new(M::events()), Arc::new(M::jobs()));
        let instance = Instance {
            core: ManuallyDrop::new(core.clone()),
            module: ManuallyDrop::new(module),
            http,
            grpc,
            routes,
            events,
            jobs,
        };
        Ok(ModuleApi_TO::from_ptr(RBox::new(Outer(ManuallyDrop::new(instance))), TD_Opaque))
    })
}

/// A mistake in a template is known before a mail has to be sent.
fn give_templates(core: &Core, templates: MailTemplates) -> Result<(), Fault> {
    if templates.is_empty() {
        return Ok(());
    }
    core.import::<NotifierRef>()?.templates(templates.into_files()).into_result()
}

/// The module's own, and those of what it uses of the SDK.
fn migrations<M: Module>() -> Migrations {
    let migrations = M::migrations();
    #[cfg(feature = "database")]
    if M::routes().has_idempotent() {
        return migrations.then(crate::idempotency::migration());
    }
    migrations
}

fn read_config<M: Module>(core: &Core) -> Result<M::Config, Fault> {
    let section = core.section()?;
    let mut json = serde_json::Deserializer::from_str(&section);
    serde_path_to_error::deserialize(&mut json).map_err(|e| {
        let path = e.path().to_string();
        let place = if path == "." { String::new() } else { format!(".{path}") };
        Fault::new(
            FaultCode::CONFIG,
            format!("modules.{}{place}: {}", core.identity.module, without_value(&e.inner().to_string())),
        )
    })
}

/// What serde says without the value it found, which may be a secret.
fn without_value(error: &str) -> String {
    let tells_value = ["invalid type: ", "invalid value: ", "unknown variant "]
        .iter()
        .any(|kind| error.starts_with(kind));
    match error.rsplit_once(", expected ") {
        Some((_, expected)) if tells_value => format!("found another value, expected {expected}"),
        _ => error.to_owned(),
    }
}

fn failed(what: &str, error: &(dyn std::error::Error + Send + Sync + 'static)) -> Fault {
    let mut fault = Fault::from_error(FaultCode::FAILED, error);
    fault.message = format!("the module {what}: {error}").into();
    fault
}

/// An instance whose drop is guarded and entered.
struct Outer<M: Module>(ManuallyDrop<Instance<M>>);

struct Instance<M: Module> {
    core: ManuallyDrop<Arc<Core>>,
    module: ManuallyDrop<Arc<M>>,
    http: Router,
    grpc: Router,
    routes: Vec<HttpRoute>,
    events: Arc<Handlers<M>>,
    jobs: Arc<Jobs<M>>,
}

impl<M: Module> Drop for Outer<M> {
    fn drop(&mut self) {
        // SAFETY: dropped once, here.
        let instance = unsafe { ManuallyDrop::take(&mut self.0) };
        guard_drop(move || {
            let Instance {
                core,
                module,
                http,
                grpc,
                routes,
                events,
                jobs,
            } = instance;
            let core = ManuallyDrop::into_inner(core);
            let entered = scope::enter(&core, None);
            guard_drop(|| drop((http, grpc, routes)));
            guard_drop(|| drop((events, jobs)));
            guard_drop(|| drop(ManuallyDrop::into_inner(module)));
            drop(entered);
            guard_drop(|| drop(core));
        });
    }
}

impl<M: Module> Instance<M> {
    fn step<F>(&self, what: &'static str, run: impl FnOnce(Arc<M>) -> F + Send + 'static) -> FfiFuture<()>
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let module = Arc::clone(&self.module);
        FfiFuture::new(Scoped::new(Arc::clone(&self.core), async move {
            run(module).await.map_err(|e| failed(what, &*e))
        }))
    }

    fn events_export(&self) -> EventsExport {
        EventsObject::export(Arc::clone(&self.core), Arc::clone(&self.module), self.events.clone())
    }

    fn jobs_export(&self) -> JobsExport {
        JobsObject::export(Arc::clone(&self.core), Arc::clone(&self.module), self.jobs.clone())
    }

    fn http_export(&self) -> HttpExport {
        let lanes = Lanes {
            core: Arc::clone(&self.core),
            http: self.http.clone(),
            grpc: self.grpc.clone(),
        };
        HttpExport {
            service: wharf_bridge::export(Arc::new(lanes)),
            routes: self.routes.clone().into(),
        }
    }
}

impl<M: Module> ModuleApi for Outer<M> {
    fn start(&self) -> FfiFuture<()> {
        guard(|| self.0.step("could not be started", |module| async move { module.start().await }))
            .unwrap_or_else(|fault| FfiFuture::ready(Err(fault)))
    }

    fn stop(&self) -> FfiFuture<()> {
        guard(|| self.0.step("could not be stopped", |module| async move { module.stop().await }))
            .unwrap_or_else(|fault| FfiFuture::ready(Err(fault)))
    }

    fn health(&self) -> FfiFuture<FfiHealth> {
        guard(|| {
            let module = Arc::clone(&self.0.module);
            FfiFuture::new(Scoped::new(Arc::clone(&self.0.core), async move {
                let health = module.health().await;
                Ok(FfiHealth {
                    state: health.state,
                    detail: health.detail.into(),
                })
            }))
        })
        .unwrap_or_else(|fault| FfiFuture::ready(Err(fault)))
    }

    fn export(&self, name: RStr<'_>, major: u16) -> RResult<AnyObject, Fault> {
        guard(|| match (name.as_str(), major) {
            (HttpExport::NAME, HttpExport::MAJOR) => RResult::ROk(AnyObject::new(self.0.http_export())),
            (MigrationsExport::NAME, MigrationsExport::MAJOR) => {
                let _entered = scope::enter(&self.0.core, None);
                RResult::ROk(AnyObject::new(migrations::<M>().export()))
            }
            (OpenApiExport::NAME, OpenApiExport::MAJOR) => {
                let _entered = scope::enter(&self.0.core, None);
                match M::openapi().into_document() {
                    Some(document) => RResult::ROk(AnyObject::new(OpenApiExport {
                        document: document.to_string().into(),
                    })),
                    None => RResult::RErr(Fault::new(FaultCode::UNSUPPORTED, "this module has no OpenAPI document")),
                }
            }
            (EventsExport::NAME, EventsExport::MAJOR) if !self.0.events.is_empty() => RResult::ROk(AnyObject::new(self.0.events_export())),
            (JobsExport::NAME, JobsExport::MAJOR) if !self.0.jobs.is_empty() => RResult::ROk(AnyObject::new(self.0.jobs_export())),
            _ => RResult::RErr(Fault::new(
                FaultCode::UNSUPPORTED,
                format!("this module has no export {name}@{major}"),
            )),
        })
        .unwrap_or_else(RResult::RErr)
    }
}

#[cfg(test)]
mod tests {
    use super::without_value;

    #[test]
    fn values_in_errors_of_serde_are_not_shown() {
        for (error, shown) in [
            ("invalid type: string \"s3cret\", expected u64", "found another value, expected u64"),
            (
                "invalid value: integer `7`, expected u8 at line 1",
                "found another value, expected u8 at line 1",
            ),
            (
                "unknown variant `s3cret, expected x`, expected `a` or `b`",
                "found another value, expected `a` or `b`",
            ),
            (
                "unknown field `colour`, expected `color`",
                "unknown field `colour`, expected `color`",
            ),
            ("missing field `name`", "missing field `name`"),
        ] {
            assert_eq!(without_value(error), shown);
        }
    }
}

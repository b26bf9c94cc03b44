//! The jobs of a module, and their way to the host.

use std::collections::BTreeMap;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use wharf_plugin_api::abi_stable::sabi_trait::TD_Opaque;
use wharf_plugin_api::abi_stable::std_types::{RArc, RVec};
use wharf_plugin_api::exports::jobs::{JobHandlers, JobHandlers_TO, JobsExport, OfferedJob, Run};
use wharf_plugin_api::future::FfiFuture;
use wharf_plugin_api::{Fault, FaultCode, guard, guard_drop};

use super::{JobContext, Payload};
use crate::bridge::core::Core;
use crate::bridge::scope::{self, Scoped};
use crate::module::{Error, Module};

type Running = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;
type Start<M> = Box<dyn Fn(Arc<M>, Run) -> Result<Running, Fault> + Send + Sync>;

/// A job: an async function of the module and the context.
#[diagnostic::on_unimplemented(
    message = "this is no job",
    note = "it needs the form `async fn job(self: Arc<Self>, ctx: JobContext) -> Result<(), wharf_sdk::Error>`"
)]
pub trait JobHandler<M>: Send + Sync + 'static {
    /// Runs it.
    fn run(&self, module: Arc<M>, context: JobContext) -> Running;
}

/// A job with a payload: an async function of the module, the payload and the context.
#[diagnostic::on_unimplemented(
    message = "this is no job with the payload `{P}`",
    note = "it needs the form `async fn job(self: Arc<Self>, payload: {P}, ctx: JobContext) -> Result<(), wharf_sdk::Error>`"
)]
pub trait PayloadHandler<M, P>: Send + Sync + 'static {
    /// Runs it.
    fn run(&self, module: Arc<M>, payload: P, context: JobContext) -> Running;
}

impl<M, F, Fut> JobHandler<M> for F
where
    F: Fn(Arc<M>, JobContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Error>> + Send + 'static,
{
    fn run(&self, module: Arc<M>, context: JobContext) -> Running {
        Box::pin(self(module, context))
    }
}

impl<M, P, F, Fut> PayloadHandler<M, P> for F
where
    F: Fn(Arc<M>, P, JobContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Error>> + Send + 'static,
{
    fn run(&self, module: Arc<M>, payload: P, context: JobContext) -> Running {
        Box::pin(self(module, payload, context))
    }
}

/// The jobs of a module: `Jobs::new().job("cleanup", Self::cleanup)`. Each is listed in `wharf.toml` under `[[jobs]]`, which
/// also says when it runs.
#[must_use]
pub struct Jobs<M> {
    offered: Vec<OfferedJob>,
    jobs: BTreeMap<String, Start<M>>,
    module: PhantomData<fn(M)>,
}

impl<M: Module> Default for Jobs<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Module> Jobs<M> {
    /// None.
    pub fn new() -> Self {
        Self {
            offered: Vec::new(),
            jobs: BTreeMap::new(),
            module: PhantomData,
        }
    }

    /// Adds a job that takes nothing.
    pub fn job(self, name: &str, handler: impl JobHandler<M>) -> Self {
        let start = move |module: Arc<M>, run: Run| Ok(handler.run(module, JobContext::new(run)));
        self.add(name, String::new(), Box::new(start))
    }

    /// Adds a job with a payload: it is run only when somebody asks for it with one.
    pub fn job_with<P: Payload>(self, name: &str, handler: impl PayloadHandler<M, P>) -> Self {
        let start = move |module: Arc<M>, run: Run| {
            let payload = payload::<P>(&run)?;
            Ok(handler.run(module, payload, JobContext::new(run)))
        };
        let schema = serde_json::to_string(&schemars::schema_for!(P)).unwrap_or_default();
        self.add(name, schema, Box::new(start))
    }

    fn add(mut self, name: &str, schema: String, start: Start<M>) -> Self {
        self.offered.push(OfferedJob {
            name: name.into(),
            schema: schema.into(),
        });
        self.jobs.insert(name.to_owned(), start);
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.offered.is_empty()
    }
}

/// A payload that does not fit will not fit in the next try either.
fn payload<P: Payload>(run: &Run) -> Result<P, Fault> {
    let invalid = |error: &dyn std::fmt::Display| Fault::new(FaultCode::INVALID, format!("the payload of job {}: {error}", run.job));
    let text: &[u8] = if run.payload.is_empty() { b"null" } else { &run.payload };
    let value: serde_json::Value = serde_json::from_slice(text).map_err(|error| invalid(&error))?;
    if run.payload_version == P::VERSION {
        serde_path_to_error::deserialize(value).map_err(|error| invalid(&error))
    } else {
        P::upgrade(run.payload_version, value).map_err(|error| invalid(&error))
    }
}

impl<M> std::fmt::Debug for Jobs<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.offered).finish()
    }
}

/// What the host gets.
pub(crate) struct JobsObject<M: Module>(Arc<Held<M>>);

struct Held<M: Module> {
    core: Arc<Core>,
    /// Taken out in its drop.
    inside: Option<(Arc<M>, Arc<Jobs<M>>)>,
}

impl<M: Module> JobsObject<M> {
    pub(crate) fn export(core: Arc<Core>, module: Arc<M>, jobs: Arc<Jobs<M>>) -> JobsExport {
        let held = Held {
            core,
            inside: Some((module, jobs)),
        };
        JobHandlers_TO::from_ptr(RArc::new(Self(Arc::new(held))), TD_Opaque)
    }
}

impl<M: Module> Clone for JobsObject<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M: Module> Held<M> {
    fn inside(&self) -> Option<&(Arc<M>, Arc<Jobs<M>>)> {
        self.inside.as_ref()
    }
}

/// The jobs may be the last to hold the module: its drop runs as the instance.
impl<M: Module> Drop for Held<M> {
    fn drop(&mut self) {
        let core = self.core.clone();
        let _entered = scope::enter(&core, None);
        if let Some((module, jobs)) = self.inside.take() {
            guard_drop(|| drop(jobs));
            guard_drop(|| drop(module));
        }
    }
}

impl<M: Module> JobHandlers for JobsObject<M> {
    fn jobs(&self) -> RVec<OfferedJob> {
        guard(|| self.0.inside().map(|(_, jobs)| jobs.offered.clone().into()).unwrap_or_default()).unwrap_or_default()
    }

    fn run(&self, run: Run) -> FfiFuture<()> {
        let held = self.0.clone();
        guard(|| {
            let core = held.core.clone();
            FfiFuture::new(Scoped::of_own(core, async move { start(&held, run).await }))
        })
        .unwrap_or_else(|fault| FfiFuture::ready(Err(fault)))
    }
}

async fn start<M: Module>(held: &Held<M>, run: Run) -> Result<(), Fault> {
    let unknown = || Fault::new(FaultCode::NOT_FOUND, format!("found no job {:?} in this build", run.job.as_str()));
    let (module, jobs) = held.inside().ok_or_else(unknown)?;
    let job = jobs.jobs.get(run.job.as_str()).ok_or_else(unknown)?;
    let running = job(Arc::clone(module), run)?;
    running.await.map_err(|error| Fault::from_error(FaultCode::FAILED, &*error))
}

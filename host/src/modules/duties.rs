//! What an instance does beside answering calls: its handlers of events and its jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wharf_manifest::Manifest;
use wharf_plugin_api::exports::events::{Delivery, EventsExport, Order, StartFrom, Subscription};
use wharf_plugin_api::exports::jobs::{JobsExport, Run};
use wharf_plugin_api::future::FfiFuture;
use wharf_plugin_api::module::{ModuleRef, export};
use wharf_plugin_api::{Fault, FaultCode};

use super::belongings::Belongings;
use super::current;
use super::endpoint::CallInfo;
use super::instance::Instance;
use super::standing::{Gate, Standing};
use super::visiting::Visiting;
use crate::events::{EventLanes, EventSettings, Handles, HandlesFuture, Try, Wanted};
use crate::http::request_id::RequestId;
use crate::jobs::{JobLanes, JobSpec, RunTry, Runs};
use crate::ports::database::DbError;
use crate::ports::traces::SpanKind;
use crate::services::Work;
use crate::telemetry::traces::EventOrigin;
use crate::telemetry::{ActiveSpan, TraceContext};

/// What an instance exported.
#[derive(Default)]
pub(super) struct Duties {
    events: Option<EventsExport>,
    jobs: Option<JobsExport>,
    wanted: Vec<Wanted>,
    published: Vec<(String, String)>,
    specs: Vec<JobSpec>,
}

/// An instance at work: it ends when it has drained.
#[derive(Default)]
pub(super) struct AtWork(Mutex<Option<(EventLanes, JobLanes)>>);

impl Duties {
    /// Asks an instance, and holds it to its manifest.
    pub(super) fn ask(module: &ModuleRef, manifest: &Manifest, settings: &EventSettings) -> Result<Self, Fault> {
        let mut duties = Self {
            events: export(module)?,
            jobs: export(module)?,
            ..Self::default()
        };
        if let Some(events) = &duties.events {
            let listed = events.subscriptions();
            let mut names = BTreeSet::new();
            for subscription in &listed {
                if !names.insert(subscription.name.as_str()) {
                    let text = format!(
                        "found two subscriptions named {:?}; each needs a name of its own",
                        subscription.name.as_str()
                    );
                    return Err(Fault::new(FaultCode::INVALID, text));
                }
                duties.wanted.push(wanted(subscription, manifest, settings)?);
            }
            duties.published = events
                .published()
                .into_iter()
                .map(|p| (p.event_type.into(), p.schema.into()))
                .collect();
        }
        duties.specs = specs(duties.jobs.as_ref(), manifest)?;
        Ok(duties)
    }

    fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.specs.is_empty()
    }
}

fn wanted(subscription: &Subscription, manifest: &Manifest, settings: &EventSettings) -> Result<Wanted, Fault> {
    let subject = subscription.event_type.as_str();
    if !manifest.events.subscribes.iter().any(|listed| listed == subject) {
        return Err(Fault::new(
            FaultCode::UNDECLARED,
            format!(
                "the subscription {:?} takes {subject:?}, which is not declared; add \"{subject}\" to `subscribes` under [events] in wharf.toml",
                subscription.name.as_str()
            ),
        ));
    }
    Ok(Wanted {
        name: subscription.name.as_str().to_owned(),
        event_type: subject.to_owned(),
        from_start: subscription.from == StartFrom::START,
        is_ordered: subscription.order != Order::NONE,
        concurrency: subscription.concurrency,
        max_attempts: if subscription.max_attempts == 0 {
            settings.max_attempts
        } else {
            subscription.max_attempts
        },
        timeout: match subscription.timeout_ms {
            0 => settings.timeout,
            milliseconds => Duration::from_millis(milliseconds),
        },
        schema: subscription.schema.as_str().to_owned(),
    })
}

/// Jobs of the manifest that have code, and code that has a line in the manifest: each needs the other.
fn specs(jobs: Option<&JobsExport>, manifest: &Manifest) -> Result<Vec<JobSpec>, Fault> {
    let offered: BTreeMap<String, String> = jobs.map_or_else(BTreeMap::new, |jobs| {
        jobs.jobs().into_iter().map(|job| (job.name.into(), job.schema.into())).collect()
    });
    let undeclared = offered.keys().find(|name| !manifest.jobs.iter().any(|job| job.name == **name));
    if let Some(name) = undeclared {
        let text = format!("the job {name:?} is not declared; add a [[jobs]] with `name = \"{name}\"` to wharf.toml");
        return Err(Fault::new(FaultCode::UNDECLARED, text));
    }
    let without_code = manifest.jobs.iter().find(|job| jobs.is_some() && !offered.contains_key(&job.name));
    if let Some(job) = without_code {
        let text = format!(
            "wharf.toml lists the job {:?} and the module has no code for it; add it in Module::jobs",
            job.name
        );
        return Err(Fault::new(FaultCode::INVALID, text));
    }
    let listed = manifest.jobs.iter().filter_map(|job| Some((job, offered.get(&job.name)?)));
    listed
        .map(|(job, schema)| JobSpec::new(job, schema.clone()).map_err(|error| Fault::from_error(FaultCode::INVALID, &error)))
        .collect()
}

impl Instance {
    /// Makes its subscriptions and schedules known: from then on nothing of them is missed.
    pub(super) async fn declare(&self, work: &Work) -> Result<(), DbError> {
        let services = &self.image.manifest.services;
        let has_space = ["audit", "database", "events", "scheduler"]
            .iter()
            .any(|name| services.contains_key(*name));
        if self.duties.is_empty() && !has_space {
            return Ok(());
        }
        let module = &self.standing.who.module;
        if services.contains_key("audit") {
            work.events.relay_records(module).await?;
        }
        // One that has none now may have had some before.
        work.events.declare(module, &self.duties.wanted).await?;
        if !self.duties.specs.is_empty() {
            work.jobs.declare(module, &self.duties.specs).await?;
        }
        work.events.show_schemas(module, self.duties.published.iter().cloned());
        Ok(())
    }

    /// Begins to handle events and to run jobs.
    pub(super) async fn go_to_work(self: &Arc<Self>, work: &Work) -> Result<(), DbError> {
        let module = &self.standing.who.module;
        work.jobs.show_jobs(module, &self.duties.specs);
        if self.duties.is_empty() {
            return Ok(());
        }
        let worker = Arc::new(Worker(self.clone()));
        let events = work
            .events
            .attach(module, self.standing.who.instance, &self.duties.wanted, worker.clone())
            .await?;
        let jobs = work.jobs.attach(module, &self.duties.specs, worker).await?;
        *self.at_work.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((events, jobs));
        Ok(())
    }

    /// Takes nothing new; what runs goes on.
    pub(super) fn stop_leasing(&self) {
        if let Some((events, jobs)) = &mut *self.at_work.0.lock().unwrap_or_else(PoisonError::into_inner) {
            events.stop_leasing();
            jobs.stop_leasing();
        }
    }

    /// Waits for what runs, and hands over what is left. `false` when something was cut.
    pub(super) async fn finish_work(&self, time: Duration) -> bool {
        let at_work = self.at_work.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((events, jobs)) = at_work else { return true };
        let (events, jobs) = futures_util::future::join(events.drain(time), jobs.drain(time)).await;
        events && jobs
    }
}

/// An instance as events and jobs see it.
struct Worker(Arc<Instance>);

impl Worker {
    /// The module works on it in its own name. It is no call: nobody waits for it, and no module made it. It goes on with the trace of
    /// whoever left it to be done.
    fn info(&self, came: Option<TraceContext>, belongings: Belongings) -> CallInfo {
        let TraceContext { trace_id, span_id, flags } = self.0.provider().origin(came);
        CallInfo {
            request_id: RequestId::random(),
            trace_id,
            span_id,
            trace_flags: flags,
            peer: None,
            deadline: None,
            deadline_is_named: false,
            caller: None,
            principal: self.0.provider().own(),
            belongings,
        }
    }

    /// The handling of an event, and its span below the publishing.
    fn delivery(&self, attempt: &Try, belongings: Belongings) -> (CallInfo, ActiveSpan) {
        let origin = EventOrigin::of(&attempt.envelope);
        let mut info = self.info(origin.context(), belongings);
        let name = || format!("process {}", origin.event_type);
        let mut span = self.0.provider().below(&mut info, SpanKind::Consumer, name);
        if span.is_recorded() {
            span.set("messaging.system", "wharf");
            span.set("messaging.operation.type", "process");
            span.set("messaging.destination.name", origin.event_type);
            span.set("messaging.message.id", origin.id);
            span.set("messaging.consumer.group.name", attempt.subscription.clone());
            span.set("wharf.attempt", attempt.attempt);
        }
        (info, span)
    }

    /// The run of a job, and its span: below whoever asked for it, or the first of a trace when it was due.
    fn job_run(&self, run: &RunTry) -> (CallInfo, ActiveSpan) {
        let mut info = self.info(TraceContext::parse(run.traceparent.as_bytes()), Belongings::default());
        let name = || format!("run {}", run.job);
        let mut span = self.0.provider().below(&mut info, SpanKind::Consumer, name);
        if span.is_recorded() {
            span.set("wharf.job", run.job.clone());
            span.set("wharf.job.run.id", run.id.clone());
            span.set("wharf.attempt", run.attempt);
        }
        (info, span)
    }

    fn begin(&self, info: CallInfo, start: impl FnOnce() -> FfiFuture<()>) -> Result<Visiting<()>, Fault> {
        let standing = &self.0.standing;
        if let Some(fault) = over(standing) {
            return Err(fault);
        }
        let future = {
            let _stay = current::stay(standing);
            start()
        };
        Ok(Visiting::on_worker_for(standing.clone(), future, info))
    }
}

fn over(standing: &Standing) -> Option<Fault> {
    match standing.gate() {
        Gate::Open | Gate::Draining => None,
        Gate::Cut => Some(Fault::new(FaultCode::STOPPED, "the module was stopped or replaced")),
        Gate::Quarantined => Some(Fault::new(FaultCode::STOPPED, "the module is quarantined; its status says why")),
    }
}

impl Handles for Worker {
    fn handle(&self, attempt: Try) -> HandlesFuture {
        let Some(events) = self.0.duties.events.clone() else {
            return Box::pin(std::future::ready(Err(Fault::new(
                FaultCode::UNSUPPORTED,
                "this module handles no events",
            ))));
        };
        let loan = attempt.tx.and_then(|tx| self.0.provider().lend_tx(tx));
        let belongings = loan.as_ref().map(|loan| self.0.provider().belongings_of(loan)).unwrap_or_default();
        let (info, span) = self.delivery(&attempt, belongings);
        let delivery = Delivery {
            subscription: attempt.subscription.into(),
            envelope: attempt.envelope.into(),
            attempt: attempt.attempt,
            max_attempts: attempt.max_attempts,
            timeout_ms: u64::try_from(attempt.timeout.as_millis()).unwrap_or(u64::MAX),
            tx: loan.as_ref().map_or(0, crate::services::Loan::id),
        };
        let begun = self.begin(info, || events.handle(delivery));
        Box::pin(async move {
            let handled = async { begun?.await };
            let done = span.around(handled, |fault| fault.code.name()).await;
            drop(loan);
            done
        })
    }

    fn wants_tx(&self) -> bool {
        self.0.image.manifest.services.contains_key("database")
    }
}

impl Runs for Worker {
    fn run(&self, run: RunTry) -> Pin<Box<dyn Future<Output = Result<(), Fault>> + Send>> {
        let Some(jobs) = self.0.duties.jobs.clone() else {
            return Box::pin(std::future::ready(Err(Fault::new(
                FaultCode::UNSUPPORTED,
                "this module runs no jobs",
            ))));
        };
        let (info, span) = self.job_run(&run);
        let mut cancelled = run.cancelled;
        let run = Run {
            job: run.job.into(),
            id: run.id.into(),
            payload: run.payload.into(),
            payload_version: run.payload_version,
            attempt: run.attempt,
            max_attempts: run.max_attempts,
            scheduled_ms: run.scheduled_ms,
            timeout_ms: u64::try_from(run.timeout.as_millis()).unwrap_or(u64::MAX),
            cancelled: FfiFuture::new(async move {
                // A sender that is gone is an end too.
                drop(cancelled.wait_for(|is_cancelled| *is_cancelled).await);
                Ok(())
            }),
        };
        let begun = self.begin(info, || jobs.run(run));
        Box::pin(async move {
            let ran = async { begun?.await };
            span.around(ran, |fault| fault.code.name()).await
        })
    }
}

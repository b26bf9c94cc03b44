//! `scheduler`: asks for runs of the jobs that the manifest lists.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use wharf_plugin_api::abi_stable::sabi_trait::TD_Opaque;
use wharf_plugin_api::abi_stable::std_types::{RArc, RString};
use wharf_plugin_api::future::FfiFuture;
use wharf_plugin_api::services::scheduler::{NewRun, Scheduler, Scheduler_TO, SchedulerRef};
use wharf_plugin_api::{Fault, FaultCode, guard};

use super::entered::Entered;
use super::{Inner, stopped};
use crate::jobs::{JobError, JobSpec, NewJobRun};

#[derive(Clone)]
struct Asking(Arc<Inner>);

pub(super) fn object(inner: &Arc<Inner>) -> SchedulerRef {
    Scheduler_TO::from_ptr(RArc::new(Asking(inner.clone())), TD_Opaque)
}

impl Asking {
    fn spec(&self, job: &str) -> Result<JobSpec, Fault> {
        let inner = &self.0;
        if inner.standing.is_retired() {
            return Err(stopped());
        }
        let listed = inner.manifest.jobs.iter().find(|listed| listed.name == job).ok_or_else(|| {
            Fault::new(
                FaultCode::UNDECLARED,
                format!("the job {job:?} is not declared; add a [[jobs]] with `name = \"{job}\"` to wharf.toml"),
            )
        })?;
        JobSpec::new(listed, String::new()).map_err(|error| Fault::from_error(FaultCode::INVALID, &error))
    }

    fn enqueue(&self, run: NewRun, tx: u64) -> Result<FfiFuture<RString>, Fault> {
        let spec = self.spec(&run.job)?;
        let tx = self.0.resolve_tx_or_alone(tx)?;
        let (mut span, traceparent) = self.0.leaves("enqueue", "");
        if span.is_recorded() {
            span.rename(format!("enqueue {}", run.job));
            span.set("messaging.system", "wharf");
            span.set("messaging.operation.type", "send");
            span.set("messaging.destination.name", format!("{}/{}", self.0.standing.who.module, run.job));
        }
        let run = NewJobRun {
            job: run.job.into(),
            not_before: self.not_before(run.not_before_ms, run.delay_ms)?,
            payload: run.payload.into(),
            payload_version: run.payload_version,
            dedup: Some(run.dedup.into_string()).filter(|dedup| !dedup.is_empty()),
            traceparent,
        };
        let (hub, module) = (self.0.shared.work.jobs.clone(), self.0.standing.who.module.clone());
        let asked = async move {
            let enqueued = span.around(hub.enqueue(&module, &spec, run, tx), |error| fault(error).code.name());
            let id = enqueued.await.map_err(|error| fault(&error))?;
            Ok(id.unwrap_or_default().into())
        };
        Ok(FfiFuture::new(Entered::new(self.0.shared.runtime.clone(), asked)))
    }

    fn not_before(&self, at_ms: i64, delay_ms: u64) -> Result<Option<Timestamp>, Fault> {
        let too_far = || Fault::new(FaultCode::INVALID, "the run is asked for a time beyond the year 9999");
        if at_ms != 0 {
            return Timestamp::from_millisecond(at_ms).map(Some).map_err(|_| too_far());
        }
        if delay_ms == 0 {
            return Ok(None);
        }
        let delay = SignedDuration::from_millis(i64::try_from(delay_ms).map_err(|_| too_far())?);
        let now = self.0.shared.backends.clock.now();
        now.checked_add(delay).map(Some).map_err(|_| too_far())
    }

    fn cancel(&self, id: String) -> Result<FfiFuture<bool>, Fault> {
        if self.0.standing.is_retired() {
            return Err(stopped());
        }
        self.0.may_take_writer()?;
        let (hub, module) = (self.0.shared.work.jobs.clone(), self.0.standing.who.module.clone());
        let cancelled = async move {
            let cancelled = hub.cancel(&module, &id).await;
            cancelled.map_err(|error| Fault::from_error(FaultCode::UNAVAILABLE, &error))
        };
        Ok(FfiFuture::new(Entered::new(self.0.shared.runtime.clone(), cancelled)))
    }
}

impl Scheduler for Asking {
    fn enqueue(&self, run: NewRun, tx: u64) -> FfiFuture<RString> {
        guard(|| Asking::enqueue(self, run, tx))
            .unwrap_or_else(Err)
            .unwrap_or_else(|fault| FfiFuture::ready(Err(fault)))
    }

    fn cancel(&self, id: RString) -> FfiFuture<bool> {
        guard(|| Asking::cancel(self, id.into()))
            .unwrap_or_else(Err)
            .unwrap_or_else(|fault| FfiFuture::ready(Err(fault)))
    }
}

fn fault(error: &JobError) -> Fault {
    let code = match error {
        JobError::Unknown { .. } => FaultCode::NOT_FOUND,
        JobError::Payload { .. } => FaultCode::INVALID,
        JobError::Database(error) => super::database_code(error),
    };
    Fault::from_error(code, error)
}

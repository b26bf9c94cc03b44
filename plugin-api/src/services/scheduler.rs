//! `scheduler`: asks for runs of the module's own jobs. The jobs themselves are its export `jobs`.

use abi_stable::StableAbi;
use abi_stable::sabi_trait;
use abi_stable::std_types::{RArc, RString, RVec};

use crate::future::FfiFuture;

/// A run that is asked for, owned by the host from then on.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct NewRun {
    /// Name of a job of this module, listed under `[[jobs]]` in the manifest.
    pub job: RString,
    /// JSON; empty for none.
    pub payload: RVec<u8>,
    /// Version of the payload's type.
    pub payload_version: u32,
    /// Not before: milliseconds since the epoch; 0 for now.
    pub not_before_ms: i64,
    /// Milliseconds from now, added to `not_before_ms` when that is 0.
    pub delay_ms: u64,
    /// While another run of this job with the same text is waiting or running, this one is not added; empty for none.
    pub dedup: RString,
}

/// The service.
#[sabi_trait]
pub trait Scheduler: Send + Sync + Clone + 'static {
    /// Adds a run and gives its id; empty when `dedup` says that there is one already. `tx` as in
    /// `Events::publish`. `UNDECLARED` when the manifest does not list the job, `INVALID`
    /// for a payload that is not JSON, `UNAVAILABLE` when the database does not answer.
    fn enqueue(&self, run: NewRun, tx: u64) -> FfiFuture<RString>;

    /// Takes a run out that has not begun; `false` when there is none, or it has begun.
    #[sabi(last_prefix_field)]
    fn cancel(&self, id: RString) -> FfiFuture<bool>;
}

/// The service object.
pub type SchedulerRef = Scheduler_TO<RArc<()>>;

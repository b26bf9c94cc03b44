//! `jobs`: what a module does when it is time, or when it is asked to.

use abi_stable::StableAbi;
use abi_stable::sabi_trait;
use abi_stable::std_types::{RArc, RString, RVec};

use crate::future::FfiFuture;

/// A job the module has code for. Owned by the receiver.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct OfferedJob {
    /// As under `[[jobs]]` in the manifest.
    pub name: RString,
    /// JSON schema of its payload; empty when it takes none.
    pub schema: RString,
}

/// One try of one run. Owned by the module.
#[repr(C)]
#[derive(StableAbi, Debug)]
pub struct Run {
    /// Name of the job.
    pub job: RString,
    /// Id of the run; the same in every try.
    pub id: RString,
    /// JSON; empty for none.
    pub payload: RVec<u8>,
    /// Version of the payload's type.
    pub payload_version: u32,
    /// Which try, counted from 1.
    pub attempt: u32,
    /// Tries there are.
    pub max_attempts: u32,
    /// When it was to run, milliseconds since the epoch.
    pub scheduled_ms: i64,
    /// Longest time for this try in milliseconds.
    pub timeout_ms: u64,
    /// Ready when the job should end soon: the instance is being replaced or stopped. What has not ended after the job's drain
    /// time is dropped, and run again elsewhere.
    pub cancelled: FfiFuture<()>,
}

/// The jobs.
#[sabi_trait]
pub trait JobHandlers: Send + Sync + Clone + 'static {
    /// All jobs. Called once, before `start`.
    fn jobs(&self) -> RVec<OfferedJob>;

    /// Runs one. A fault is a failed try; with the code `INVALID` it is not tried again. Dropping the future ends the try.
    #[sabi(last_prefix_field)]
    fn run(&self, run: Run) -> FfiFuture<()>;
}

/// The export. Owned by the host.
pub type JobsExport = JobHandlers_TO<RArc<()>>;

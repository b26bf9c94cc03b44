//! `runtime`: sleep and spawn on the host's runtime, for modules with `runtime = "none"`.

use abi_stable::sabi_trait;
use abi_stable::std_types::RArc;

use crate::future::FfiFuture;

/// The service.
#[sabi_trait]
pub trait Runtime: Send + Sync + Clone + 'static {
    /// Resolves after so many milliseconds; `STOPPED` when the instance ends first.
    fn sleep(&self, milliseconds: u64) -> FfiFuture<()>;

    /// Runs a task on the host's runtime. The future it gives resolves when the task has ended (with the task's fault,
    /// `CANCELLED` if it was aborted, or `STOPPED`); dropping that future leaves the task running. Tasks that are left
    /// when the instance ends are dropped.
    #[sabi(last_prefix_field)]
    fn spawn(&self, task: FfiFuture<()>) -> FfiFuture<()>;
}

/// The service object.
pub type RuntimeRef = Runtime_TO<RArc<()>>;

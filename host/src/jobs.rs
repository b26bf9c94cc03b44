//! Jobs: cron and one-off work of modules, one run across all nodes.
//!
//! A run is an item in the queue of the module's space. For a job with a schedule one task on each node waits for its time
//! (`clockwork`); the one that moves `last_fire_ms` in `wharf_schedule` puts the run, in the same transaction, so there is
//! one. A lane for each job (`running`) leases runs and gives them to the module; what became of each try is in
//! `wharf_runs`. In reading order: `cron` (when), `spec` (a job and its rules), `clockwork`, `running`, `hub`, `look`.

mod clockwork;
mod cron;
mod hub;
mod look;
mod running;
mod spec;
mod table;

pub use cron::{Cron, CronError};
pub(crate) use hub::JobLanes;
pub use hub::{JobError, JobHub, NewJobRun};
pub use look::{JobRow, RunRow};
pub use running::{RunTry, Runs};
pub use spec::JobSpec;

/// Rings when the schedules of a module are to be looked at again.
pub(crate) const CLOCK: crate::queue::Kind = crate::queue::Kind("clock");

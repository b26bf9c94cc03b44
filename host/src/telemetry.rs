//! Logs, metrics, traces, error reports.
//!
//! One host has one [`LogControl`], one [`LogSink`] and one [`Metrics`]. Only the binary installs them for the whole
//! process ([`install`]); tests keep several hosts in one process and use the handles.

pub mod module_log;
pub mod traces;

mod clean;
mod control;
mod directives;
mod format;
mod host_log;
mod metrics;
mod module_metrics;
mod record;
mod sink;

pub use clean::clean;
pub use control::{LevelCell, LogControl, Subscription};
pub use directives::{DirectiveError, Directives};
pub use host_log::{HostLog, InstallError, install};
pub use metrics::{Metrics, RouteMetrics};
pub use module_log::{ModuleEvent, ModuleLog};
pub use module_metrics::{MetricError, ModuleMetrics, SERIES_PER_MODULE};
pub use record::{FieldValue, SpanFields};
pub use sink::{Captured, CapturedEvent, LineFormat, LogSink};
pub use traces::{ActiveSpan, TraceContext, Tracer};

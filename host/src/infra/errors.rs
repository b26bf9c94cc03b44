//! Sinks of reports of failures: a file, a webhook, and what keeps a flood of equal ones away from them.

mod file;
mod grouped;
#[cfg(feature = "webhook")]
mod webhook;

pub use file::{FileSink, FileSinkConfig};
pub use grouped::Grouped;
#[cfg(feature = "webhook")]
pub use webhook::{WebhookError, WebhookSink};

/// Counts a report that a sink could not take.
fn dropped(sink: &'static str) {
    metrics::counter!("wharf_error_reports_dropped_total", "sink" => sink).increment(1);
}

//! `errors`: one report feeds the log, a counter and the sinks.

use std::sync::Arc;

use wharf_plugin_api::abi_stable::sabi_trait::TD_Opaque;
use wharf_plugin_api::abi_stable::std_types::RArc;
use wharf_plugin_api::guard_drop;
use wharf_plugin_api::services::errors::{ErrorReport, Errors, Errors_TO, ErrorsRef};

use super::{Inner, log};

pub use crate::ports::errors::{ErrorEvent, ErrorSink};

#[derive(Clone)]
struct Bus(Arc<Inner>);

pub(super) fn object(inner: &Arc<Inner>) -> ErrorsRef {
    Errors_TO::from_ptr(RArc::new(Bus(inner.clone())), TD_Opaque)
}

impl Errors for Bus {
    fn report(&self, report: &ErrorReport<'_>) {
        guard_drop(|| {
            let inner = &self.0;
            if inner.standing.is_retired() {
                return;
            }
            let event = ErrorEvent {
                at: inner.shared.backends.clock.now(),
                node: inner.shared.node.clone(),
                module: inner.standing.who.module.clone(),
                version: inner.standing.who.version.clone(),
                repeated: 0,
                kind: report.kind.as_str().to_owned(),
                message: report.message.as_str().to_owned(),
                chain: report.chain.iter().map(|cause| cause.as_str().to_owned()).collect(),
            };
            log::write_error(inner, &event, &report.fields);
            // Kinds are the module's words, so they are no label: their number has no limit.
            let labels = [("module", event.module.as_str())];
            inner.shared.metrics.own_counter("wharf_error_reports_total", &labels).increment(1);
            for sink in &inner.shared.error_sinks {
                sink.report(&event);
            }
        });
    }
}

//! `metrics`: series of a module, by handle.

use std::sync::{Arc, PoisonError, RwLock};

use wharf_plugin_api::abi_stable::sabi_trait::TD_Opaque;
use wharf_plugin_api::abi_stable::std_types::{RArc, RResult, RSlice, RStr};
use wharf_plugin_api::services::metrics::{Label, MetricKind, Metrics, Metrics_TO, MetricsRef};
use wharf_plugin_api::{Fault, FaultCode, guard, guard_drop};

use super::{Inner, stopped};
use crate::telemetry::{MetricError, ModuleMetrics};

#[derive(Clone)]
struct Series {
    inner: Arc<Inner>,
    metrics: ModuleMetrics,
    handles: Arc<RwLock<Vec<Handle>>>,
}

#[derive(Clone)]
enum Handle {
    Counter(::metrics::Counter),
    Gauge(::metrics::Gauge),
    Histogram(::metrics::Histogram),
}

pub(super) fn object(inner: &Arc<Inner>) -> MetricsRef {
    let metrics = inner.shared.metrics.module(&inner.standing.who.module);
    let series = Series {
        inner: inner.clone(),
        metrics,
        handles: Arc::default(),
    };
    Metrics_TO::from_ptr(RArc::new(series), TD_Opaque)
}

impl Series {
    fn make(&self, kind: MetricKind, name: &str, labels: &[(&str, &str)]) -> Result<Handle, Fault> {
        let made = match kind {
            MetricKind::COUNTER => self.metrics.counter(name, labels).map(Handle::Counter),
            MetricKind::GAUGE => self.metrics.gauge(name, labels).map(Handle::Gauge),
            MetricKind::HISTOGRAM => self.metrics.histogram(name, labels).map(Handle::Histogram),
            MetricKind(other) => {
                return Err(Fault::new(
                    FaultCode::UNSUPPORTED,
                    format!("this host knows no metric kind {other}"),
                ));
            }
        };
        made.map_err(|error| {
            let code = if matches!(error, MetricError::TooManySeries) {
                FaultCode::BUSY
            } else {
                FaultCode::INVALID
            };
            Fault::new(code, format!("metric {name}: {error}"))
        })
    }
}

impl Metrics for Series {
    fn series(&self, kind: MetricKind, name: RStr<'_>, _help: RStr<'_>, labels: RSlice<'_, Label<'_>>) -> RResult<u64, Fault> {
        guard(|| {
            if self.inner.standing.is_retired() {
                return Err(stopped());
            }
            let labels: Vec<(&str, &str)> = labels.iter().map(|label| (label.name.as_str(), label.value.as_str())).collect();
            let handle = self.make(kind, &name, &labels)?;
            let mut handles = self.handles.write().unwrap_or_else(PoisonError::into_inner);
            handles.push(handle);
            Ok(handles.len() as u64)
        })
        .unwrap_or_else(Err)
        .into()
    }

    fn update(&self, series: u64, value: f64) {
        guard_drop(|| {
            let handles = self.handles.read().unwrap_or_else(PoisonError::into_inner);
            let Some(handle) = usize::try_from(series).ok().and_then(|n| handles.get(n.wrapping_sub(1))) else {
                return;
            };
            match handle {
                // Counters of the exporter are whole numbers.
                Handle::Counter(counter) => counter.increment(if value > 0.0 { value.round() as u64 } else { 0 }),
                Handle::Gauge(gauge) => gauge.set(value),
                Handle::Histogram(histogram) => histogram.record(value),
            }
        });
    }
}

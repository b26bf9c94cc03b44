//! The numbers of one host, in the Prometheus text format.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder, SharedString, Unit};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::module_metrics::{ModuleMetrics, Registry};
use crate::domain::status::{HostStatus, State};

/// Bounds that OpenTelemetry recommends for durations of requests, in seconds, finer at the low end.
const SECONDS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];
/// Bounds for sizes in bytes.
const BYTES: &[f64] = &[
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

pub(super) const METADATA: Metadata<'static> = Metadata::new("wharf", Level::INFO, None);

/// The numbers of one host. Clones share them. Nothing here is global: a process may have several.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

/// Durations of the requests of one route, ready to be recorded without a look-up by name.
pub struct RouteMetrics {
    metrics: Metrics,
    labels: [Label; 3],
    by_status: ArcSwap<Vec<(u16, Histogram)>>,
}

struct Inner {
    recorder: Arc<PrometheusRecorder>,
    handle: PrometheusHandle,
    registry: Mutex<Registry>,
}

impl Metrics {
    /// No numbers yet.
    ///
    /// # Errors
    /// Only if a list of bounds were empty, which none is.
    pub fn new() -> Result<Self, BuildError> {
        let recorder = PrometheusBuilder::new()
            .set_buckets(SECONDS)?
            .set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), BYTES)?
            .build_recorder();
        let handle = recorder.handle();
        let metrics = Self(Arc::new(Inner {
            recorder: Arc::new(recorder),
            handle,
            registry: Mutex::new(Registry::default()),
        }));
        metrics.describe();
        Ok(metrics)
    }

    /// Also takes what libraries report through the `metrics` macros. Only the binary does this; `false` when another part has already.
    #[must_use]
    pub fn install_global(&self) -> bool {
        metrics::set_global_recorder(Arc::clone(&self.0.recorder)).is_ok()
    }

    /// The text for `/metrics` (`text/plain; version=0.0.4`).
    #[must_use]
    pub fn render(&self) -> String {
        self.0.handle.render()
    }

    /// Folds recorded samples into their buckets. Called every few seconds, since samples take memory until then; `render` does it too.
    pub fn upkeep(&self) {
        self.0.handle.run_upkeep();
    }

    /// The metrics of one module; all its instances and generations share its limit.
    #[must_use]
    pub fn module(&self, id: &str) -> ModuleMetrics {
        ModuleMetrics::new(self.clone(), id)
    }

    /// Durations of one route: `http.server.request.duration` of OpenTelemetry. `route` is the template, never the path.
    #[must_use]
    pub fn route(&self, module: &str, method: &str, route: &str) -> RouteMetrics {
        let labels = [("module", module), ("http_request_method", method), ("http_route", route)];
        RouteMetrics {
            metrics: self.clone(),
            labels: labels.map(|(name, value)| Label::new(name, value.to_owned())),
            by_status: ArcSwap::default(),
        }
    }

    /// Sets the gauges that follow from the status of the host. Called before rendering.
    pub fn observe(&self, status: &HostStatus) {
        let gauge = |name, labels: &[(&'static str, &str)], value: f64| self.gauge(key(name, labels)).set(value);
        gauge("wharf_ready", &[], f64::from(u8::from(status.ready)));
        gauge("wharf_generations_loaded", &[], float(status.generations_loaded));
        gauge("wharf_thread_keys_left", &[], float(status.thread_keys_left));
        gauge("wharf_private_memory_bytes", &[], float(status.private_bytes));
        for module in &status.modules {
            let id = module.id.as_str();
            for state in STATES {
                let value = f64::from(u8::from(module.state == *state));
                gauge("wharf_module_state", &[("module", id), ("state", &state_name(*state))], value);
            }
            gauge("wharf_module_generation", &[("module", id)], float(module.generation));
            gauge("wharf_module_calls_in_flight", &[("module", id)], float(module.in_flight));
            gauge(
                "wharf_module_memory_bytes",
                &[("module", id)],
                float(module.memory_bytes.unwrap_or(0)),
            );
            self.counter(key("wharf_module_panics_total", &[("module", id)]))
                .absolute(module.panics);
        }
    }

    /// A counter of the host's own, whose names begin with `wharf_`; to be kept and incremented. What is labelled by module
    /// counts for the host, not for the module's limit of series.
    pub fn own_counter(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Counter {
        self.counter(key(name, labels))
    }

    /// A gauge of the host itself.
    pub fn own_gauge(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Gauge {
        self.gauge(key(name, labels))
    }

    /// A histogram of the host itself.
    pub fn own_histogram(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Histogram {
        self.histogram(key(name, labels))
    }

    pub(super) fn counter(&self, key: Key) -> Counter {
        self.0.recorder.register_counter(&key, &METADATA)
    }

    pub(super) fn gauge(&self, key: Key) -> Gauge {
        self.0.recorder.register_gauge(&key, &METADATA)
    }

    pub(super) fn histogram(&self, key: Key) -> Histogram {
        self.0.recorder.register_histogram(&key, &METADATA)
    }

    pub(super) fn registry(&self) -> std::sync::MutexGuard<'_, Registry> {
        self.0.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn describe(&self) {
        let recorder = &self.0.recorder;
        let gauges: HashMap<&'static str, &'static str> = HashMap::from([
            ("wharf_ready", "1 when the host takes requests"),
            ("wharf_generations_loaded", "Libraries opened since start"),
            ("wharf_thread_keys_left", "pthread keys left in this process"),
            ("wharf_private_memory_bytes", "Anonymous resident memory of the process"),
            ("wharf_module_state", "1 for the state a module is in, 0 for the others"),
            ("wharf_module_generation", "Generation that runs"),
            ("wharf_module_calls_in_flight", "Calls under way"),
            ("wharf_module_memory_bytes", "Private memory the last load added"),
        ]);
        for (name, text) in gauges {
            recorder.describe_gauge(name.into(), None, SharedString::const_str(text));
        }
        recorder.describe_counter("wharf_module_panics_total".into(), None, "Panics of a module".into());
        recorder.describe_counter(DROPPED.into(), None, "Samples dropped because a module has too many series".into());
        recorder.describe_histogram(DURATION.into(), Some(Unit::Seconds), "Duration of HTTP requests".into());
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl RouteMetrics {
    /// Records one request. After the first with its status this is a search in a short list and one push.
    pub fn record(&self, status: u16, duration: Duration) {
        if let Some((_, histogram)) = self.by_status.load().iter().find(|(code, _)| *code == status) {
            histogram.record(duration.as_secs_f64());
            return;
        }
        let histogram = self.register(status);
        histogram.record(duration.as_secs_f64());
        self.by_status.rcu(|known| {
            let mut more = Vec::clone(known);
            if !more.iter().any(|(code, _)| *code == status) {
                more.push((status, histogram.clone()));
            }
            more
        });
    }

    fn register(&self, status: u16) -> Histogram {
        let mut labels = self.labels.to_vec();
        labels.push(Label::new("http_response_status_code", status.to_string()));
        self.metrics.histogram(Key::from_parts(DURATION, labels))
    }
}

impl fmt::Debug for RouteMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteMetrics").field("labels", &self.labels).finish_non_exhaustive()
    }
}

pub(super) const DURATION: &str = "http_server_request_duration_seconds";
pub(super) const DROPPED: &str = "wharf_metrics_dropped_total";

const STATES: &[State] = &[
    State::Discovered,
    State::Verified,
    State::Resolved,
    State::Loaded,
    State::Initialized,
    State::Running,
    State::Draining,
    State::Stopped,
    State::Disabled,
    State::Failed,
    State::Quarantined,
];

fn state_name(state: State) -> String {
    format!("{state:?}").to_ascii_lowercase()
}

pub(super) fn key(name: &'static str, labels: &[(&'static str, &str)]) -> Key {
    Key::from_parts(
        name,
        labels
            .iter()
            .map(|(name, value)| Label::new(*name, (*value).to_owned()))
            .collect::<Vec<_>>(),
    )
}

#[allow(
    clippy::cast_precision_loss,
    reason = "a gauge is a float; above 2^53 the last digits do not matter"
)]
fn float(number: u64) -> f64 {
    number as f64
}

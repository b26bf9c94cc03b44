//! Counters, gauges and histograms.

use wharf_plugin_api::Fault;
use wharf_plugin_api::services::metrics::{Label, MetricKind, MetricsRef};

/// Makes series. Names follow Prometheus (`blog_posts_total`), units are in the name and are base units: seconds, bytes.
#[derive(Clone)]
pub struct Metrics(MetricsRef);

/// Only grows.
#[derive(Clone)]
pub struct Counter(Series);

/// Goes up and down.
#[derive(Clone)]
pub struct Gauge(Series);

/// A distribution.
#[derive(Clone)]
pub struct Histogram(Series);

#[derive(Clone)]
struct Series {
    service: MetricsRef,
    id: u64,
}

impl Metrics {
    pub(crate) fn new(service: MetricsRef) -> Self {
        Self(service)
    }

    /// A counter. Keep it: making it looks it up.
    ///
    /// # Errors
    /// `invalid` for a name or label that Prometheus does not allow, `busy` when the module has too many series.
    pub fn counter(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Result<Counter, Fault> {
        self.series(MetricKind::COUNTER, name, help, labels).map(Counter)
    }

    /// A gauge.
    ///
    /// # Errors
    /// As [`Metrics::counter`].
    pub fn gauge(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Result<Gauge, Fault> {
        self.series(MetricKind::GAUGE, name, help, labels).map(Gauge)
    }

    /// A histogram.
    ///
    /// # Errors
    /// As [`Metrics::counter`].
    pub fn histogram(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Result<Histogram, Fault> {
        self.series(MetricKind::HISTOGRAM, name, help, labels).map(Histogram)
    }

    fn series(&self, kind: MetricKind, name: &str, help: &str, labels: &[(&str, &str)]) -> Result<Series, Fault> {
        let labels: Vec<Label<'_>> = labels
            .iter()
            .map(|(name, value)| Label {
                name: (*name).into(),
                value: (*value).into(),
            })
            .collect();
        let id = self
            .0
            .series(kind, name.into(), help.into(), labels.as_slice().into())
            .into_result()?;
        Ok(Series {
            service: self.0.clone(),
            id,
        })
    }
}

impl Counter {
    /// Adds one.
    pub fn increment(&self) {
        self.add(1.0);
    }

    /// Adds `n`, which is not negative.
    pub fn add(&self, n: f64) {
        self.0.service.update(self.0.id, n);
    }
}

impl Gauge {
    /// Sets it.
    pub fn set(&self, value: f64) {
        self.0.service.update(self.0.id, value);
    }
}

impl Histogram {
    /// Adds one observation.
    pub fn observe(&self, value: f64) {
        self.0.service.update(self.0.id, value);
    }
}

macro_rules! debug {
    ($($name:ident)*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    )*};
}
debug!(Metrics Counter Gauge Histogram);

//! Metrics of modules: names checked, the label `module` added, the number of series limited.

use std::collections::{HashMap, HashSet};
use std::fmt;

use metrics::{Counter, Gauge, Histogram, Key, Label};

use super::metrics::{DROPPED, Metrics, key};

/// Series one module may have, over all its metrics and generations.
pub const SERIES_PER_MODULE: usize = 1_000;

/// Why a sample was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricError {
    /// Not a name Prometheus takes.
    #[error("found metric name {0:?}, expected ^[a-zA-Z_:][a-zA-Z0-9_:]*$")]
    Name(String),
    /// The host's own metrics begin like this.
    #[error("metric name {0:?} is the host's; names may not begin with wharf_ or http_server_")]
    ReservedName(String),
    /// Not a label Prometheus takes, or one the host adds.
    #[error(
        "found label {label:?} of metric {metric:?}, expected ^[a-zA-Z_][a-zA-Z0-9_]*$, not beginning with __ and none of module, le, quantile"
    )]
    Label {
        /// The metric.
        metric: String,
        /// The label.
        label: String,
    },
    /// One label twice.
    #[error("metric {metric:?} has the label {label:?} twice")]
    LabelTwice {
        /// The metric.
        metric: String,
        /// The label.
        label: String,
    },
    /// A metric has one kind everywhere.
    #[error("metric {metric:?} is a {known} already and cannot be a {asked} too")]
    Kind {
        /// The metric.
        metric: String,
        /// What it is.
        known: &'static str,
        /// What was asked for.
        asked: &'static str,
    },
    /// The module has as many series as it may have.
    #[error("module has {SERIES_PER_MODULE} series already; labels must not hold ids or other unbounded values")]
    TooManySeries,
}

/// The metrics of one module.
#[derive(Clone)]
pub struct ModuleMetrics {
    metrics: Metrics,
    module: String,
}

/// What is known of the series of all modules.
#[derive(Default)]
pub(super) struct Registry {
    kinds: HashMap<String, &'static str>,
    series: HashMap<String, HashSet<Key>>,
}

impl ModuleMetrics {
    pub(super) fn new(metrics: Metrics, module: &str) -> Self {
        Self {
            metrics,
            module: module.to_owned(),
        }
    }

    /// A counter, to be kept and incremented.
    ///
    /// # Errors
    /// [`MetricError`] when it cannot be registered.
    pub fn counter(&self, name: &str, labels: &[(&str, &str)]) -> Result<Counter, MetricError> {
        Ok(self.metrics.counter(self.register("counter", name, labels)?))
    }

    /// A gauge, to be kept and set.
    ///
    /// # Errors
    /// [`MetricError`] when it cannot be registered.
    pub fn gauge(&self, name: &str, labels: &[(&str, &str)]) -> Result<Gauge, MetricError> {
        Ok(self.metrics.gauge(self.register("gauge", name, labels)?))
    }

    /// A histogram, to be kept and recorded to. Bounds are those of seconds, or of bytes when the name ends in `_bytes`.
    ///
    /// # Errors
    /// [`MetricError`] when it cannot be registered.
    pub fn histogram(&self, name: &str, labels: &[(&str, &str)]) -> Result<Histogram, MetricError> {
        Ok(self.metrics.histogram(self.register("histogram", name, labels)?))
    }

    /// How many series the module has.
    #[must_use]
    pub fn series(&self) -> usize {
        self.metrics.registry().series.get(&self.module).map_or(0, HashSet::len)
    }

    fn register(&self, kind: &'static str, name: &str, labels: &[(&str, &str)]) -> Result<Key, MetricError> {
        check_name(name)?;
        let key = self.key(name, labels)?;
        let mut registry = self.metrics.registry();
        match registry.kinds.get(name) {
            Some(known) if *known != kind => {
                return Err(MetricError::Kind {
                    metric: name.to_owned(),
                    known,
                    asked: kind,
                });
            }
            _ => {}
        }
        let series = registry.series.entry(self.module.clone()).or_default();
        if !series.contains(&key) {
            if series.len() >= SERIES_PER_MODULE {
                drop(registry);
                self.metrics.counter(self::key(DROPPED, &[("module", &self.module)])).increment(1);
                return Err(MetricError::TooManySeries);
            }
            series.insert(key.clone());
            registry.kinds.insert(name.to_owned(), kind);
        }
        Ok(key)
    }

    /// Labels sorted, so that their order makes no new series.
    fn key(&self, name: &str, labels: &[(&str, &str)]) -> Result<Key, MetricError> {
        let mut sorted: Vec<(&str, &str)> = labels.to_vec();
        sorted.sort_unstable();
        for (label, _) in &sorted {
            if !is_label(label) {
                return Err(MetricError::Label {
                    metric: name.to_owned(),
                    label: (*label).to_owned(),
                });
            }
        }
        if let Some((twice, _)) = sorted
            .iter()
            .zip(sorted.iter().skip(1))
            .map(|(a, b)| (a.0, b.0))
            .find(|(a, b)| a == b)
        {
            return Err(MetricError::LabelTwice {
                metric: name.to_owned(),
                label: twice.to_owned(),
            });
        }
        let mut all = vec![Label::new("module", self.module.clone())];
        all.extend(
            sorted
                .into_iter()
                .map(|(name, value)| Label::new(name.to_owned(), value.to_owned())),
        );
        Ok(Key::from_parts(name.to_owned(), all))
    }
}

impl fmt::Debug for ModuleMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ModuleMetrics").field(&self.module).finish()
    }
}

fn check_name(name: &str) -> Result<(), MetricError> {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    if !name.starts_with(first) || !name.chars().all(|c| first(c) || c.is_ascii_digit()) {
        return Err(MetricError::Name(name.to_owned()));
    }
    if name.starts_with("wharf_") || name.starts_with("http_server_") {
        return Err(MetricError::ReservedName(name.to_owned()));
    }
    Ok(())
}

fn is_label(label: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    label.starts_with(first)
        && label.chars().all(|c| first(c) || c.is_ascii_digit())
        && !label.starts_with("__")
        && !matches!(label, "module" | "le" | "quantile")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::time::Duration;

    use super::*;

    #[test]
    fn samples_are_rendered_with_the_module_as_a_label() {
        let metrics = Metrics::new().unwrap();
        let blog = metrics.module("blog");
        blog.counter("posts_created_total", &[("kind", "draft")]).unwrap().increment(2);
        blog.counter("posts_created_total", &[("kind", "draft")]).unwrap().increment(1);
        blog.gauge("queue_length", &[]).unwrap().set(7.0);
        blog.histogram("render_seconds", &[]).unwrap().record(0.003);
        metrics.route("blog", "GET", "/posts/{id}").record(200, Duration::from_millis(2));
        let text = metrics.render();
        for line in [
            "posts_created_total{module=\"blog\",kind=\"draft\"} 3",
            "queue_length{module=\"blog\"} 7",
            "render_seconds_bucket{module=\"blog\",le=\"0.005\"} 1",
            "# TYPE http_server_request_duration_seconds histogram",
            "http_server_request_duration_seconds_count{module=\"blog\",http_request_method=\"GET\",http_route=\"/posts/{id}\",http_response_status_code=\"200\"} 1",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }

    #[test]
    fn two_hosts_in_one_process_have_their_own_numbers() {
        let (one, two) = (Metrics::new().unwrap(), Metrics::new().unwrap());
        one.module("a").counter("x_total", &[]).unwrap().increment(1);
        assert!(one.render().contains("x_total") && !two.render().contains("x_total"));
    }

    #[test]
    fn bad_names_labels_and_kinds_are_refused() {
        let metrics = Metrics::new().unwrap().module("blog");
        assert_eq!(metrics.counter("no.dots", &[]).unwrap_err(), MetricError::Name("no.dots".into()));
        assert_eq!(
            metrics.counter("wharf_x", &[]).unwrap_err(),
            MetricError::ReservedName("wharf_x".into())
        );
        for label in ["module", "le", "__x", "a-b", ""] {
            assert!(
                matches!(metrics.gauge("g", &[(label, "v")]).unwrap_err(), MetricError::Label { .. }),
                "{label}"
            );
        }
        assert!(matches!(
            metrics.gauge("g", &[("a", "1"), ("a", "2")]).unwrap_err(),
            MetricError::LabelTwice { .. }
        ));
        metrics.counter("both", &[]).unwrap().increment(1);
        let message = metrics.gauge("both", &[]).unwrap_err().to_string();
        assert_eq!(message, "metric \"both\" is a counter already and cannot be a gauge too");
    }

    #[test]
    fn too_many_series_of_one_module_are_dropped_and_counted() {
        let metrics = Metrics::new().unwrap();
        let blog = metrics.module("blog");
        for n in 0..SERIES_PER_MODULE {
            blog.counter("by_user", &[("user", &n.to_string())]).unwrap().increment(1);
        }
        assert_eq!(
            blog.counter("by_user", &[("user", "one more")]).unwrap_err(),
            MetricError::TooManySeries
        );
        blog.counter("by_user", &[("user", "0")]).unwrap().increment(1);
        metrics.module("other").counter("fine", &[]).unwrap().increment(1);
        assert_eq!(blog.series(), SERIES_PER_MODULE);
        let text = metrics.render();
        assert!(text.contains("wharf_metrics_dropped_total{module=\"blog\"} 1"), "not counted");
        assert!(!text.contains("one more"));
    }

    #[test]
    fn label_order_makes_no_new_series() {
        let metrics = Metrics::new().unwrap().module("m");
        metrics.gauge("g", &[("a", "1"), ("b", "2")]).unwrap().set(1.0);
        metrics.gauge("g", &[("b", "2"), ("a", "1")]).unwrap().set(2.0);
        assert_eq!(metrics.series(), 1);
    }
}

//! From finished calls to metrics.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use http::Method;

use crate::http::outbound::{OnResponse, Served};
use crate::security::SourceStatus;
use crate::telemetry::{Metrics, RouteMetrics};

/// Records each call under its route template. Paths that no module serves share one series.
pub(super) struct Observer {
    metrics: Metrics,
    routes: RwLock<HashMap<Box<str>, Vec<Known>>>,
}

struct Known {
    module: Box<str>,
    method: Method,
    series: RouteMetrics,
}

/// How old what the host knows of callers is.
pub(super) fn sources(status: &[SourceStatus]) {
    for one in status {
        let age = one.age.map_or(-1.0, |age| age.as_secs_f64());
        metrics::gauge!("wharf_security_source_age_seconds", "source" => one.source.name()).set(age);
    }
}

impl Observer {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self {
            metrics,
            routes: RwLock::default(),
        }
    }
}

impl OnResponse for Observer {
    fn served(&self, served: &Served<'_>) {
        let (route, module) = (served.route.unwrap_or("-"), served.module.unwrap_or("-"));
        let method = if served.route.is_some() { served.method } else { &Method::GET };
        {
            let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
            let known = routes
                .get(route)
                .and_then(|known| known.iter().find(|k| *k.module == *module && k.method == *method));
            if let Some(known) = known {
                return known.series.record(served.status, served.duration);
            }
        }
        let series = self
            .metrics
            .route(module, if served.route.is_some() { method.as_str() } else { "-" }, route);
        series.record(served.status, served.duration);
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        let known = routes.entry(route.into()).or_default();
        // A client may invent methods; a route has a handful.
        if known.len() < 64 {
            known.push(Known {
                module: module.into(),
                method: method.clone(),
                series,
            });
        }
    }
}

//! What the listeners of a host serve: the public gateway, and the one for management.

use std::sync::Arc;

use super::{Host, observe, settings};
use crate::blobs::SignedBlobs;
use crate::grpc::surfaces::Surfaces;
use crate::http::gateway::{Gateway, Limits, TrustedProxies};
use crate::http::management::{Metrics as MetricsPage, Probes};
use crate::http::openapi::ApiDocument;
use crate::http::routes::Routes;
use crate::modules::control::Control;

impl Host {
    /// What the public listener serves: modules, probes, gRPC health.
    #[must_use]
    pub fn gateway(&self) -> Gateway {
        let config = self.config();
        let control: Arc<dyn Control> = Arc::new(self.clone());
        let gateway = Gateway::new(self.0.routes.clone())
            .with_gatekeeper(self.0.security.gatekeeper.clone())
            .with_rate_limits(self.0.rates.clone())
            .with_cors(settings::cors(&config))
            .with_shield(settings::shield(&config))
            .with_calls(self.0.calls.clone())
            .with_limits(settings::limits(&config))
            .with_trusted_proxies(settings::proxies(&config))
            .with_observer(Arc::new(observe::Observer::new(self.0.metrics.clone())))
            .with_tracer(self.0.tracer.clone())
            .with_local(Arc::new(Probes::new(control)))
            .with_local(Arc::new(Surfaces::health_only(&self.0.routes, self.0.health.clone())))
            .with_local(Arc::new(SignedBlobs::new(self.0.backends.blobs.clone())));
        let gateway = match config.http.docs {
            true => gateway.with_local(self.api_document()),
            false => gateway,
        };
        match config.audit.denials {
            true => gateway.with_denials(self.0.recorder.denials()),
            false => gateway,
        }
    }

    /// The OpenAPI document of all modules that serve now.
    #[must_use]
    pub fn openapi(&self) -> serde_json::Value {
        crate::http::openapi::whole(&self.0.routes.load())
    }

    fn api_document(&self) -> Arc<ApiDocument> {
        Arc::new(ApiDocument::new(self.0.routes.clone()))
    }

    /// What the management listener serves: metrics, verbose probes, gRPC health and reflection. It serves no module.
    #[must_use]
    pub fn management(&self) -> Gateway {
        let control: Arc<dyn Control> = Arc::new(self.clone());
        let (this, lines_of) = (self.clone(), self.clone());
        let render = move || {
            this.0.metrics.observe(&this.0.supervisor.host_status());
            observe::sources(&this.security_status());
            this.0.metrics.render()
        };
        Gateway::new(Arc::new(Routes::new()))
            .with_limits(Limits {
                connections: 256,
                ..Limits::default()
            })
            .with_trusted_proxies(TrustedProxies::default())
            .with_local(Arc::new(Probes::verbose(control).with_lines(move || lines_of.security_lines())))
            .with_local(Arc::new(MetricsPage::new(render)))
            .with_local(self.api_document())
            .with_local(Arc::new(
                Surfaces::new(&self.0.routes, self.0.health.clone()).with_status(Arc::new(self.clone())),
            ))
    }
}

//! Where spans go.

use std::sync::Arc;

use anyhow::Context as _;
use wharf_host::config::{Config, OtlpProtocol};
use wharf_host::infra::traces::{OtlpConfig, OtlpSink, OtlpWay};
use wharf_host::ports::traces::SpanSink;
use wharf_host::telemetry::Metrics;

/// A collector, if one is named. It need not answer now: what it misses is dropped and counted.
pub(super) fn sinks(config: &Config, metrics: &Metrics) -> anyhow::Result<Vec<Arc<dyn SpanSink>>> {
    let otlp = &config.tracing.otlp;
    let Some(endpoint) = &otlp.endpoint else { return Ok(Vec::new()) };
    let ca = match &otlp.ca {
        Some(path) => Some(std::fs::read(path).with_context(|| format!("tracing.otlp.ca: cannot read {}", path.display()))?),
        None => None,
    };
    let sink = OtlpSink::start(
        OtlpConfig {
            endpoint: endpoint.as_str().to_owned(),
            way: match otlp.protocol {
                OtlpProtocol::Grpc => OtlpWay::Grpc,
                OtlpProtocol::Http => OtlpWay::Http,
            },
            headers: otlp.header_fields().map_err(anyhow::Error::msg).context("tracing.otlp.headers")?,
            ca,
            service: otlp.service.clone(),
            node: config.node.name.clone(),
            timeout: otlp.timeout.get(),
            every: otlp.every.get(),
            batch: otlp.batch as usize,
            queue: otlp.queue as usize,
        },
        metrics,
    )
    .context("tracing.otlp")?;
    tracing::info!(endpoint = endpoint.as_str(), "spans go to a collector");
    Ok(vec![Arc::new(sink)])
}

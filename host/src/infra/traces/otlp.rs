//! Spans to a collector by OTLP (opentelemetry.io/docs/specs/otlp): over gRPC, or as protobuf over HTTP.
//!
//! Spans wait in a queue of limited length. One task takes batches out of it and sends them, one after the other. A collector that is slow
//! or away costs spans, which are counted, and never a request.

mod batch;
mod encode;
mod send;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use metrics::Counter;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use crate::ports::traces::{FinishedSpan, FlushFuture, SpanSink};
use crate::telemetry::Metrics;
use batch::Batcher;
use encode::Origin;
use send::Sender;

/// How a collector is reached.
#[derive(Clone)]
pub struct OtlpConfig {
    /// Where it is: `http://` or `https://`.
    pub endpoint: String,
    /// How it is spoken to.
    pub way: OtlpWay,
    /// Header fields of every request, one of which is a token as a rule.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// PEM with certificates to trust beside the system's.
    pub ca: Option<Vec<u8>>,
    /// `service.name`.
    pub service: String,
    /// `service.instance.id`.
    pub node: String,
    /// How long one try to send a batch may take.
    pub timeout: Duration,
    /// How long a span waits for others at most.
    pub every: Duration,
    /// Spans in a batch, at least 1.
    pub batch: usize,
    /// Spans that wait, at least 1.
    pub queue: usize,
}

/// How a collector is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpWay {
    /// gRPC.
    Grpc,
    /// Protobuf over HTTP.
    Http,
}

/// Why spans cannot be sent. Tokens are not in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OtlpError {
    /// It is no address.
    #[error("found {0:?}, expected an address such as \"http://127.0.0.1:4317\"")]
    Endpoint(String),
    /// The certificates are none.
    #[error("the file of `ca` holds no certificates in PEM")]
    Certificates,
    /// TLS cannot be used.
    #[error("the client of the collector cannot be made")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Sends spans in the background.
pub struct OtlpSink {
    queue: mpsc::Sender<Arc<FinishedSpan>>,
    flushes: mpsc::Sender<oneshot::Sender<()>>,
    dropped: Counter,
    task: AbortHandle,
}

impl OtlpSink {
    /// Begins to send. Must be called inside a tokio runtime. Whether anybody listens there is seen later.
    ///
    /// # Errors
    /// [`OtlpError`]
    pub fn start(config: OtlpConfig, metrics: &Metrics) -> Result<Self, OtlpError> {
        let (queue, spans) = mpsc::channel(config.queue.max(1));
        let (flushes, asked) = mpsc::channel(4);
        let lost = |reason| metrics.own_counter("wharf_traces_dropped_total", &[("reason", reason)]);
        let batcher = Batcher {
            origin: Origin::new(&config.service, &config.node),
            sender: Sender::new(&config)?,
            every: config.every,
            most: config.batch.max(1),
            sent: metrics.own_counter("wharf_traces_sent_total", &[]),
            unreachable: lost("unreachable"),
            refused: lost("refused"),
        };
        Ok(Self {
            queue,
            flushes,
            dropped: lost("queue"),
            task: tokio::spawn(batcher.run(spans, asked)).abort_handle(),
        })
    }
}

impl SpanSink for OtlpSink {
    fn take(&self, span: &Arc<FinishedSpan>) {
        if self.queue.try_send(Arc::clone(span)).is_err() {
            self.dropped.increment(1);
        }
    }

    fn flush(&self) -> FlushFuture<'_> {
        Box::pin(async move {
            let (done, flushed) = oneshot::channel();
            if self.flushes.send(done).await.is_ok() {
                // An error means that the task is gone, and the spans with it.
                let _ = flushed.await;
            }
        })
    }
}

impl Drop for OtlpSink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for OtlpSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OtlpSink")
    }
}

impl fmt::Debug for OtlpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpConfig")
            .field("endpoint", &self.endpoint)
            .field("way", &self.way)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

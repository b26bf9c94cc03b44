//! Adapters for spans.

#[cfg(feature = "otlp")]
mod otlp;

#[cfg(feature = "otlp")]
pub use otlp::{OtlpConfig, OtlpError, OtlpSink, OtlpWay};

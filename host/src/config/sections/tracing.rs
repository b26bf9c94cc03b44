//! Where spans go.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::units::{Period, PublicUrl, Secret};

/// Traces of requests, events and jobs. Nothing is recorded while `recent` is 0 and `otlp.endpoint` is not set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tracing {
    /// Share of the traces that begin at this host which is recorded, from 0 to 1. A trace that a caller began is recorded if the caller
    /// records it.
    pub sample: f64,
    /// Traces kept in memory for `wharf traces`. 0 by default, 200 with `--dev`.
    pub recent: u32,
    /// Sends spans to a collector.
    pub otlp: Otlp,
}

/// A collector that speaks OTLP, such as the OpenTelemetry Collector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Otlp {
    /// Where it is, such as `http://127.0.0.1:4317` for gRPC or `https://collector.example.org:4318` for HTTP, to which `/v1/traces` is added.
    pub endpoint: Option<PublicUrl>,
    /// How it is spoken to.
    pub protocol: OtlpProtocol,
    /// Header fields for the collector: `name=value`, separated by commas. Holds tokens, so it is better in a file:
    /// `WHARF_TRACING__OTLP__HEADERS_FILE`.
    pub headers: Option<Secret>,
    /// PEM file with certificates to trust beside the system's.
    pub ca: Option<PathBuf>,
    /// `service.name` of the spans.
    pub service: String,
    /// How long one batch may take to be taken.
    pub timeout: Period,
    /// How long a span waits for others at most.
    pub every: Period,
    /// Spans in a batch.
    pub batch: u32,
    /// Spans that wait; more are dropped and counted.
    pub queue: u32,
}

/// How a collector is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OtlpProtocol {
    /// gRPC, by custom on port 4317.
    #[default]
    Grpc,
    /// Protobuf over HTTP, by custom on port 4318.
    Http,
}

impl Default for Tracing {
    fn default() -> Self {
        Self {
            sample: 1.0,
            recent: 0,
            otlp: Otlp::default(),
        }
    }
}

impl Default for Otlp {
    fn default() -> Self {
        Self {
            endpoint: None,
            protocol: OtlpProtocol::Grpc,
            headers: None,
            ca: None,
            service: "wharf".to_owned(),
            timeout: Period::secs(10),
            every: Period::secs(2),
            batch: 512,
            queue: 8_192,
        }
    }
}

impl Otlp {
    /// Names and values of the header fields.
    ///
    /// # Errors
    /// What is wrong with them, without the values.
    pub fn header_fields(&self) -> Result<Vec<(http::HeaderName, http::HeaderValue)>, String> {
        let text = self.headers.as_ref().map(Secret::reveal).unwrap_or_default();
        let fields = text.split(',').map(str::trim).filter(|field| !field.is_empty());
        fields
            .enumerate()
            .map(|(index, field)| {
                let (name, value) = field
                    .split_once('=')
                    .ok_or_else(|| format!("found no `=` in field {}, expected name=value", index + 1))?;
                let name = http::HeaderName::from_bytes(name.trim().as_bytes());
                let name = name.map_err(|_| format!("found a name in field {} that is none of a header field", index + 1))?;
                let value = http::HeaderValue::from_str(value.trim());
                let mut value = value.map_err(|_| format!("found a value of {name} that no header field can have"))?;
                value.set_sensitive(true);
                Ok((name, value))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn fields(text: &str) -> Result<Vec<(String, String)>, String> {
        let otlp = Otlp {
            headers: Some(Secret::new(text)),
            ..Otlp::default()
        };
        let read = otlp.header_fields()?;
        Ok(read
            .into_iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect())
    }

    #[test]
    fn header_fields_are_read_and_mistakes_do_not_show_values() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let read = fields(" authorization=Basic Y2FuYXJ5PQ== , X-Scope=a,").unwrap();
        assert_eq!(read, [pair("authorization", "Basic Y2FuYXJ5PQ=="), pair("x-scope", "a")]);
        assert!(fields("").unwrap().is_empty());
        for wrong in ["canary", "can ary=x", "authorization=canary\u{7}"] {
            let error = fields(wrong).unwrap_err();
            assert!(!error.contains("canary") && !error.contains("can ary"), "{error}");
        }
    }
}

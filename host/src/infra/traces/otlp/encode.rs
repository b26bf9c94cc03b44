//! Spans in the messages of OTLP.

use std::collections::BTreeMap;
use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind as Kind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

use crate::ports::traces::{AttributeValue, FinishedSpan, SpanKind, SpanStatus};

/// Scope of spans of the host itself; those of a module have its id.
const HOST: &str = "wharf";

/// Where all spans of this host come from.
#[derive(Clone, Debug)]
pub(super) struct Origin(Resource);

impl Origin {
    pub(super) fn new(service: &str, node: &str) -> Self {
        let attributes = [
            ("service.name", service),
            ("service.version", env!("CARGO_PKG_VERSION")),
            ("service.instance.id", node),
        ];
        let text = |(key, text): (&str, &str)| pair(key, Value::StringValue(text.to_owned()));
        Self(Resource {
            attributes: attributes.into_iter().map(text).collect(),
            ..Resource::default()
        })
    }

    /// A batch, by the modules that the spans are of.
    pub(super) fn request(&self, spans: &[Arc<FinishedSpan>]) -> ExportTraceServiceRequest {
        let mut scopes: BTreeMap<&str, Vec<Span>> = BTreeMap::new();
        for span in spans {
            let scope = span.module.as_deref().unwrap_or(HOST);
            scopes.entry(scope).or_default().push(encode(span));
        }
        let scope_spans = scopes.into_iter().map(|(name, spans)| ScopeSpans {
            scope: Some(InstrumentationScope {
                name: name.to_owned(),
                ..InstrumentationScope::default()
            }),
            spans,
            ..ScopeSpans::default()
        });
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.0.clone()),
                scope_spans: scope_spans.collect(),
                ..ResourceSpans::default()
            }],
        }
    }
}

fn encode(span: &FinishedSpan) -> Span {
    let mut attributes: Vec<KeyValue> = span
        .attributes
        .iter()
        .map(|(name, value)| pair(name, encode_value(value)))
        .collect();
    if let Some(module) = &span.module {
        attributes.push(pair("wharf.module", Value::StringValue(module.clone())));
        attributes.push(pair(
            "wharf.module.instance",
            Value::IntValue(i64::try_from(span.instance).unwrap_or(i64::MAX)),
        ));
    }
    Span {
        trace_id: span.trace_id.to_vec(),
        span_id: span.span_id.to_vec(),
        parent_span_id: span.parent.map(|parent| parent.to_vec()).unwrap_or_default(),
        flags: 1,
        name: span.name.to_string(),
        kind: kind(span.kind).into(),
        start_time_unix_nano: span.started_ns,
        end_time_unix_nano: span.ended_ns,
        attributes,
        status: Some(match &span.status {
            SpanStatus::Unset => Status::default(),
            SpanStatus::Error(why) => Status {
                code: StatusCode::Error.into(),
                message: why.to_string(),
            },
        }),
        ..Span::default()
    }
}

const fn kind(kind: SpanKind) -> Kind {
    match kind {
        SpanKind::Internal => Kind::Internal,
        SpanKind::Server => Kind::Server,
        SpanKind::Client => Kind::Client,
        SpanKind::Producer => Kind::Producer,
        SpanKind::Consumer => Kind::Consumer,
    }
}

fn encode_value(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::Bool(value) => Value::BoolValue(*value),
        AttributeValue::Int(number) => Value::IntValue(*number),
        AttributeValue::Float(number) => Value::DoubleValue(*number),
        AttributeValue::Text(text) => Value::StringValue(text.to_string()),
    }
}

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

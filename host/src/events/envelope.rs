//! An event in its envelope: CloudEvents 1.0 in JSON, with the extensions partitioning, distributed tracing, and
//! `actor`, `tenant`, `correlationid`, `causationid` (cloudevents.io, spec v1.0.2). A handler that gets an event once more, because an
//! operator asked for it, finds `replayid` in it too.

use base64::Engine as _;
use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

/// Longest envelope, in bytes.
const MAX: usize = 1 << 20;

/// What a module publishes.
#[derive(Clone, Debug, Default)]
pub struct Published {
    /// Module that publishes.
    pub module: String,
    /// Subject.
    pub event_type: String,
    /// Media type of the data.
    pub content_type: String,
    /// The data.
    pub data: Vec<u8>,
    /// Ordering key; empty for none.
    pub key: String,
    /// Subject of whoever caused it; empty for none.
    pub actor: String,
    /// Tenant; empty for none.
    pub tenant: String,
    /// W3C trace context; empty for none.
    pub traceparent: String,
    /// Correlation id; empty for none.
    pub correlation: String,
    /// Causation id; empty for none.
    pub causation: String,
}

/// Why an event is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// The data is not what its media type says.
    #[error("the data of {event_type} is no JSON, which its media type {content_type:?} says: {why}")]
    NotJson {
        /// Subject.
        event_type: String,
        /// Media type.
        content_type: String,
        /// What is wrong.
        why: String,
    },
    /// It is too long.
    #[error("the event {event_type} has {found} bytes, at most {MAX} are allowed: store the data and publish where it is")]
    TooLong {
        /// Subject.
        event_type: String,
        /// Its length.
        found: usize,
    },
    /// It is no envelope.
    #[error("found no CloudEvent 1.0: {0}")]
    NotAnEvent(String),
}

/// An event, sealed: what is kept and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) id: String,
    pub(crate) event_type: String,
    pub(crate) key: Option<String>,
    pub(crate) time_ms: i64,
    pub(crate) envelope: Vec<u8>,
}

impl Published {
    /// Gives it id and time.
    pub(crate) fn seal(self, now: Timestamp) -> Result<Sealed, EnvelopeError> {
        let id = Uuid::now_v7().to_string();
        let mut envelope = Map::new();
        let mut put = |name: &str, value: String| {
            if !value.is_empty() {
                envelope.insert(name.to_owned(), Value::String(value));
            }
        };
        put("specversion", "1.0".to_owned());
        put("id", id.clone());
        put("source", format!("/module/{}", self.module));
        put("type", self.event_type.clone());
        put("time", now.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string());
        put("datacontenttype", self.content_type.clone());
        put("partitionkey", self.key.clone());
        put("traceparent", self.traceparent);
        put("actor", self.actor);
        put("tenant", self.tenant);
        put("correlationid", self.correlation);
        put("causationid", self.causation);
        let is_json = self.content_type.split(';').next().is_some_and(|kind| {
            let kind = kind.trim();
            kind == "application/json" || kind.ends_with("+json")
        });
        if is_json {
            let data = serde_json::from_slice(&self.data).map_err(|error| EnvelopeError::NotJson {
                event_type: self.event_type.clone(),
                content_type: self.content_type.clone(),
                why: error.to_string(),
            })?;
            envelope.insert("data".to_owned(), data);
        } else {
            let data = base64::engine::general_purpose::STANDARD.encode(&self.data);
            envelope.insert("data_base64".to_owned(), Value::String(data));
        }
        let envelope = Value::Object(envelope).to_string().into_bytes();
        if envelope.len() > MAX {
            return Err(EnvelopeError::TooLong {
                event_type: self.event_type,
                found: envelope.len(),
            });
        }
        Ok(Sealed {
            id,
            event_type: self.event_type,
            key: Some(self.key).filter(|key| !key.is_empty()),
            time_ms: now.as_millisecond(),
            envelope,
        })
    }
}

impl Sealed {
    /// Reads what came from outside.
    pub(crate) fn open(envelope: Vec<u8>) -> Result<Self, EnvelopeError> {
        let read: Value = serde_json::from_slice(&envelope).map_err(|error| EnvelopeError::NotAnEvent(error.to_string()))?;
        let text = |name: &str| read.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let need = |name: &str| {
            text(name)
                .map(ToOwned::to_owned)
                .ok_or_else(|| EnvelopeError::NotAnEvent(format!("{name} is missing")))
        };
        if text("specversion") != Some("1.0") {
            return Err(EnvelopeError::NotAnEvent(format!(
                "found specversion {:?}, expected \"1.0\"",
                text("specversion")
            )));
        }
        need("source")?;
        let time = text("time").and_then(|time| time.parse::<Timestamp>().ok());
        Ok(Self {
            id: need("id")?,
            event_type: need("type")?,
            key: text("partitionkey").map(ToOwned::to_owned),
            time_ms: time.map_or(0, |time| time.as_millisecond()),
            envelope,
        })
    }
}

/// The same event with the name of the replay in which it is delivered. What cannot be read stays as it is, and is refused later.
pub(crate) fn marked(envelope: &[u8], replay: &str) -> Vec<u8> {
    match serde_json::from_slice::<Map<String, Value>>(envelope) {
        Ok(mut whole) => {
            whole.insert("replayid".to_owned(), Value::String(replay.to_owned()));
            Value::Object(whole).to_string().into_bytes()
        }
        Err(_) => envelope.to_vec(),
    }
}

/// What the subjects of the host begin with. Events of them are published by many modules.
const HOST: &str = "wharf";

/// The module in whose space the subscriptions of this subject are kept: what stands before the first dot, which is the module that
/// publishes it; for subjects of the host what stands after it.
pub(crate) fn publisher(event_type: &str) -> &str {
    let mut words = event_type.split('.');
    match words.next() {
        Some(HOST) => words.next().unwrap_or_default(),
        first => first.unwrap_or_default(),
    }
}

/// Whether many modules publish events of this subject.
pub(crate) fn is_shared(event_type: &str) -> bool {
    event_type.split('.').next() == Some(HOST)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn event(content_type: &str, data: &[u8]) -> Published {
        Published {
            module: "blog".to_owned(),
            event_type: "blog.post.published.v1".to_owned(),
            content_type: content_type.to_owned(),
            data: data.to_vec(),
            key: "7".to_owned(),
            ..Published::default()
        }
    }

    #[test]
    fn a_sealed_event_is_a_cloud_event_and_is_read_again() {
        let sealed = event("application/json", b"{\"post\":7}")
            .seal(Timestamp::from_second(1_700_000_000).unwrap())
            .unwrap();
        let json: Value = serde_json::from_slice(&sealed.envelope).unwrap();
        for (name, value) in [
            ("specversion", "1.0"),
            ("source", "/module/blog"),
            ("type", "blog.post.published.v1"),
            ("time", "2023-11-14T22:13:20.000000Z"),
            ("partitionkey", "7"),
        ] {
            assert_eq!(json[name], value, "{name}");
        }
        assert_eq!(json["data"]["post"], 7);
        assert!(json.get("tenant").is_none());
        assert_eq!(Sealed::open(sealed.envelope.clone()).unwrap(), sealed);
    }

    #[test]
    fn subscriptions_of_a_subject_are_kept_with_its_module() {
        assert_eq!(publisher("blog.post.published.v1"), "blog");
        assert_eq!(publisher("wharf.audit.recorded.v1"), "audit");
        assert!(is_shared("wharf.audit.recorded.v1") && !is_shared("wharfage.x.v1"));
    }

    #[test]
    fn a_replayed_event_is_the_same_event_with_the_name_of_its_replay() {
        let sealed = event("application/json", b"{\"post\":7}").seal(Timestamp::UNIX_EPOCH).unwrap();
        let marked = marked(&sealed.envelope, "again");
        let json: Value = serde_json::from_slice(&marked).unwrap();
        assert_eq!((&json["replayid"], &json["data"]["post"]), (&Value::from("again"), &Value::from(7)));
        assert_eq!(Sealed::open(marked).unwrap().id, sealed.id);
        assert_eq!(super::marked(b"no event", "again"), b"no event");
    }

    #[test]
    fn bytes_travel_as_base64_and_what_is_no_json_is_refused() {
        let sealed = event("application/octet-stream", &[0, 255]).seal(Timestamp::UNIX_EPOCH).unwrap();
        let json: Value = serde_json::from_slice(&sealed.envelope).unwrap();
        assert_eq!(json["data_base64"], "AP8=");
        let error = event("application/json", b"{").seal(Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(matches!(error, EnvelopeError::NotJson { .. }), "{error}");
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for wrong in [
            "",
            "[]",
            "{}",
            "{\"specversion\":\"0.3\"}",
            "{\"specversion\":\"1.0\",\"source\":\"/a\",\"id\":\"1\"}",
        ] {
            assert!(Sealed::open(wrong.as_bytes().to_vec()).is_err(), "{wrong}");
        }
    }
}

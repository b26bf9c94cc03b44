//! What a handler knows of the event beside its data.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;
use wharf_plugin_api::{Fault, FaultCode};

use crate::bridge::core::Core;

/// The envelope of an event (CloudEvents 1.0), without its data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Meta {
    /// Unique; the same in every try and every replay.
    pub id: String,
    /// Who published it: `/module/<id>`.
    pub source: String,
    /// Its subject.
    #[serde(rename = "type")]
    pub event_type: String,
    /// When, RFC 3339.
    #[serde(default)]
    pub time: String,
    /// As in [`Event::key`](super::Event::key).
    #[serde(default, rename = "partitionkey")]
    pub key: Option<String>,
    /// Subject of whoever caused it, such as `user:01J...`, as the host of the publisher knew it.
    #[serde(default)]
    pub actor: Option<String>,
    /// Whose event it is, where there are tenants: what the publisher said, else that of whoever caused it.
    #[serde(default)]
    pub tenant: Option<String>,
    /// W3C trace context of whoever published it.
    #[serde(default)]
    pub traceparent: Option<String>,
    /// Id that everything has in common which comes of one cause.
    #[serde(default, rename = "correlationid")]
    pub correlation: Option<String>,
    /// Id of the event this one comes of.
    #[serde(default, rename = "causationid")]
    pub causation: Option<String>,
    /// Names the replay in which it is delivered once more; none the first time.
    #[serde(default, rename = "replayid")]
    pub replay: Option<String>,
}

/// One try to handle one event.
///
/// With `database` under `[services]` and the feature `database`, [`EventContext::tx`] is a transaction that the host opened
/// for this try: what is done in it is committed together with the record that the event was handled, so it happens once.
/// What is done outside of it may happen again, after a crash or a failed try.
pub struct EventContext {
    pub(super) meta: Meta,
    pub(super) subscription: String,
    pub(super) attempt: u32,
    pub(super) max_attempts: u32,
    pub(super) deadline: Instant,
    pub(super) tx: u64,
    pub(super) core: Arc<Core>,
}

impl EventContext {
    /// The envelope.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Subject of whoever caused the event: who called the module that published it, or that module. The handler itself runs in the
    /// name of this module.
    #[must_use]
    pub fn actor(&self) -> Option<&str> {
        self.meta.actor.as_deref()
    }

    /// Whether an operator had kept events delivered once more (`wharf events replay`), and this is one of them. It was most likely
    /// handled before: do again what the module's own tables need, and do not tell others again.
    #[must_use]
    pub fn is_replay(&self) -> bool {
        self.meta.replay.is_some()
    }

    /// Name of the subscription.
    #[must_use]
    pub fn subscription(&self) -> &str {
        &self.subscription
    }

    /// Which try this is, counted from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Tries there are; after the last one the event goes to the dead letters.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.max_attempts
    }

    /// When this try is cut.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The transaction of this try. The host ends it, when the handler has returned: with an error it is rolled back.
    ///
    /// # Errors
    /// `undeclared` when `wharf.toml` lacks `database = 1` under `[services]`.
    #[cfg(feature = "database")]
    pub fn tx(&self) -> Result<crate::services::database::Tx, Fault> {
        if self.tx == 0 {
            return Err(Fault::new(
                FaultCode::UNDECLARED,
                "there is no transaction for this event: add `database = 1` under [services] in wharf.toml",
            ));
        }
        Ok(crate::services::database::Tx::lent(self.core.link()?, self.tx))
    }

    pub(crate) fn tx_handle(&self) -> u64 {
        self.tx
    }

    /// Whether there is a transaction for this try.
    #[must_use]
    pub fn has_tx(&self) -> bool {
        self.tx != 0
    }
}

/// Reads an envelope: what is known of it, and its data.
pub(super) fn read(envelope: &[u8]) -> Result<(Meta, Value), Fault> {
    let invalid = |error: serde_json::Error| Fault::new(FaultCode::INVALID, format!("the envelope of the event is no CloudEvent: {error}"));
    let mut whole: serde_json::Map<String, Value> = serde_json::from_slice(envelope).map_err(invalid)?;
    let data = whole.remove("data").unwrap_or(Value::Null);
    let meta = serde_json::from_value(Value::Object(whole)).map_err(invalid)?;
    Ok((meta, data))
}

pub(super) fn deadline(timeout_ms: u64) -> Instant {
    let now = Instant::now();
    now.checked_add(Duration::from_millis(timeout_ms)).unwrap_or(now)
}

impl std::fmt::Debug for EventContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventContext")
            .field("module", &self.core.identity.module)
            .field("meta", &self.meta)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

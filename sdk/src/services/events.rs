//! Publishing events.

use wharf_plugin_api::services::events::{EventsRef, NewEvent};
use wharf_plugin_api::{Fault, FaultCode};

use super::InTransaction;
use crate::bridge::scope;
use crate::events::{Event, EventContext};

/// Publishes events. Each subject is listed in `wharf.toml` under `[events] publishes`.
#[derive(Clone)]
pub struct Events {
    service: EventsRef,
    correlation: String,
    causation: String,
    tenant: String,
}

impl Events {
    pub(crate) fn new(service: EventsRef) -> Self {
        Self {
            service,
            correlation: String::new(),
            causation: String::new(),
            tenant: String::new(),
        }
    }

    /// The same, for events that come of the one being handled: they carry its id as their cause, and what it has in common
    /// with others.
    #[must_use]
    pub fn because_of(&self, event: &EventContext) -> Self {
        let meta = event.meta();
        Self {
            service: self.service.clone(),
            correlation: meta.correlation.clone().unwrap_or_else(|| meta.id.clone()),
            causation: meta.id.clone(),
            tenant: meta.tenant.clone().unwrap_or_default(),
        }
    }

    /// The same, for events of a tenant.
    #[must_use]
    pub fn of_tenant(&self, tenant: &str) -> Self {
        Self {
            tenant: tenant.to_owned(),
            ..self.clone()
        }
    }

    /// Publishes when the transaction commits, or never. Gives the event's id.
    ///
    /// # Errors
    /// `undeclared` when `wharf.toml` does not list the subject, `unavailable` when the database does not answer; the
    /// transaction is then to be rolled back.
    pub async fn publish<E: Event>(&self, tx: &impl InTransaction, event: &E) -> Result<String, Fault> {
        Ok(self.service.publish(self.envelope(event)?, tx.handle()).await?.into())
    }

    /// Publishes by itself: durable when this returns. Gives the event's id. What else the caller does may be lost when this is
    /// not, and the other way round; with a transaction it is not.
    ///
    /// # Errors
    /// As [`Events::publish`].
    pub async fn publish_alone<E: Event>(&self, event: &E) -> Result<String, Fault> {
        Ok(self.service.publish(self.envelope(event)?, 0).await?.into())
    }

    /// Gives the event to handlers that run on this node at this moment, once, and forgets it: for what may be lost, such as
    /// progress to be shown. Gives the event's id.
    ///
    /// # Errors
    /// `undeclared` when `wharf.toml` does not list the subject, `busy` when too many are under way.
    pub fn publish_transient<E: Event>(&self, event: &E) -> Result<String, Fault> {
        let id = self.service.publish_transient(self.envelope(event)?).into_result()?;
        Ok(id.into())
    }

    fn envelope<E: Event>(&self, event: &E) -> Result<NewEvent, Fault> {
        let data = serde_json::to_vec(event).map_err(|error| {
            let text = format!("an event {} cannot be written as JSON: {error}", E::TYPE);
            Fault::new(FaultCode::INVALID, text)
        })?;
        let traceparent = scope::current_call(crate::call::traceparent).flatten().unwrap_or_default();
        Ok(NewEvent {
            event_type: E::TYPE.into(),
            content_type: "application/json".into(),
            data: data.into(),
            key: event.key().unwrap_or_default().into(),
            tenant: self.tenant.as_str().into(),
            traceparent: traceparent.into(),
            correlation: self.correlation.as_str().into(),
            causation: self.causation.as_str().into(),
        })
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}

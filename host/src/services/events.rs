//! `events`: publishes what the manifest lists.

use std::sync::Arc;

use wharf_plugin_api::abi_stable::sabi_trait::TD_Opaque;
use wharf_plugin_api::abi_stable::std_types::{RArc, RResult, RString};
use wharf_plugin_api::future::FfiFuture;
use wharf_plugin_api::services::events::{Events, Events_TO, EventsRef, NewEvent};
use wharf_plugin_api::{Fault, FaultCode, guard};

use super::entered::Entered;
use super::{Inner, stopped};
use crate::events::{EventHub, HubError, Published};
use crate::ports::database::TxId;
use crate::telemetry::ActiveSpan;

#[derive(Clone)]
struct Publisher(Arc<Inner>);

pub(super) fn object(inner: &Arc<Inner>) -> EventsRef {
    Events_TO::from_ptr(RArc::new(Publisher(inner.clone())), TD_Opaque)
}

impl Inner {
    /// Who causes what happens on this thread, and their tenant: whoever called, or the module itself.
    pub(super) fn actor(&self) -> (String, String) {
        let principal = self
            .with_call(|call| call.principal.clone())
            .unwrap_or_else(|| self.own_principal());
        let tenant = principal.identity().map(|identity| identity.tenant.clone());
        (principal.subject().to_owned(), tenant.unwrap_or_default())
    }
}

impl Publisher {
    /// The event, if this module may publish it, and the span of that.
    fn accept(&self, event: NewEvent) -> Result<(Published, ActiveSpan), Fault> {
        let inner = &self.0;
        if inner.standing.is_retired() {
            return Err(stopped());
        }
        let subject = event.event_type.as_str();
        if !inner.manifest.events.publishes.iter().any(|listed| listed == subject) {
            return Err(Fault::new(
                FaultCode::UNDECLARED,
                format!("the subject {subject:?} is not declared; add \"{subject}\" to `publishes` under [events] in wharf.toml"),
            ));
        }
        let (actor, of_caller) = inner.actor();
        let tenant = event.tenant.into_string();
        let (span, traceparent) = publishing(inner, subject, &event.traceparent);
        let published = Published {
            actor,
            module: inner.standing.who.module.clone(),
            event_type: event.event_type.into(),
            content_type: event.content_type.into(),
            data: event.data.into(),
            key: event.key.into(),
            tenant: if tenant.is_empty() { of_caller } else { tenant },
            traceparent,
            correlation: event.correlation.into(),
            causation: event.causation.into(),
        };
        Ok((published, span))
    }

    fn publish(&self, event: NewEvent, tx: u64) -> Result<FfiFuture<RString>, Fault> {
        let (event, span) = self.accept(event)?;
        let tx = self.0.resolve_tx_or_alone(tx)?;
        let hub = self.0.shared.work.events.clone();
        let published = async move { publish(hub, event, tx, span).await.map(RString::from) };
        Ok(FfiFuture::new(Entered::new(self.0.shared.runtime.clone(), published)))
    }

    fn publish_transient(&self, event: NewEvent) -> Result<RString, Fault> {
        let (event, mut span) = self.accept(event)?;
        let _entered = self.0.shared.runtime.enter();
        let published = self.0.shared.work.events.publish_transient(event).map_err(|error| fault(&error));
        span.settle(&published);
        Ok(published?.into())
    }
}

impl Events for Publisher {
    fn publish(&self, event: NewEvent, tx: u64) -> FfiFuture<RString> {
        guard(|| Publisher::publish(self, event, tx))
            .unwrap_or_else(Err)
            .unwrap_or_else(|fault| FfiFuture::ready(Err(fault)))
    }

    fn publish_transient(&self, event: NewEvent) -> RResult<RString, Fault> {
        guard(|| Publisher::publish_transient(self, event)).unwrap_or_else(Err).into()
    }
}

/// The span of a publishing, and the trace context that its deliveries go on with.
pub(super) fn publishing(inner: &Inner, subject: &str, given: &str) -> (ActiveSpan, String) {
    let (mut span, traceparent) = inner.leaves("publish", given);
    if span.is_recorded() {
        span.rename(format!("publish {subject}"));
        span.set("messaging.system", "wharf");
        span.set("messaging.operation.type", "send");
        span.set("messaging.destination.name", subject.to_owned());
    }
    (span, traceparent)
}

/// Publishes as this span.
pub(super) async fn publish(hub: EventHub, event: Published, tx: Option<TxId>, mut span: ActiveSpan) -> Result<String, Fault> {
    span.fail("cancelled");
    let published = hub.publish(event, tx).await.map_err(|error| fault(&error));
    span.settle(&published);
    if let (Ok(id), true) = (&published, span.is_recorded()) {
        span.set("messaging.message.id", id.clone());
    }
    published
}

pub(super) fn fault(error: &HubError) -> Fault {
    let code = match error {
        HubError::Envelope(_) => FaultCode::INVALID,
        HubError::Database(error) => super::database_code(error),
        HubError::Busy => FaultCode::BUSY,
        HubError::Injected(_) => FaultCode::INTERNAL,
    };
    Fault::from_error(code, error)
}

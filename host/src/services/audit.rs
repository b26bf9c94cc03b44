//! `audit`: what a module says was done, with what only the host knows, into the outbox of the module.

use std::sync::Arc;

use serde::Serialize;
use uuid::Uuid;
use wharf_plugin_api::abi_stable::sabi_trait::TD_Opaque;
use wharf_plugin_api::abi_stable::std_types::{RArc, ROption, RString};
use wharf_plugin_api::future::FfiFuture;
use wharf_plugin_api::object::Interface as _;
use wharf_plugin_api::services::audit::{Audit, Audit_TO, AuditRef, NewRecord, OutcomeKind};
use wharf_plugin_api::{Fault, FaultCode, guard};

use super::entered::Entered;
use super::events::{publish, publishing};
use super::{Inner, stopped};
use crate::events::{Published, RECORDED};
use crate::security::Principal;

/// The JSON of `wharf.audit.v1.Entry` (docs/decisions/0011-audit.md).
#[derive(Serialize)]
struct Record<'a> {
    id: String,
    at: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    tenant: &'a str,
    actor: &'a str,
    action: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    object: &'a str,
    outcome: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    #[serde(skip_serializing_if = "String::is_empty")]
    from: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    request_id: String,
    recorder: &'a str,
    node: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<Change<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    session: &'a str,
}

#[derive(Serialize)]
struct Change<'a> {
    field: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'a str>,
}

/// What the host knows of the call that runs.
struct Known {
    principal: Principal,
    from: String,
    request_id: String,
}

#[derive(Clone)]
struct Recorder(Arc<Inner>);

pub(super) fn object(inner: &Arc<Inner>) -> AuditRef {
    Audit_TO::from_ptr(RArc::new(Recorder(inner.clone())), TD_Opaque)
}

/// Makes the outbox, which a transaction of the module would keep from being made later.
pub(super) async fn prepare(inner: &Arc<Inner>) -> Result<(), Fault> {
    if !inner.manifest.services.contains_key(AuditRef::NAME) {
        return Ok(());
    }
    let module = inner.standing.who.module.as_str();
    let opened = inner.shared.work.events.queues().of(module).await;
    opened
        .map(drop)
        .map_err(|error| Fault::new(FaultCode::UNAVAILABLE, format!("the outbox of {module} cannot be opened: {error}")))
}

impl Recorder {
    fn known(&self) -> Known {
        self.0
            .with_call(|call| Known {
                principal: call.principal.clone(),
                from: call.peer.map(|peer| peer.ip().to_string()).unwrap_or_default(),
                request_id: call.request_id.as_str().to_owned(),
            })
            .unwrap_or_else(|| Known {
                principal: self.0.own_principal(),
                from: String::new(),
                request_id: String::new(),
            })
    }

    /// The event, with who did it.
    fn event(&self, new: &NewRecord) -> Result<Published, Fault> {
        let invalid = |message: String| Fault::new(FaultCode::INVALID, message);
        if !is_action(&new.action) {
            return Err(invalid(format!(
                "found the action {:?}, expected dotted words such as \"blog.post.publish\"",
                new.action.as_str()
            )));
        }
        let known = self.known();
        let identity = known.principal.identity();
        let tenant = Some(new.tenant.as_str())
            .filter(|tenant| !tenant.is_empty())
            .or(identity.map(|identity| identity.tenant.as_str()))
            .unwrap_or_default();
        let inner = &self.0;
        let record = Record {
            id: Uuid::now_v7().to_string(),
            at: inner.shared.backends.clock.now().strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
            tenant,
            actor: known.principal.subject(),
            action: &new.action,
            object: &new.object,
            outcome: outcome(new.outcome).ok_or_else(|| invalid(format!("this host knows no outcome {}", new.outcome.0)))?,
            reason: &new.reason,
            from: known.from,
            request_id: known.request_id.clone(),
            recorder: &inner.standing.who.module,
            node: &inner.shared.node,
            changes: new
                .changes
                .iter()
                .map(|change| Change {
                    field: &change.field,
                    before: text(&change.before),
                    after: text(&change.after),
                })
                .collect(),
            session: identity.and_then(|identity| identity.session.as_deref()).unwrap_or_default(),
        };
        let data = serde_json::to_vec(&record).map_err(|error| invalid(format!("the record cannot be written as JSON: {error}")))?;
        Ok(Published {
            module: inner.standing.who.module.clone(),
            event_type: RECORDED.to_owned(),
            content_type: "application/json".to_owned(),
            data,
            actor: record.actor.to_owned(),
            tenant: tenant.to_owned(),
            correlation: known.request_id,
            ..Published::default()
        })
    }

    fn record(&self, new: &NewRecord, tx: u64) -> Result<FfiFuture<RString>, Fault> {
        if self.0.standing.is_retired() {
            return Err(stopped());
        }
        let mut event = self.event(new)?;
        let tx = self.0.resolve_tx_or_alone(tx)?;
        let hub = self.0.shared.work.events.clone();
        let span;
        (span, event.traceparent) = publishing(&self.0, RECORDED, "");
        let recorded = async move { publish(hub, event, tx, span).await.map(RString::from) };
        Ok(FfiFuture::new(Entered::new(self.0.shared.runtime.clone(), recorded)))
    }
}

impl Audit for Recorder {
    fn record(&self, record: NewRecord, tx: u64) -> FfiFuture<RString> {
        guard(|| Recorder::record(self, &record, tx))
            .unwrap_or_else(Err)
            .unwrap_or_else(|fault| FfiFuture::ready(Err(fault)))
    }
}

fn outcome(kind: OutcomeKind) -> Option<&'static str> {
    match kind {
        OutcomeKind::SUCCESS => Some("OUTCOME_SUCCESS"),
        OutcomeKind::DENIED => Some("OUTCOME_DENIED"),
        OutcomeKind::FAILURE => Some("OUTCOME_FAILURE"),
        _ => None,
    }
}

fn text(value: &ROption<RString>) -> Option<&str> {
    value.as_ref().map(RString::as_str).into_option()
}

/// Dotted words, as in the name of a permission.
fn is_action(action: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
    };
    action.len() <= 200 && action.contains('.') && action.split('.').all(is_word)
}

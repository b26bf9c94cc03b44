//! Who did what.

use wharf_plugin_api::Fault;
use wharf_plugin_api::services::audit::{AuditRef, FieldChange, NewRecord, OutcomeKind};

use super::InTransaction;
use crate::audit::{Entry, Outcome};

/// Records who did what. The host adds who, when, where and in which request; the module `audit` keeps it.
#[derive(Clone)]
pub struct Audit(AuditRef);

impl Audit {
    pub(crate) fn new(service: AuditRef) -> Self {
        Self(service)
    }

    /// Records when the transaction commits, or never: what was done and that it was done are one. Gives the record's id.
    ///
    /// # Errors
    /// `invalid` for an action that is no dotted name, `unavailable` when the database does not answer; the transaction is then to
    /// be rolled back.
    pub async fn record(&self, tx: &impl InTransaction, entry: Entry) -> Result<String, Fault> {
        self.send(entry, tx.handle()).await
    }

    /// Records by itself, durable when this returns: for what was denied or failed, where there is nothing else to commit. Gives the
    /// record's id.
    ///
    /// # Errors
    /// As [`Audit::record`].
    pub async fn record_now(&self, entry: Entry) -> Result<String, Fault> {
        self.send(entry, 0).await
    }

    async fn send(&self, entry: Entry, tx: u64) -> Result<String, Fault> {
        let text = |text: Option<String>| text.map(Into::into).into();
        let record = NewRecord {
            action: entry.action.into(),
            object: entry.object.into(),
            outcome: match entry.outcome {
                Outcome::Success => OutcomeKind::SUCCESS,
                Outcome::Denied => OutcomeKind::DENIED,
                Outcome::Failure => OutcomeKind::FAILURE,
            },
            reason: entry.reason.into(),
            tenant: entry.tenant.into(),
            changes: entry
                .changes
                .into_iter()
                .map(|change| FieldChange {
                    field: change.field.into(),
                    before: text(change.before),
                    after: text(change.after),
                })
                .collect(),
        };
        Ok(self.0.record(record, tx).await?.into())
    }
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Audit")
    }
}

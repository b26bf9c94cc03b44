//! What is recorded of each change, in its transaction.

use wharf_sdk::audit::Entry;
use wharf_sdk::services::InTransaction;

use crate::Authz;
use crate::error::{Error, Result};
use crate::line::Change;
use crate::rulebook::{Begun, State};

/// How often a change is tried when others are faster.
const TRIES: usize = 16;

impl Authz {
    /// Changes the rules as planned, and records it. Gives the epoch in which it holds.
    pub(crate) async fn change(&self, action: &'static str, plan: impl Fn(&State) -> Result<Change> + Send + Sync) -> Result<u64> {
        for _ in 0..TRIES {
            match self.book.begin(&plan).await? {
                Begun::Overtaken => {}
                Begun::Nothing(epoch) => return Ok(epoch),
                Begun::Written { tx, epoch, change } => {
                    self.record(&tx, action, &change).await?;
                    tx.commit().await?;
                    self.book.sync().await?;
                    return Ok(epoch);
                }
            }
        }
        Err(Error::Conflict(
            "the rules are being changed by many at this moment, try again".to_owned(),
        ))
    }

    /// One entry for each line, in the tenant it is about.
    pub(crate) async fn record(&self, tx: &impl InTransaction, action: &str, change: &Change) -> Result<()> {
        let mut entries = Vec::new();
        for line in &change.rules_added {
            entries.push(
                Entry::of(action)
                    .on(&line.subject)
                    .in_tenant(&line.tenant)
                    .added("rule", &line.to_string()),
            );
        }
        for line in &change.rules_removed {
            entries.push(
                Entry::of(action)
                    .on(&line.subject)
                    .in_tenant(&line.tenant)
                    .removed("rule", &line.to_string()),
            );
        }
        for line in &change.bindings_added {
            entries.push(Entry::of(action).on(&line.member).in_tenant(&line.tenant).added("role", &line.role));
        }
        for line in &change.bindings_removed {
            entries.push(
                Entry::of(action)
                    .on(&line.member)
                    .in_tenant(&line.tenant)
                    .removed("role", &line.role),
            );
        }
        for role in &change.roles_added {
            let object = format!("role:{}", role.name);
            entries.push(
                Entry::of(action)
                    .on(object)
                    .in_tenant(&role.tenant)
                    .added("description", &role.description),
            );
        }
        for name in &change.roles_removed {
            entries.push(Entry::of(action).on(format!("role:{name}")));
        }
        for entry in entries {
            self.audit.record(tx, entry).await?;
        }
        Ok(())
    }
}

//! What others' events change: who is in a group is a binding, and an account that is gone holds nothing.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_sdk::{Error, Event, EventContext, Handlers, tracing};

use crate::Authz;
use crate::line::{BindingLine, Change};

/// An account was made, changed or deleted: what this module needs of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountChanged {
    /// Id of the account.
    pub id: String,
    /// `user` or `service`.
    pub kind: String,
    /// Whether it is gone.
    pub deleted: bool,
}

/// Somebody came into a group, or left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MembershipChanged {
    /// Id of the group.
    pub group: String,
    /// `user:ID` or `service:ID`.
    pub member: String,
    /// Tenant of both.
    pub tenant: String,
    /// Whether it is in the group now.
    pub present: bool,
}

impl Event for AccountChanged {
    const TYPE: &'static str = "identity.account.changed.v1";

    fn key(&self) -> Option<String> {
        Some(self.id.clone())
    }
}

impl Event for MembershipChanged {
    const TYPE: &'static str = "identity.membership.changed.v1";

    fn key(&self) -> Option<String> {
        Some(format!("{} {}", self.group, self.member))
    }
}

pub(crate) fn handlers() -> Handlers<Authz> {
    Handlers::new()
        .on::<AccountChanged>("accounts", Authz::account_changed)
        .on::<MembershipChanged>("memberships", Authz::membership_changed)
}

impl Authz {
    async fn account_changed(self: Arc<Self>, changed: AccountChanged, ctx: EventContext) -> Result<(), Error> {
        if !changed.deleted {
            return Ok(());
        }
        let subject = format!("{}:{}", changed.kind, changed.id);
        let change = {
            self.book.sync().await?;
            let state = self.book.read().await;
            Change {
                bindings_removed: state.policy.held_by(&subject).cloned().collect(),
                rules_removed: state.policy.rules_of(&subject).cloned().collect(),
                ..Change::default()
            }
        };
        self.write("authz.account.forget", &change, &ctx).await?;
        tracing::info!(
            subject,
            bindings = change.bindings_removed.len(),
            "an account is gone, and with it what it held"
        );
        Ok(())
    }

    async fn membership_changed(self: Arc<Self>, changed: MembershipChanged, ctx: EventContext) -> Result<(), Error> {
        let line = BindingLine {
            member: changed.member,
            role: format!("group:{}", changed.group),
            tenant: changed.tenant,
        };
        self.book.sync().await?;
        let is_there = self.book.read().await.policy.bindings.contains(&line);
        let mut change = Change::default();
        match (is_there, changed.present) {
            (false, true) => change.bindings_added.push(line),
            (true, false) => change.bindings_removed.push(line),
            _ => return Ok(()),
        }
        self.write("authz.group.follow", &change, &ctx).await
    }

    /// In the transaction of the delivery; this node follows as soon as it is committed.
    async fn write(&self, action: &str, change: &Change, ctx: &EventContext) -> Result<(), Error> {
        if !change.is_empty() {
            self.book.store.write(&ctx.tx()?, None, change).await?;
            self.record(ctx, action, change).await?;
            self.book.woken.notify_one();
        }
        Ok(())
    }
}

//! What others are told of changes, in the transaction of the change: events for modules, and the audit record for people.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_sdk::audit::Entry;
use wharf_sdk::services::audit::Audit;
use wharf_sdk::services::database::Tx;
use wharf_sdk::services::events::Events;
use wharf_sdk::{Context, Event, Handlers};

use crate::Identity;
use crate::error::Result;

/// An account was made, changed or deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountChanged {
    /// Id of the account.
    pub id: String,
    /// `user` or `service`.
    pub kind: String,
    /// Its tenant.
    pub tenant: String,
    /// `active`, `invited` or `suspended`.
    pub status: String,
    /// Whether it is gone.
    pub deleted: bool,
    /// Whether its password or secret is another one now: sessions from before are not to be trusted.
    #[serde(default)]
    pub credentials_changed: bool,
    /// When that was, in milliseconds since 1970: whoever logged in until then used what counts no more.
    #[serde(default)]
    pub credentials_changed_at: i64,
    /// Session in which its owner changed the password: that one may stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
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

/// Tells others.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    events: Events,
    audit: Audit,
}

/// One line of the audit record.
pub(crate) struct Line(Entry);

impl Line {
    /// Something that was done to something, in a tenant.
    pub(crate) fn of(action: &str, object: impl Into<String>, tenant: &str) -> Self {
        Self(Entry::of(action).on(object).in_tenant(tenant))
    }

    /// A field that has another value now. One that has not is left out; an empty text stands for none.
    pub(crate) fn changed(self, field: &str, before: &str, after: &str) -> Self {
        Self(match (before, after) {
            (before, after) if before == after => self.0,
            ("", after) => self.0.added(field, after),
            (before, "") => self.0.removed(field, before),
            (before, after) => self.0.changed(field, before, after),
        })
    }
}

impl Journal {
    pub(crate) fn new(ctx: &Context) -> Result<Self> {
        Ok(Self {
            events: ctx.events()?,
            audit: ctx.audit()?,
        })
    }

    pub(crate) async fn account(&self, tx: &Tx, changed: &AccountChanged) -> Result<()> {
        self.events.of_tenant(&changed.tenant).publish(tx, changed).await?;
        Ok(())
    }

    pub(crate) async fn membership(&self, tx: &Tx, changed: &MembershipChanged) -> Result<()> {
        self.events.of_tenant(&changed.tenant).publish(tx, changed).await?;
        Ok(())
    }

    /// Writes a line of the audit record.
    pub(crate) async fn record(&self, tx: &Tx, line: Line) -> Result<()> {
        self.audit.record(tx, line.0).await?;
        Ok(())
    }
}

pub(crate) fn handlers() -> Handlers<Identity> {
    Handlers::new().publishes::<AccountChanged>().publishes::<MembershipChanged>()
}

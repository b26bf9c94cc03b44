//! What others are told, in the transaction of what happened: events for modules, the audit record for people.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_sdk::audit::Entry;
use wharf_sdk::services::audit::Audit;
use wharf_sdk::services::database::Tx;
use wharf_sdk::services::events::Events;
use wharf_sdk::{Context, Event, Fault, Tenant};

use crate::error::Result;

/// An invoice was issued: somebody owes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InvoiceIssued {
    /// Id of the invoice.
    pub invoice: String,
    /// Its number, without gaps in the tenant.
    pub number: i64,
    /// Id of the customer.
    pub customer: String,
    /// Id of the subscription it is for, if it is for one.
    #[serde(default)]
    pub subscription: Option<String>,
    /// What is owed, in the smallest unit of the currency.
    pub total: i64,
    /// Code of ISO 4217.
    pub currency: String,
    /// The day on which it is due.
    pub due: String,
}

/// An invoice was paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PaymentSucceeded {
    /// Id of the payment.
    pub payment: String,
    /// Id of the invoice.
    pub invoice: String,
    /// In the smallest unit of the currency.
    pub amount: i64,
    /// Code of ISO 4217.
    pub currency: String,
}

/// A payment did not come about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PaymentFailed {
    /// Id of the payment.
    pub payment: String,
    /// Id of the invoice, which is still owed.
    pub invoice: String,
    /// What the provider calls the reason.
    pub failure: String,
}

/// A subscription began, changed or ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubscriptionChanged {
    /// Id of the subscription.
    pub subscription: String,
    /// Id of the customer.
    pub customer: String,
    /// Id of the plan it has now.
    pub plan: String,
    /// `trialing`, `active`, `past_due`, `paused` or `cancelled`.
    pub status: String,
    /// The first day on which it does not run any more.
    #[serde(default)]
    pub ends_on: Option<String>,
}

impl Event for InvoiceIssued {
    const TYPE: &'static str = "billing.invoice.issued.v1";

    fn key(&self) -> Option<String> {
        Some(self.invoice.clone())
    }
}

impl Event for PaymentSucceeded {
    const TYPE: &'static str = "billing.payment.succeeded.v1";

    fn key(&self) -> Option<String> {
        Some(self.invoice.clone())
    }
}

impl Event for PaymentFailed {
    const TYPE: &'static str = "billing.payment.failed.v1";

    fn key(&self) -> Option<String> {
        Some(self.invoice.clone())
    }
}

impl Event for SubscriptionChanged {
    const TYPE: &'static str = "billing.subscription.changed.v1";

    fn key(&self) -> Option<String> {
        Some(self.subscription.clone())
    }
}

/// Tells others.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    events: Events,
    audit: Audit,
}

impl Journal {
    pub(crate) fn new(ctx: &Context) -> Result<Self, Fault> {
        Ok(Self {
            events: ctx.events()?,
            audit: ctx.audit()?,
        })
    }

    /// Publishes when the transaction commits.
    pub(crate) async fn publish<E: Event + Sync>(&self, tx: &Tx, tenant: &Tenant, event: &E) -> Result<()> {
        tenant.events(&self.events).publish(tx, event).await?;
        Ok(())
    }

    /// Records what somebody did, when the transaction commits.
    pub(crate) async fn record(&self, tx: &Tx, tenant: &Tenant, entry: Entry) -> Result<()> {
        self.audit.record(tx, entry.in_tenant(tenant.as_str())).await?;
        Ok(())
    }
}

//! Who may do what, to which rows.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, ConnectionTrait};
use wharf_sdk::Resource;
use wharf_sdk::services::authz::{Authz, named};

use crate::error::{Error, Result};

pub(crate) const CUSTOMER_READ: &str = "billing.customer.read";
pub(crate) const CUSTOMER_WRITE: &str = "billing.customer.write";
pub(crate) const PLAN_WRITE: &str = "billing.plan.write";
pub(crate) const SUBSCRIPTION_READ: &str = "billing.subscription.read";
pub(crate) const SUBSCRIPTION_WRITE: &str = "billing.subscription.write";
pub(crate) const USAGE_WRITE: &str = "billing.usage.write";
pub(crate) const INVOICE_READ: &str = "billing.invoice.read";
pub(crate) const INVOICE_WRITE: &str = "billing.invoice.write";
pub(crate) const INVOICE_PAY: &str = "billing.invoice.pay";
pub(crate) const PAYMENT_REFUND: &str = "billing.payment.refund";
pub(crate) const LEDGER_READ: &str = "billing.ledger.read";

/// Something that permissions are asked for: `invoice/ID` of its owner.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Object<'a> {
    /// `customer`, `subscription` or `invoice`. What belongs to an invoice goes by it.
    pub(crate) kind: &'static str,
    pub(crate) id: &'a str,
    pub(crate) owner: Option<&'a str>,
}

/// Asks the host.
#[derive(Clone, Debug)]
pub(crate) struct Access(Authz);

impl Object<'_> {
    /// As rules name it.
    pub(crate) fn name(self) -> String {
        format!("{}/{}", self.kind, self.id)
    }

    fn resource(self) -> Resource {
        Resource::named(self.name()).owned_by(self.owner.unwrap_or_default())
    }
}

impl Access {
    pub(crate) fn new(authz: Authz) -> Self {
        Self(authz)
    }

    /// Who may not see something is told that it is not there.
    pub(crate) fn sees(&self, permission: &str, object: Object<'_>) -> Result<()> {
        match self.0.check(permission, object.resource())? {
            true => Ok(()),
            false => Err(Error::NotFound(object.kind)),
        }
    }

    /// For those who see it.
    pub(crate) fn may(&self, permission: &'static str, object: Object<'_>) -> Result<()> {
        match self.0.check(permission, object.resource())? {
            true => Ok(()),
            false => Err(Error::Denied(permission)),
        }
    }

    /// Whether somebody may do it to everything.
    pub(crate) fn holds(&self, permission: &str) -> Result<bool> {
        Ok(self.0.check(permission, Resource::any())?)
    }

    /// The rows that somebody sees: `kind` and `id` name them, `owner` says whose they are.
    pub(crate) fn rows<C: ConnectionTrait>(
        &self,
        db: &C,
        permission: &str,
        owner: impl ColumnTrait,
        kind: &str,
        id: impl ColumnTrait,
    ) -> Result<Condition> {
        let name: Expr = named(&format!("{kind}/"), id);
        Ok(self.0.scope(permission)?.condition(db, owner, name))
    }
}

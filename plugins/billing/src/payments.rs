//! Payments: first the row that says what is wanted, then the provider, then what came of it.
//!
//! The row commits before anybody is asked for money, and its id is the provider's idempotency key. So wherever a process dies, the
//! next try asks with the same key, and nobody pays twice. What came of it is written once, by whoever hears it first: the job that
//! asked, the job that looks after what hangs, or a webhook.

use schemars::JsonSchema;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, TransactionTrait,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wharf_sdk::audit::Entry;
use wharf_sdk::services::database::Tx;
use wharf_sdk::services::scheduler::Run;
use wharf_sdk::{Payload, Tenant, tracing};

use crate::Billing;
use crate::access::{INVOICE_PAY, INVOICE_READ, Object};
use crate::domain::invoice::{Act, State};
use crate::domain::ledger::Transaction;
use crate::domain::money::{Currency, Money};
use crate::domain::settlement::Settlement;
use crate::domain::subscription::{Change, Status};
use crate::error::{Error, Result};
use crate::invoices;
use crate::journal::{PaymentFailed, PaymentSucceeded};
use crate::page::{List, Page};
use crate::provider::{Charge, Outcome};
use crate::runs::tenant_of;
use crate::tables::{invoice, payment, subscription};
use crate::text;

/// How long the job that asks first has it to itself, and the first wait between two tries.
const FIRST_WAIT_MS: i64 = 60_000;
/// Longest wait between two tries.
const LONGEST_WAIT_MS: i64 = 3_600_000;
/// Hanging payments that are looked after at a time.
const BATCH: u64 = 100;

/// How an invoice is to be paid.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPayment {
    /// What the payment provider gave for the card or account.
    #[schema(pattern = "^[A-Za-z0-9._:-]{1,64}$", example = "tok_ok")]
    pub(crate) token: String,
}

/// What the jobs `charge` and `refund` are given.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Ask {
    /// Tenant of the row.
    pub(crate) tenant: String,
    /// Id of the payment or refund.
    pub(crate) id: String,
}

impl Payload for Ask {}

/// A token is nobody's to read.
impl std::fmt::Debug for NewPayment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewPayment(..)")
    }
}

impl Billing {
    /// Wants an invoice to be paid: the payment is pending until the provider has said how it ended.
    pub(crate) async fn pay(&self, tx: &Tx, tenant: &Tenant, invoice: &str, new: &NewPayment) -> Result<payment::Model> {
        let invoice = self.invoice_row(tx, tenant, invoice).await?;
        self.access.sees(INVOICE_READ, invoices::object(&invoice))?;
        self.access.may(INVOICE_PAY, invoices::object(&invoice))?;
        let token = text::key(&new.token, "token")?;
        let provider = self.provider()?.name();
        invoices::after(&invoice, Act::Pay)?;
        // It stays open; but whoever wants to close it, or to pay it too, waits until this is committed.
        self.turn_invoice(tx, tenant, &invoice, State::Open).await?;
        if self.has_pending_payment(tx, tenant, &invoice.id).await? {
            return Err(Error::state(
                "payment-pending",
                "a payment of this invoice is under way: wait until it has ended",
            ));
        }
        let now = text::now();
        let row = payment::Model {
            tenant: tenant.to_string(),
            id: text::new_id(),
            invoice: invoice.id.clone(),
            owner: invoice.owner.clone(),
            provider: provider.to_owned(),
            currency: invoice.currency.clone(),
            amount: invoice.total,
            refunded: 0,
            state: Settlement::Pending.as_str().to_owned(),
            method: Some(token),
            reference: None,
            failure: None,
            tries: 0,
            next_try: now + FIRST_WAIT_MS,
            created: now,
            updated: now,
        };
        let insert = payment::Entity::insert(tenant.stamp(row.clone().into_active_model().reset_all()));
        insert.exec_without_returning(tx).await?;
        let ask = Ask {
            tenant: tenant.to_string(),
            id: row.id.clone(),
        };
        self.jobs.enqueue(tx, Run::of("charge").with(&ask)?).await?;
        let entry = Entry::of(INVOICE_PAY)
            .on(invoices::object(&invoice).name())
            .added("payment", &row.id)
            .added("amount", &row.amount);
        self.journal.record(tx, tenant, entry).await?;
        Ok(row)
    }

    /// One that the caller may read: those who may read its invoice.
    pub(crate) async fn payment(&self, tenant: &Tenant, id: &str) -> Result<payment::Model> {
        let row = self.payment_row(&self.db, tenant, id).await?;
        let not_there = |_| Error::NotFound("payment");
        self.access
            .sees(INVOICE_READ, of_invoice(&row.invoice, row.owner.as_deref()))
            .map_err(not_there)?;
        Ok(row)
    }

    /// One, whoever asks.
    pub(crate) async fn payment_row<C: sea_orm::ConnectionTrait>(&self, db: &C, tenant: &Tenant, id: &str) -> Result<payment::Model> {
        let id = text::id(id).ok_or(Error::NotFound("payment"))?;
        let found = tenant.find::<payment::Entity>().filter(payment::Column::Id.eq(id)).one(db).await?;
        found.ok_or(Error::NotFound("payment"))
    }

    /// Payments of an invoice that the caller may read.
    pub(crate) async fn list_payments(&self, tenant: &Tenant, invoice: &str, page: &Page) -> Result<List<payment::Model>> {
        let invoice = self.invoice(tenant, invoice).await?;
        let rows = tenant.find::<payment::Entity>().filter(payment::Column::Invoice.eq(&invoice.id));
        page.read(&self.db, rows, payment::Column::Id, |row| &row.id).await
    }

    /// Asks the provider, and writes down what it says.
    pub(crate) async fn charge(&self, tenant: &Tenant, id: &str) -> Result<()> {
        let row = self.payment_row(&self.db, tenant, id).await?;
        let Some(token) = row.method.as_deref().filter(|_| row.state == Settlement::Pending.as_str()) else {
            return Ok(());
        };
        let charge = Charge {
            key: &row.id,
            amount: Money::new(row.amount, Currency::of(&row.currency)?),
            token,
        };
        match self.provider_named(&row.provider)?.charge(charge).await {
            Ok(outcome) => {
                let tx = self.db.begin().await?;
                self.settle_payment(&tx, tenant, &row, &outcome).await?;
                tx.commit().await?;
                Ok(())
            }
            Err(silence) => {
                tracing::warn!(payment = row.id, tries = row.tries, error = %silence, "a payment hangs");
                self.wait_for_payment(&self.db, tenant, &row, None).await
            }
        }
    }

    /// Payments that hang, of all tenants: each is asked for again.
    pub(crate) async fn tend_payments(&self, now: i64) -> Result<()> {
        let hanging = payment::Entity::find()
            .filter(payment::Column::State.eq(Settlement::Pending.as_str()))
            .filter(payment::Column::NextTry.lte(now))
            .order_by_asc(payment::Column::NextTry)
            .limit(BATCH);
        for row in hanging.all(&self.db).await? {
            if let Err(error) = self.charge(&tenant_of(&row.tenant)?, &row.id).await {
                tracing::error!(payment = row.id, error = %error, "a payment could not be settled");
            }
        }
        Ok(())
    }

    /// Writes down what came of a payment, once: a second time changes nothing. Whether it changed anything.
    pub(crate) async fn settle_payment(&self, tx: &Tx, tenant: &Tenant, row: &payment::Model, outcome: &Outcome) -> Result<bool> {
        match outcome {
            Outcome::Pending { reference } => {
                self.wait_for_payment(tx, tenant, row, Some(reference)).await?;
                Ok(false)
            }
            Outcome::Succeeded { reference } => {
                let is_first = self
                    .end_payment(tx, tenant, row, Settlement::Succeeded, Some(reference), None)
                    .await?;
                if is_first {
                    self.paid(tx, tenant, row).await?;
                }
                Ok(is_first)
            }
            Outcome::Failed { failure } => {
                let is_first = self.end_payment(tx, tenant, row, Settlement::Failed, None, Some(failure)).await?;
                if is_first {
                    let failed = PaymentFailed {
                        payment: row.id.clone(),
                        invoice: row.invoice.clone(),
                        failure: failure.clone(),
                    };
                    self.journal.publish(tx, tenant, &failed).await?;
                }
                Ok(is_first)
            }
        }
    }

    /// Takes a payment out of `pending`; false when somebody else did.
    async fn end_payment(
        &self,
        tx: &Tx,
        tenant: &Tenant,
        row: &payment::Model,
        to: Settlement,
        reference: Option<&str>,
        failure: Option<&str>,
    ) -> Result<bool> {
        let ended = payment::ActiveModel {
            state: Set(to.as_str().to_owned()),
            reference: Set(reference.map(str::to_owned).or_else(|| row.reference.clone())),
            failure: Set(failure.map(str::to_owned)),
            method: Set(None),
            updated: Set(text::now()),
            ..Default::default()
        };
        let pending = tenant
            .update_many::<payment::Entity>()
            .set(ended)
            .filter(payment::Column::Id.eq(&row.id))
            .filter(payment::Column::State.eq(Settlement::Pending.as_str()));
        Ok(pending.exec(tx).await?.rows_affected > 0)
    }

    /// Books a payment, and says so.
    async fn paid(&self, tx: &Tx, tenant: &Tenant, row: &payment::Model) -> Result<()> {
        let invoice = self.invoice_row(tx, tenant, &row.invoice).await?;
        let state = invoices::after(&invoice, Act::Pay)?;
        self.turn_invoice(tx, tenant, &invoice, state).await?;
        let amount = Money::new(row.amount, Currency::of(&row.currency)?);
        self.post(tx, tenant, &Transaction::payment(amount)?, &invoice.id, &row.id).await?;
        if let Some(subscription) = &invoice.subscription {
            self.no_longer_overdue(tx, tenant, subscription).await?;
        }
        let succeeded = PaymentSucceeded {
            payment: row.id.clone(),
            invoice: row.invoice.clone(),
            amount: row.amount,
            currency: row.currency.clone(),
        };
        self.journal.publish(tx, tenant, &succeeded).await
    }

    /// A subscription that was past due and owes nothing that is overdue any more.
    async fn no_longer_overdue(&self, tx: &Tx, tenant: &Tenant, subscription: &str) -> Result<()> {
        let overdue = tenant
            .find::<invoice::Entity>()
            .filter(invoice::Column::Subscription.eq(subscription))
            .filter(invoice::Column::State.eq(State::Open.as_str()))
            .filter(invoice::Column::Due.lt(text::today().to_string()));
        let past_due = tenant
            .find::<subscription::Entity>()
            .filter(subscription::Column::Id.eq(subscription))
            .filter(subscription::Column::Status.eq(Status::PastDue.as_str()));
        if overdue.count(tx).await? == 0
            && let Some(row) = past_due.one(tx).await?
        {
            self.turn_within(tx, tenant, &row, Change::Settle).await?;
        }
        Ok(())
    }

    /// It hangs: it is looked after again later, and later each time.
    async fn wait_for_payment<C: sea_orm::ConnectionTrait>(
        &self,
        db: &C,
        tenant: &Tenant,
        row: &payment::Model,
        reference: Option<&str>,
    ) -> Result<()> {
        let mut waits = tenant
            .update_many::<payment::Entity>()
            .col_expr(payment::Column::Tries, Expr::col(payment::Column::Tries).add(1))
            .col_expr(payment::Column::NextTry, Expr::value(text::now() + wait(row.tries)))
            .filter(payment::Column::Id.eq(&row.id))
            .filter(payment::Column::State.eq(Settlement::Pending.as_str()));
        if let Some(reference) = reference {
            waits = waits.col_expr(payment::Column::Reference, Expr::value(reference));
        }
        waits.exec(db).await?;
        Ok(())
    }
}

/// Payments and refunds are seen by those who see their invoice.
pub(crate) fn of_invoice<'a>(invoice: &'a str, owner: Option<&'a str>) -> Object<'a> {
    Object {
        kind: "invoice",
        id: invoice,
        owner,
    }
}

/// A minute, then twice as long each time, up to an hour.
pub(crate) fn wait(tries: i32) -> i64 {
    let doubled = FIRST_WAIT_MS << Ord::clamp(tries, 0, 10);
    Ord::min(doubled, LONGEST_WAIT_MS)
}

/// When the job that asks first no longer has a row to itself.
pub(crate) fn first_wait() -> i64 {
    FIRST_WAIT_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour() {
        assert_eq!([0, 1, 5, 6, 60, -1].map(|tries| wait(tries) / 60_000), [1, 2, 32, 60, 60, 1]);
    }

    #[test]
    fn a_token_is_in_no_debug_output() {
        let new = NewPayment {
            token: "canary".to_owned(),
        };
        assert!(!format!("{new:?}").contains("canary"));
    }
}

//! Refunds, of all or some of a payment and never of more: what is given back is reserved on the payment first.

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    TransactionTrait,
};
use serde::Deserialize;
use utoipa::ToSchema;
use wharf_sdk::audit::Entry;
use wharf_sdk::services::database::Tx;
use wharf_sdk::services::scheduler::Run;
use wharf_sdk::{Tenant, tracing};

use crate::Billing;
use crate::access::PAYMENT_REFUND;
use crate::domain::ledger::Transaction;
use crate::domain::money::{Currency, Money};
use crate::domain::settlement::{Settlement, refunded_tax};
use crate::error::{Error, Result};
use crate::page::{List, Page};
use crate::payments::{Ask, first_wait, of_invoice, wait};
use crate::provider::{GiveBack, Outcome};
use crate::runs::tenant_of;
use crate::tables::{invoice, payment, refund};
use crate::text;

/// Hanging refunds that are looked after at a time.
const BATCH: u64 = 100;

/// A refund to be made.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRefund {
    /// In the smallest unit of the payment's currency; without it all that is left.
    #[schema(minimum = 1, maximum = 1000000000000_i64)]
    #[serde(default)]
    pub(crate) amount: Option<i64>,
    /// For people to read.
    #[schema(min_length = 1, max_length = 200)]
    #[serde(default)]
    pub(crate) reason: Option<String>,
}

impl Billing {
    /// Wants money to be given back: the refund is pending until the provider has said how it ended. `id` is that of the refund.
    pub(crate) async fn refund(&self, tx: &Tx, tenant: &Tenant, payment: &str, id: String, new: &NewRefund) -> Result<refund::Model> {
        let paid = self.payment_row(tx, tenant, payment).await?;
        if paid.state != Settlement::Succeeded.as_str() {
            let text = format!("found a payment that is {}, expected one that succeeded", paid.state);
            return Err(Error::state("payment-state", text));
        }
        self.provider_named(&paid.provider)?;
        let left = paid.amount - paid.refunded;
        let amount = text::amount(new.amount.unwrap_or(left), i64::from(new.amount.is_some()), "amount")?;
        if amount == 0 || !self.reserve(tx, tenant, &paid, amount).await? {
            let text = format!("found a refund of {amount}, expected at most the {left} that were paid and not given back");
            return Err(Error::state("refund-exceeds-payment", text));
        }
        let now = text::now();
        let row = refund::Model {
            tenant: tenant.to_string(),
            id,
            payment: paid.id.clone(),
            invoice: paid.invoice.clone(),
            owner: paid.owner.clone(),
            currency: paid.currency.clone(),
            amount,
            reason: new
                .reason
                .as_deref()
                .map(|reason| text::name(reason, "reason"))
                .transpose()?
                .unwrap_or_default(),
            state: Settlement::Pending.as_str().to_owned(),
            reference: None,
            failure: None,
            tries: 0,
            next_try: now + first_wait(),
            created: now,
            updated: now,
        };
        let insert = refund::Entity::insert(tenant.stamp(row.clone().into_active_model().reset_all()));
        insert.exec_without_returning(tx).await?;
        let ask = Ask {
            tenant: tenant.to_string(),
            id: row.id.clone(),
        };
        self.jobs.enqueue(tx, Run::of("refund").with(&ask)?).await?;
        let entry = Entry::of(PAYMENT_REFUND)
            .on(format!("payment/{}", paid.id))
            .added("amount", &amount)
            .added("reason", &row.reason);
        self.journal.record(tx, tenant, entry).await?;
        Ok(row)
    }

    /// Takes an amount out of what can still be given back of a payment; false when that is less.
    async fn reserve(&self, tx: &Tx, tenant: &Tenant, paid: &payment::Model, amount: i64) -> Result<bool> {
        let after = Expr::col(payment::Column::Refunded).add(amount);
        let reserved = tenant
            .update_many::<payment::Entity>()
            .col_expr(payment::Column::Refunded, after.clone())
            .filter(payment::Column::Id.eq(&paid.id))
            .filter(after.lte(Expr::col(payment::Column::Amount)))
            .exec(tx)
            .await?;
        Ok(reserved.rows_affected > 0)
    }

    /// One, whoever asks.
    pub(crate) async fn refund_row<C: sea_orm::ConnectionTrait>(&self, db: &C, tenant: &Tenant, id: &str) -> Result<refund::Model> {
        let id = text::id(id).ok_or(Error::NotFound("refund"))?;
        let found = tenant.find::<refund::Entity>().filter(refund::Column::Id.eq(id)).one(db).await?;
        found.ok_or(Error::NotFound("refund"))
    }

    /// Refunds of a payment that the caller may read.
    pub(crate) async fn list_refunds(&self, tenant: &Tenant, payment: &str, page: &Page) -> Result<List<refund::Model>> {
        let payment = self.payment(tenant, payment).await?;
        let rows = tenant.find::<refund::Entity>().filter(refund::Column::Payment.eq(&payment.id));
        page.read(&self.db, rows, refund::Column::Id, |row| &row.id).await
    }

    /// Asks the provider, and writes down what it says.
    pub(crate) async fn give_back(&self, tenant: &Tenant, id: &str) -> Result<()> {
        let row = self.refund_row(&self.db, tenant, id).await?;
        if row.state != Settlement::Pending.as_str() {
            return Ok(());
        }
        let paid = self.payment_row(&self.db, tenant, &row.payment).await?;
        let order = GiveBack {
            key: &row.id,
            amount: Money::new(row.amount, Currency::of(&row.currency)?),
            payment: paid.reference.as_deref().unwrap_or_default(),
        };
        match self.provider_named(&paid.provider)?.give_back(order).await {
            Ok(outcome) => {
                let tx = self.db.begin().await?;
                self.settle_refund(&tx, tenant, &row, &outcome).await?;
                tx.commit().await?;
                Ok(())
            }
            Err(silence) => {
                tracing::warn!(refund = row.id, tries = row.tries, error = %silence, "a refund hangs");
                self.wait_for_refund(&self.db, tenant, &row, None).await
            }
        }
    }

    /// Refunds that hang, of all tenants: each is asked for again.
    pub(crate) async fn tend_refunds(&self, now: i64) -> Result<()> {
        let hanging = refund::Entity::find()
            .filter(refund::Column::State.eq(Settlement::Pending.as_str()))
            .filter(refund::Column::NextTry.lte(now))
            .order_by_asc(refund::Column::NextTry)
            .limit(BATCH);
        for row in hanging.all(&self.db).await? {
            if let Err(error) = self.give_back(&tenant_of(&row.tenant)?, &row.id).await {
                tracing::error!(refund = row.id, error = %error, "a refund could not be settled");
            }
        }
        Ok(())
    }

    /// Writes down what came of a refund, once: a second time changes nothing. Whether it changed anything.
    pub(crate) async fn settle_refund(&self, tx: &Tx, tenant: &Tenant, row: &refund::Model, outcome: &Outcome) -> Result<bool> {
        match outcome {
            Outcome::Pending { reference } => {
                self.wait_for_refund(tx, tenant, row, Some(reference)).await?;
                Ok(false)
            }
            Outcome::Succeeded { reference } => {
                let is_first = self
                    .end_refund(tx, tenant, row, Settlement::Succeeded, Some(reference), None)
                    .await?;
                if is_first {
                    self.given_back(tx, tenant, row).await?;
                }
                Ok(is_first)
            }
            Outcome::Failed { failure } => {
                let is_first = self.end_refund(tx, tenant, row, Settlement::Failed, None, Some(failure)).await?;
                if is_first {
                    self.release(tx, tenant, row).await?;
                }
                Ok(is_first)
            }
        }
    }

    async fn end_refund(
        &self,
        tx: &Tx,
        tenant: &Tenant,
        row: &refund::Model,
        to: Settlement,
        reference: Option<&str>,
        failure: Option<&str>,
    ) -> Result<bool> {
        let ended = refund::ActiveModel {
            state: Set(to.as_str().to_owned()),
            reference: Set(reference.map(str::to_owned)),
            failure: Set(failure.map(str::to_owned)),
            updated: Set(text::now()),
            ..Default::default()
        };
        let pending = tenant
            .update_many::<refund::Entity>()
            .set(ended)
            .filter(refund::Column::Id.eq(&row.id))
            .filter(refund::Column::State.eq(Settlement::Pending.as_str()));
        Ok(pending.exec(tx).await?.rows_affected > 0)
    }

    /// Books a refund. The invoice says how much was given back before, so that the tax in all refunds comes to the tax of the invoice.
    async fn given_back(&self, tx: &Tx, tenant: &Tenant, row: &refund::Model) -> Result<()> {
        tenant
            .update_many::<invoice::Entity>()
            .col_expr(invoice::Column::Refunded, Expr::col(invoice::Column::Refunded).add(row.amount))
            .col_expr(invoice::Column::Version, Expr::col(invoice::Column::Version).add(1))
            .filter(invoice::Column::Id.eq(&row.invoice))
            .exec(tx)
            .await?;
        let invoice = self.invoice_row(tx, tenant, &row.invoice).await?;
        let currency = Currency::of(&row.currency)?;
        let money = |minor| Money::new(minor, currency);
        let before = money(invoice.refunded).minus(money(row.amount))?;
        let tax = refunded_tax(money(invoice.total), money(invoice.tax), before, money(row.amount))?;
        let transaction = Transaction::refund(money(row.amount), tax)?;
        self.post(tx, tenant, &transaction, &invoice.id, &row.id).await
    }

    /// What was reserved can be given back by another refund.
    async fn release(&self, tx: &Tx, tenant: &Tenant, row: &refund::Model) -> Result<()> {
        tenant
            .update_many::<payment::Entity>()
            .col_expr(payment::Column::Refunded, Expr::col(payment::Column::Refunded).sub(row.amount))
            .filter(payment::Column::Id.eq(&row.payment))
            .exec(tx)
            .await?;
        Ok(())
    }

    async fn wait_for_refund<C: sea_orm::ConnectionTrait>(
        &self,
        db: &C,
        tenant: &Tenant,
        row: &refund::Model,
        reference: Option<&str>,
    ) -> Result<()> {
        let mut waits = tenant
            .update_many::<refund::Entity>()
            .col_expr(refund::Column::Tries, Expr::col(refund::Column::Tries).add(1))
            .col_expr(refund::Column::NextTry, Expr::value(text::now() + wait(row.tries)))
            .filter(refund::Column::Id.eq(&row.id))
            .filter(refund::Column::State.eq(Settlement::Pending.as_str()));
        if let Some(reference) = reference {
            waits = waits.col_expr(refund::Column::Reference, Expr::value(reference));
        }
        waits.exec(db).await?;
        Ok(())
    }

    /// Whether the caller may see the invoice that a refund belongs to.
    pub(crate) async fn visible_refund(&self, tenant: &Tenant, id: &str) -> Result<refund::Model> {
        let row = self.refund_row(&self.db, tenant, id).await?;
        let not_there = |_| Error::NotFound("refund");
        let invoice = of_invoice(&row.invoice, row.owner.as_deref());
        self.access.sees(crate::access::INVOICE_READ, invoice).map_err(not_there)?;
        Ok(row)
    }
}

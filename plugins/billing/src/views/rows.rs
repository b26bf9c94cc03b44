//! From rows to what is shown of them.

use super::{
    CustomerView, EntryView, InvoiceState, InvoiceView, LineKindName, LineView, PaymentView, PlanView, RefundView, RunState, RunView,
    SettlementState, SubscriptionStatus, SubscriptionView, View,
};
use crate::error::Result;
use crate::plans::{MeterPrice, interval_of, terms_of};
use crate::tables::{customer, invoice, invoice_line, invoice_run, ledger_entry, payment, plan, refund, subscription};
use crate::text::time;

impl View<customer::Model> for CustomerView {
    fn of(row: customer::Model) -> Result<Self> {
        Ok(Self {
            id: row.id,
            owner: row.owner,
            name: row.name,
            email: row.email,
            currency: row.currency,
            tax_bps: row.tax_bps,
            version: row.version,
            created: time(row.created),
            updated: time(row.updated),
        })
    }
}

impl View<plan::Model> for PlanView {
    fn of(row: plan::Model) -> Result<Self> {
        let terms = terms_of(&row)?;
        Ok(Self {
            interval: interval_of(&row.period)?.into(),
            meters: terms.meters.iter().map(MeterPrice::from).collect(),
            id: row.id,
            code: row.code,
            name: row.name,
            currency: row.currency,
            price: row.price,
            trial_days: row.trial_days,
            is_active: row.is_active,
            created: time(row.created),
        })
    }
}

impl View<subscription::Model> for SubscriptionView {
    fn of(row: subscription::Model) -> Result<Self> {
        Ok(Self {
            interval: interval_of(&row.period)?.into(),
            status: SubscriptionStatus::of(&row.status)?,
            id: row.id,
            customer: row.customer,
            plan: row.plan,
            currency: row.currency,
            anchor: row.anchor,
            trial_end: row.trial_end,
            ends_on: row.ends_on,
            next_invoice: row.next_due,
            created: time(row.created),
            updated: time(row.updated),
        })
    }
}

impl View<invoice::Model> for InvoiceView {
    fn of(row: invoice::Model) -> Result<Self> {
        Ok(Self {
            state: InvoiceState::of(&row.state)?,
            id: row.id,
            number: row.number,
            customer: row.customer,
            subscription: row.subscription,
            period_start: row.period_start,
            period_end: row.period_end,
            currency: row.currency,
            subtotal: row.subtotal,
            tax_bps: row.tax_bps,
            tax: row.tax,
            total: row.total,
            refunded: row.refunded,
            due: row.due,
            issued: row.issued.map(time),
            created: time(row.created),
        })
    }
}

impl View<invoice_line::Model> for LineView {
    fn of(row: invoice_line::Model) -> Result<Self> {
        Ok(Self {
            kind: LineKindName::of(&row.kind)?,
            description: row.description,
            quantity: row.quantity,
            amount: row.amount,
            tax: row.tax,
            from: row.from_day,
            to: row.to_day,
        })
    }
}

impl View<payment::Model> for PaymentView {
    fn of(row: payment::Model) -> Result<Self> {
        Ok(Self {
            state: SettlementState::of(&row.state)?,
            id: row.id,
            invoice: row.invoice,
            currency: row.currency,
            amount: row.amount,
            refunded: row.refunded,
            failure: row.failure,
            created: time(row.created),
            updated: time(row.updated),
        })
    }
}

impl View<refund::Model> for RefundView {
    fn of(row: refund::Model) -> Result<Self> {
        Ok(Self {
            state: SettlementState::of(&row.state)?,
            id: row.id,
            payment: row.payment,
            currency: row.currency,
            amount: row.amount,
            reason: row.reason,
            failure: row.failure,
            created: time(row.created),
        })
    }
}

impl View<ledger_entry::Model> for EntryView {
    fn of(row: ledger_entry::Model) -> Result<Self> {
        Ok(Self {
            id: row.id,
            posting: row.posting,
            kind: row.kind,
            account: row.account,
            currency: row.currency,
            amount: row.amount,
            invoice: row.invoice,
            at: time(row.at),
        })
    }
}

impl View<invoice_run::Model> for RunView {
    fn of(row: invoice_run::Model) -> Result<Self> {
        Ok(Self {
            state: RunState::of(&row.state)?,
            id: row.id,
            through: row.through,
            issued: row.issued,
            created: time(row.created),
            finished: row.finished.map(time),
        })
    }
}

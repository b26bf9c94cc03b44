//! The mail of an invoice that was issued, for customers with an address.

use serde::Serialize;
use wharf_sdk::services::database::Tx;
use wharf_sdk::{MailTemplates, Tenant};

use crate::Billing;
use crate::domain::invoice::State;
use crate::domain::money::{Currency, Money};
use crate::error::Result;

/// What the template shows: amounts as people read them.
#[derive(Serialize)]
struct Letter {
    name: String,
    number: i64,
    lines: Vec<LetterLine>,
    subtotal: String,
    tax: String,
    total: String,
    due: String,
    is_paid: bool,
}

#[derive(Serialize)]
struct LetterLine {
    description: String,
    quantity: i64,
    amount: String,
}

pub(crate) fn templates() -> MailTemplates {
    MailTemplates::new()
        .file("invoice.subject", include_str!("mails/invoice.subject").trim_end())
        .file("invoice.txt", include_str!("mails/invoice.txt"))
        .file("invoice.html", include_str!("mails/invoice.html"))
}

impl Billing {
    /// Queues the mail of an invoice, when the transaction commits.
    pub(crate) async fn mail_invoice(&self, tx: &Tx, tenant: &Tenant, id: &str) -> Result<()> {
        let invoice = self.invoice_row(tx, tenant, id).await?;
        let customer = self.customer_row(tx, tenant, &invoice.customer).await?;
        let Some(email) = &customer.email else { return Ok(()) };
        let currency = Currency::of(&invoice.currency)?;
        let shown = |minor| Money::new(minor, currency).to_string();
        let lines = self.invoice_lines(tx, tenant, id).await?.into_iter().map(|line| LetterLine {
            description: line.description,
            quantity: line.quantity,
            amount: shown(line.amount),
        });
        let letter = Letter {
            name: customer.name,
            number: invoice.number.unwrap_or_default(),
            lines: lines.collect(),
            subtotal: shown(invoice.subtotal),
            tax: shown(invoice.tax),
            total: shown(invoice.total),
            due: invoice.due.unwrap_or_default(),
            is_paid: invoice.state == State::Paid.as_str(),
        };
        self.mail.send("invoice", email, &letter).within(tx).await?;
        Ok(())
    }
}

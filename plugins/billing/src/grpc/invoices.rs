//! `wharf.billing.v1.Invoices`.

use sea_orm::TransactionTrait;
use tonic::{Request, Response};
use wharf_proto::billing::v1 as pb;
use wharf_sdk::Tenant;

use super::{Answer, given, page, timestamp};
use crate::Billing;
use crate::domain::invoice::State;
use crate::error::{Error, Result};
use crate::invoices::Wanted;
use crate::payments::NewPayment;
use crate::refunds::NewRefund;
use crate::runs::NewRun;
use crate::tables::{invoice, invoice_line, invoice_run, payment, refund};
use crate::text;

#[tonic::async_trait]
impl pb::invoices_server::Invoices for Billing {
    async fn get(&self, request: Request<pb::GetInvoiceRequest>) -> Answer<pb::Invoice> {
        let tenant = Tenant::current();
        let row = self.invoice(&tenant, &request.into_inner().id).await?;
        let lines = self.invoice_lines(&self.db, &tenant, &row.id).await?;
        let mut message = pb::Invoice::from(row);
        message.lines = lines.into_iter().map(Into::into).collect();
        Ok(Response::new(message))
    }

    async fn list(&self, request: Request<pb::ListInvoicesRequest>) -> Answer<pb::ListInvoicesResponse> {
        let asked = request.into_inner();
        let page = page(asked.page_size, &asked.page_token)?;
        let list = self.list_invoices(&Tenant::current(), &wanted(&asked)?, &page).await?;
        Ok(Response::new(pb::ListInvoicesResponse {
            invoices: list.items.into_iter().map(Into::into).collect(),
            next_page_token: list.next_page_token,
            total: list.total,
        }))
    }

    async fn pay(&self, request: Request<pb::PayInvoiceRequest>) -> Answer<pb::Payment> {
        let asked = request.into_inner();
        let tx = self.db.begin().await.map_err(Error::from)?;
        let new = NewPayment { token: asked.token };
        let row = Billing::pay(self, &tx, &Tenant::current(), &asked.id, &new).await?;
        tx.commit().await.map_err(Error::from)?;
        Ok(Response::new(row.into()))
    }

    async fn void(&self, request: Request<pb::VoidInvoiceRequest>) -> Answer<pb::Invoice> {
        let tx = self.db.begin().await.map_err(Error::from)?;
        let row = Billing::void(self, &tx, &Tenant::current(), &request.into_inner().id).await?;
        tx.commit().await.map_err(Error::from)?;
        Ok(Response::new(row.into()))
    }

    async fn get_payment(&self, request: Request<pb::GetPaymentRequest>) -> Answer<pb::Payment> {
        let row = self.payment(&Tenant::current(), &request.into_inner().id).await?;
        Ok(Response::new(row.into()))
    }

    async fn refund(&self, request: Request<pb::RefundRequest>) -> Answer<pb::PaymentRefund> {
        let asked = request.into_inner();
        let row = self.refund_once(&Tenant::current(), asked).await?;
        Ok(Response::new(row.into()))
    }

    async fn run(&self, request: Request<pb::RunInvoicesRequest>) -> Answer<pb::InvoiceRun> {
        let new = NewRun {
            through: request.into_inner().through,
        };
        let tx = self.db.begin().await.map_err(Error::from)?;
        let row = self.ask_for_run(&tx, &Tenant::current(), new).await?;
        tx.commit().await.map_err(Error::from)?;
        Ok(Response::new(row.into()))
    }

    async fn get_run(&self, request: Request<pb::GetInvoiceRunRequest>) -> Answer<pb::InvoiceRun> {
        let row = self.invoice_run(&Tenant::current(), &request.into_inner().id).await?;
        Ok(Response::new(row.into()))
    }
}

impl Billing {
    /// The caller chooses the id, so asking twice is one refund.
    async fn refund_once(&self, tenant: &Tenant, asked: pb::RefundRequest) -> Result<refund::Model> {
        let id = text::id(&asked.refund_id)
            .ok_or_else(|| Error::Invalid("found a refund_id that is no UUID, expected a new one for each refund".to_owned()))?;
        let tx = self.db.begin().await?;
        match self.refund_row(&tx, tenant, &id).await {
            Ok(row) if row.payment == asked.payment && asked.amount.is_none_or(|amount| amount == row.amount) => return Ok(row),
            Ok(_) => return Err(Error::Exists("this refund_id is that of another refund: use a new one".to_owned())),
            Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
        let new = NewRefund {
            amount: asked.amount,
            reason: asked.reason,
        };
        let row = Billing::refund(self, &tx, tenant, &asked.payment, id, &new).await?;
        tx.commit().await?;
        Ok(row)
    }
}

fn wanted(asked: &pb::ListInvoicesRequest) -> Result<Wanted> {
    let state = given(&asked.state).map(|state| {
        let wrong = || {
            Error::Invalid(format!(
                "found state {:?}, expected draft, open, paid, void or uncollectible",
                asked.state
            ))
        };
        State::parse(state).ok_or_else(wrong)
    });
    Ok(Wanted {
        customer: given(&asked.customer).map(str::to_owned),
        subscription: given(&asked.subscription).map(str::to_owned),
        state: state.transpose()?,
    })
}

impl From<invoice::Model> for pb::Invoice {
    fn from(row: invoice::Model) -> Self {
        Self {
            id: row.id,
            number: row.number,
            customer: row.customer,
            subscription: row.subscription,
            period_start: row.period_start,
            period_end: row.period_end,
            currency: row.currency,
            subtotal: row.subtotal,
            tax_bps: row.tax_bps.unsigned_abs(),
            tax: row.tax,
            total: row.total,
            refunded: row.refunded,
            state: row.state,
            due: row.due,
            issued: row.issued.and_then(timestamp),
            created: timestamp(row.created),
            lines: Vec::new(),
        }
    }
}

impl From<invoice_line::Model> for pb::InvoiceLine {
    fn from(row: invoice_line::Model) -> Self {
        Self {
            kind: row.kind,
            description: row.description,
            quantity: row.quantity,
            amount: row.amount,
            tax: row.tax,
            from: row.from_day,
            to: row.to_day,
        }
    }
}

impl From<payment::Model> for pb::Payment {
    fn from(row: payment::Model) -> Self {
        Self {
            id: row.id,
            invoice: row.invoice,
            currency: row.currency,
            amount: row.amount,
            refunded: row.refunded,
            state: row.state,
            failure: row.failure,
            created: timestamp(row.created),
            updated: timestamp(row.updated),
        }
    }
}

impl From<refund::Model> for pb::PaymentRefund {
    fn from(row: refund::Model) -> Self {
        Self {
            id: row.id,
            payment: row.payment,
            currency: row.currency,
            amount: row.amount,
            reason: row.reason,
            state: row.state,
            failure: row.failure,
            created: timestamp(row.created),
        }
    }
}

impl From<invoice_run::Model> for pb::InvoiceRun {
    fn from(row: invoice_run::Model) -> Self {
        Self {
            id: row.id,
            through: row.through,
            state: row.state,
            issued: row.issued,
            created: timestamp(row.created),
            finished: row.finished.and_then(timestamp),
        }
    }
}

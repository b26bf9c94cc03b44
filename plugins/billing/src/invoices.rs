//! Invoices: written, issued with a number without gaps, taken back or written off.

use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
    QueryOrder,
};
use serde::Deserialize;
use utoipa::ToSchema;
use wharf_sdk::Tenant;
use wharf_sdk::audit::Entry;
use wharf_sdk::services::database::Tx;

use crate::Billing;
use crate::access::{INVOICE_READ, INVOICE_WRITE, Object};
use crate::domain::calendar::{Period, days_after};
use crate::domain::invoice::{Act, Line, LineKind, State, Totals};
use crate::domain::ledger::Transaction;
use crate::domain::money::{Currency, Money};
use crate::error::{Error, Result};
use crate::journal::InvoiceIssued;
use crate::page::{List, Page};
use crate::tables::{customer, invoice, invoice_line, payment, sequence};
use crate::text;

const MOST_LINES: usize = 100;
const MOST_PIECES: u64 = 1_000_000;
/// The sequence of invoice numbers.
const NUMBERS: &str = "invoice";

/// An invoice to be written by hand: a draft.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewInvoice {
    /// Who is billed, in the customer's currency.
    #[schema(format = "uuid")]
    pub(crate) customer: String,
    /// What for.
    #[schema(min_items = 1, max_items = 100)]
    pub(crate) lines: Vec<NewLine>,
}

/// One line of it.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewLine {
    /// For people to read.
    #[schema(min_length = 1, max_length = 200, example = "Setup")]
    pub(crate) description: String,
    /// How many.
    #[schema(minimum = 1, maximum = 1000000)]
    pub(crate) quantity: u64,
    /// Of one, in the smallest unit of the currency, before tax.
    #[schema(minimum = 0, maximum = 1000000000000_i64)]
    pub(crate) unit_price: i64,
}

/// An invoice that is being written.
pub(crate) struct Draft<'a> {
    pub(crate) id: String,
    pub(crate) customer: &'a customer::Model,
    pub(crate) subscription: Option<String>,
    pub(crate) period: Option<Period>,
    pub(crate) lines: Vec<Line>,
}

/// Which invoices.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) customer: Option<String>,
    pub(crate) subscription: Option<String>,
    pub(crate) state: Option<State>,
}

impl Billing {
    /// Writes a draft.
    pub(crate) async fn write_invoice(&self, tx: &Tx, tenant: &Tenant, new: NewInvoice) -> Result<invoice::Model> {
        let customer = self.customer_row(tx, tenant, &new.customer).await?;
        let currency = Currency::of(&customer.currency)?;
        if new.lines.is_empty() || new.lines.len() > MOST_LINES {
            return Err(Error::Invalid(format!(
                "found {} lines, expected 1 to {MOST_LINES}",
                new.lines.len()
            )));
        }
        let lines: Vec<Line> = new.lines.iter().map(|line| line_of(line, currency)).collect::<Result<_>>()?;
        let draft = Draft {
            id: text::new_id(),
            customer: &customer,
            subscription: None,
            period: None,
            lines,
        };
        let row = self.draft(tx, tenant, draft).await?;
        let entry = Entry::of(INVOICE_WRITE).on(object(&row).name()).added("total", &row.total);
        self.journal.record(tx, tenant, entry).await?;
        Ok(row)
    }

    /// Puts a draft into the tables.
    pub(crate) async fn draft(&self, tx: &Tx, tenant: &Tenant, draft: Draft<'_>) -> Result<invoice::Model> {
        let currency = Currency::of(&draft.customer.currency)?;
        let tax_bps = draft.customer.tax_bps.map_or(self.config.tax_bps, i32::unsigned_abs);
        let totals = Totals::of(currency, &draft.lines, tax_bps)?;
        let now = text::now();
        let row = invoice::Model {
            tenant: tenant.to_string(),
            id: draft.id,
            number: None,
            customer: draft.customer.id.clone(),
            owner: draft.customer.owner.clone(),
            subscription: draft.subscription,
            period_start: draft.period.map(|period| period.start.to_string()),
            period_end: draft.period.map(|period| period.end.to_string()),
            currency: currency.code().to_owned(),
            subtotal: totals.subtotal.minor(),
            tax_bps: i32::try_from(tax_bps).unwrap_or(i32::MAX),
            tax: totals.tax.minor(),
            total: text::amount(totals.total.minor(), 0, "total")?,
            refunded: 0,
            state: State::Draft.as_str().to_owned(),
            due: None,
            issued: None,
            version: 1,
            created: now,
            updated: now,
        };
        let insert = invoice::Entity::insert(tenant.stamp(row.clone().into_active_model().reset_all()));
        insert.exec_without_returning(tx).await?;
        let lines = draft.lines.iter().zip(&totals.line_taxes).enumerate();
        let lines = lines.map(|(position, (line, tax))| tenant.stamp(line_row(&row, position, line, *tax).into_active_model().reset_all()));
        invoice_line::Entity::insert_many(lines).exec_without_returning(tx).await?;
        Ok(row)
    }

    /// Issues a draft that somebody wrote.
    pub(crate) async fn finalize(&self, tx: &Tx, tenant: &Tenant, id: &str) -> Result<invoice::Model> {
        let row = self.invoice_row(tx, tenant, id).await?;
        let row = self.issue(tx, tenant, row).await?;
        let entry = Entry::of("billing.invoice.issue")
            .on(object(&row).name())
            .added("number", &row.number);
        self.journal.record(tx, tenant, entry).await?;
        Ok(row)
    }

    /// Gives a draft its number, books it, and tells others. One of nothing is paid at once.
    pub(crate) async fn issue(&self, tx: &Tx, tenant: &Tenant, mut row: invoice::Model) -> Result<invoice::Model> {
        let mut state = after(&row, Act::Issue)?;
        if row.total == 0 {
            state = state.after(Act::Pay).unwrap_or(state);
        }
        self.turn_invoice(tx, tenant, &row, state).await?;
        let number = self.next_number(tx, tenant).await?;
        let due = days_after(text::today(), self.config.due_days)?.to_string();
        let issued = text::now();
        let numbered = invoice::ActiveModel {
            number: Set(Some(number)),
            due: Set(Some(due.clone())),
            issued: Set(Some(issued)),
            ..Default::default()
        };
        let this = tenant.update_many::<invoice::Entity>().filter(invoice::Column::Id.eq(&row.id));
        this.set(numbered).exec(tx).await?;
        state.as_str().clone_into(&mut row.state);
        (row.number, row.issued, row.due) = (Some(number), Some(issued), Some(due.clone()));
        row.version += 1;
        let currency = Currency::of(&row.currency)?;
        let issue = Transaction::issue(Money::new(row.subtotal, currency), Money::new(row.tax, currency))?;
        self.post(tx, tenant, &issue, &row.id, &row.id).await?;
        let event = InvoiceIssued {
            invoice: row.id.clone(),
            number,
            customer: row.customer.clone(),
            subscription: row.subscription.clone(),
            total: row.total,
            currency: row.currency.clone(),
            due,
        };
        self.journal.publish(tx, tenant, &event).await?;
        Ok(row)
    }

    /// Takes an invoice back that nobody has paid.
    pub(crate) async fn void(&self, tx: &Tx, tenant: &Tenant, id: &str) -> Result<invoice::Model> {
        self.close(tx, tenant, id, Act::Void).await
    }

    /// Nobody expects it to be paid any more.
    pub(crate) async fn write_off(&self, tx: &Tx, tenant: &Tenant, id: &str) -> Result<invoice::Model> {
        self.close(tx, tenant, id, Act::WriteOff).await
    }

    async fn close(&self, tx: &Tx, tenant: &Tenant, id: &str, act: Act) -> Result<invoice::Model> {
        let before = self.invoice_row(tx, tenant, id).await?;
        let state = after(&before, act)?;
        // The row is ours from here on: who wants to pay it waits, and then finds it closed.
        self.turn_invoice(tx, tenant, &before, state).await?;
        if self.has_pending_payment(tx, tenant, &before.id).await? {
            return Err(Error::state(
                "payment-pending",
                "a payment of this invoice is under way: wait until it has ended",
            ));
        }
        let currency = Currency::of(&before.currency)?;
        let money = |minor| Money::new(minor, currency);
        let transaction = match act {
            Act::Void if before.state == State::Open.as_str() => Some(Transaction::void(money(before.subtotal), money(before.tax))?),
            Act::WriteOff => Some(Transaction::write_off(money(before.total))?),
            _ => None,
        };
        if let Some(transaction) = transaction {
            self.post(tx, tenant, &transaction, &before.id, &before.id).await?;
        }
        let entry = Entry::of(INVOICE_WRITE)
            .on(object(&before).name())
            .changed("state", &before.state, state.as_str());
        self.journal.record(tx, tenant, entry).await?;
        self.invoice_row(tx, tenant, &before.id).await
    }

    /// Gives an invoice another state, unless somebody else did since it was read.
    pub(crate) async fn turn_invoice(&self, tx: &Tx, tenant: &Tenant, row: &invoice::Model, to: State) -> Result<()> {
        let changed = tenant
            .update_many::<invoice::Entity>()
            .col_expr(invoice::Column::State, Expr::value(to.as_str()))
            .col_expr(invoice::Column::Version, Expr::col(invoice::Column::Version).add(1))
            .col_expr(invoice::Column::Updated, Expr::value(text::now()))
            .filter(invoice::Column::Id.eq(&row.id))
            .filter(invoice::Column::State.eq(&row.state))
            .exec(tx)
            .await?;
        match changed.rows_affected {
            0 => Err(Error::state("invoice-state", "the invoice has another state now: read it again")),
            _ => Ok(()),
        }
    }

    /// One that the caller may read. Drafts are for those who write invoices.
    pub(crate) async fn invoice(&self, tenant: &Tenant, id: &str) -> Result<invoice::Model> {
        let row = self.invoice_row(&self.db, tenant, id).await?;
        self.access.sees(INVOICE_READ, object(&row))?;
        if row.state == State::Draft.as_str() && !self.access.holds(INVOICE_WRITE)? {
            return Err(Error::NotFound("invoice"));
        }
        Ok(row)
    }

    /// One, whoever asks.
    pub(crate) async fn invoice_row<C: ConnectionTrait>(&self, db: &C, tenant: &Tenant, id: &str) -> Result<invoice::Model> {
        let id = text::id(id).ok_or(Error::NotFound("invoice"))?;
        let found = tenant.find::<invoice::Entity>().filter(invoice::Column::Id.eq(id)).one(db).await?;
        found.ok_or(Error::NotFound("invoice"))
    }

    pub(crate) async fn invoice_lines<C: ConnectionTrait>(
        &self,
        db: &C,
        tenant: &Tenant,
        invoice: &str,
    ) -> Result<Vec<invoice_line::Model>> {
        let lines = tenant
            .find::<invoice_line::Entity>()
            .filter(invoice_line::Column::Invoice.eq(invoice))
            .order_by_asc(invoice_line::Column::Position);
        Ok(lines.all(db).await?)
    }

    /// Those that the caller may read.
    pub(crate) async fn list_invoices(&self, tenant: &Tenant, wanted: &Wanted, page: &Page) -> Result<List<invoice::Model>> {
        let visible = self
            .access
            .rows(&self.db, INVOICE_READ, invoice::Column::Owner, "invoice", invoice::Column::Id)?;
        let mut rows = tenant.find::<invoice::Entity>().filter(visible);
        if !self.access.holds(INVOICE_WRITE)? {
            rows = rows.filter(invoice::Column::State.ne(State::Draft.as_str()));
        }
        for (column, id) in [
            (invoice::Column::Customer, &wanted.customer),
            (invoice::Column::Subscription, &wanted.subscription),
        ] {
            if let Some(id) = id {
                rows = rows.filter(column.eq(text::wanted_id(id)?));
            }
        }
        if let Some(state) = wanted.state {
            rows = rows.filter(invoice::Column::State.eq(state.as_str()));
        }
        page.read(&self.db, rows, invoice::Column::Id, |row| &row.id).await
    }

    /// Those of somebody's own customer that were issued, whatever else they may read.
    pub(crate) async fn own_invoices(&self, tenant: &Tenant, subject: &str, page: &Page) -> Result<List<invoice::Model>> {
        let rows = tenant
            .find::<invoice::Entity>()
            .filter(invoice::Column::Owner.eq(subject))
            .filter(invoice::Column::State.ne(State::Draft.as_str()));
        page.read(&self.db, rows, invoice::Column::Id, |row| &row.id).await
    }

    pub(crate) async fn has_pending_payment(&self, tx: &Tx, tenant: &Tenant, invoice: &str) -> Result<bool> {
        let pending = tenant
            .find::<payment::Entity>()
            .filter(payment::Column::Invoice.eq(invoice))
            .filter(payment::Column::State.eq("pending"));
        Ok(pending.count(tx).await? > 0)
    }

    /// The next number of the tenant. It belongs to the transaction: one that is rolled back leaves no gap, and others wait for it.
    async fn next_number(&self, tx: &Tx, tenant: &Tenant) -> Result<i64> {
        let first = sequence::ActiveModel {
            name: Set(NUMBERS.to_owned()),
            value: Set(1),
            ..Default::default()
        };
        let next = OnConflict::columns([sequence::Column::Tenant, sequence::Column::Name])
            .value(
                sequence::Column::Value,
                Expr::col((sequence::Entity, sequence::Column::Value)).add(1),
            )
            .to_owned();
        let insert = sequence::Entity::insert(tenant.stamp(first)).on_conflict(next);
        insert.exec_without_returning(tx).await?;
        let row = tenant
            .find::<sequence::Entity>()
            .filter(sequence::Column::Name.eq(NUMBERS))
            .one(tx)
            .await?;
        row.map(|row| row.value)
            .ok_or_else(|| Error::Broken("the sequence of invoice numbers is not there after it was written".to_owned()))
    }
}

pub(crate) fn object(row: &invoice::Model) -> Object<'_> {
    Object {
        kind: "invoice",
        id: &row.id,
        owner: row.owner.as_deref(),
    }
}

pub(crate) fn after(row: &invoice::Model, act: Act) -> Result<State> {
    let state = State::parse(&row.state).ok_or_else(|| Error::Broken(format!("found state {:?} of invoice {}", row.state, row.id)))?;
    state.after(act).ok_or_else(|| {
        let what = match act {
            Act::Issue => "issued",
            Act::Pay => "paid",
            Act::Void => "voided",
            Act::WriteOff => "written off",
        };
        Error::state(
            "invoice-state",
            format!("found an invoice that is {}, which cannot be {what}", state.as_str()),
        )
    })
}

fn line_of(line: &NewLine, currency: Currency) -> Result<Line> {
    if !(1..=MOST_PIECES).contains(&line.quantity) {
        return Err(Error::Invalid(format!(
            "found quantity {}, expected 1 to {MOST_PIECES}",
            line.quantity
        )));
    }
    let price = Money::new(text::amount(line.unit_price, 0, "unit_price")?, currency);
    Ok(Line {
        kind: LineKind::Item,
        description: text::name(&line.description, "description")?,
        quantity: line.quantity,
        amount: price.times(line.quantity)?,
        days: None,
    })
}

fn line_row(invoice: &invoice::Model, position: usize, line: &Line, tax: Money) -> invoice_line::Model {
    invoice_line::Model {
        tenant: invoice.tenant.clone(),
        invoice: invoice.id.clone(),
        position: i32::try_from(position).unwrap_or(i32::MAX),
        kind: line.kind.as_str().to_owned(),
        description: line.description.clone(),
        quantity: i64::try_from(line.quantity).unwrap_or(i64::MAX),
        amount: line.amount.minor(),
        tax: tax.minor(),
        from_day: line.days.map(|days| days.start.to_string()),
        to_day: line.days.map(|days| days.end.to_string()),
    }
}

//! The invoice run: one invoice for each subscription and period that has ended.
//!
//! Each period is a transaction of its own. It claims the period by raising the subscription's version, so of two runs, on this node or
//! another, one writes the invoice and the other finds it done; a run that was killed is simply run again.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::civil::Date;
use schemars::JsonSchema;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait as _, TransactionTrait,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wharf_sdk::audit::Entry;
use wharf_sdk::services::database::{DbErrExt as _, Tx};
use wharf_sdk::services::scheduler::Run;
use wharf_sdk::{JobContext, Payload, Tenant, tracing};

use crate::Billing;
use crate::access::INVOICE_WRITE;
use crate::domain::calendar::Period;
use crate::domain::invoice::{State, compose};
use crate::domain::subscription::{Change, Status, slices};
use crate::error::{Error, Result};
use crate::invoices::Draft;
use crate::subscriptions::{self, Loaded};
use crate::tables::{invoice, invoice_run, subscription};
use crate::text;

/// Subscriptions that are read at a time.
const BATCH: u64 = 100;

/// A run to be asked for.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRun {
    /// Periods that have ended on this day or before; without it today. Not in the future.
    #[schema(format = "date")]
    #[serde(default)]
    pub(crate) through: Option<String>,
}

/// What the job `invoice-run-once` is given.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct RunOnce {
    /// Tenant whose periods are billed.
    pub(crate) tenant: String,
    /// Id of the run.
    pub(crate) run: String,
}

impl Payload for RunOnce {}

/// What came of one period.
enum Billed {
    /// An invoice was written, or there was nothing to bill; there may be another period.
    Done,
    /// Nothing is due.
    NotDue,
}

impl Billing {
    /// Asks for a run over the caller's tenant.
    pub(crate) async fn ask_for_run(&self, tx: &Tx, tenant: &Tenant, new: NewRun) -> Result<invoice_run::Model> {
        let today = text::today();
        let through = new.through.as_deref().map(text::parse_day).transpose()?.unwrap_or(today);
        if through > today {
            return Err(Error::Invalid(format!("found through {through}, expected {today} or a day before")));
        }
        let row = invoice_run::Model {
            tenant: tenant.to_string(),
            id: text::new_id(),
            through: through.to_string(),
            state: "running".to_owned(),
            issued: 0,
            created: text::now(),
            finished: None,
        };
        let insert = invoice_run::Entity::insert(tenant.stamp(row.clone().into_active_model().reset_all()));
        insert.exec_without_returning(tx).await?;
        let payload = RunOnce {
            tenant: tenant.to_string(),
            run: row.id.clone(),
        };
        self.jobs.enqueue(tx, Run::of("invoice-run-once").with(&payload)?).await?;
        let entry = Entry::of(INVOICE_WRITE)
            .on(format!("invoice_run/{}", row.id))
            .added("through", &row.through);
        self.journal.record(tx, tenant, entry).await?;
        Ok(row)
    }

    pub(crate) async fn invoice_run(&self, tenant: &Tenant, id: &str) -> Result<invoice_run::Model> {
        let id = text::id(id).ok_or(Error::NotFound("invoice run"))?;
        let found = tenant.find::<invoice_run::Entity>().filter(invoice_run::Column::Id.eq(id));
        found.one(&self.db).await?.ok_or(Error::NotFound("invoice run"))
    }

    /// The run that somebody asked for.
    pub(crate) async fn run_once(&self, tenant: &Tenant, run: &str, ctx: &JobContext) -> Result<()> {
        let row = self.invoice_run(tenant, run).await?;
        self.bill_due(Some(tenant), text::kept_day(&row.through)?, Some(&row.id), ctx)
            .await?;
        tenant
            .update_many::<invoice_run::Entity>()
            .col_expr(invoice_run::Column::State, Expr::value("finished"))
            .col_expr(invoice_run::Column::Finished, Expr::value(text::now()))
            .filter(invoice_run::Column::Id.eq(&row.id))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// The daily run, over all tenants: trials that are over, periods that have ended, invoices that are overdue.
    pub(crate) async fn run_daily(&self, today: Date, ctx: &JobContext) -> Result<()> {
        self.begin_after_trials(today).await?;
        self.bill_due(None, today, None, ctx).await?;
        self.mark_overdue(today).await
    }

    /// Bills every period that has ended, of one tenant or of all. One subscription that cannot be billed does not keep others from it.
    async fn bill_due(&self, tenant: Option<&Tenant>, through: Date, run: Option<&str>, ctx: &JobContext) -> Result<()> {
        let mut after = String::new();
        let mut failed = 0_u32;
        loop {
            let batch = self.due(tenant, through, &after).await?;
            let Some(last) = batch.last() else { break };
            after.clone_from(&last.id);
            for row in &batch {
                if is_cancelled(ctx).await {
                    return Err(Error::state(
                        "interrupted",
                        "the run was interrupted: it goes on with the next instance",
                    ));
                }
                if let Err(error) = self.bill_all(row, through, run).await {
                    failed += 1;
                    tracing::error!(subscription = row.id, error = %error, "a subscription could not be billed");
                }
            }
        }
        match failed {
            0 => Ok(()),
            _ => Err(Error::Broken(format!("{failed} subscriptions could not be billed: see the log"))),
        }
    }

    async fn due(&self, tenant: Option<&Tenant>, through: Date, after: &str) -> Result<Vec<subscription::Model>> {
        // The daily run has no caller and goes over all tenants: each row says whose it is.
        let rows = tenant.map_or_else(subscription::Entity::find, Tenant::find::<subscription::Entity>);
        let due = rows
            .filter(subscription::Column::NextDue.lte(through.to_string()))
            .filter(subscription::Column::Id.gt(after))
            .order_by_asc(subscription::Column::Id)
            .limit(BATCH);
        Ok(due.all(&self.db).await?)
    }

    /// Every period of a subscription that has ended.
    async fn bill_all(&self, row: &subscription::Model, through: Date, run: Option<&str>) -> Result<()> {
        let tenant = tenant_of(&row.tenant)?;
        loop {
            match self.bill_next(&tenant, &row.id, through, run).await {
                Ok(Billed::Done) => {}
                Ok(Billed::NotDue) => return Ok(()),
                // Somebody else billed or changed it at this moment: look again.
                Err(Error::Stale) => {}
                Err(Error::Database(error)) if error.is_unique() || error.is_transient() => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    self.bill_next(&tenant, &row.id, through, run).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The next period of a subscription, in one transaction.
    async fn bill_next(&self, tenant: &Tenant, id: &str, through: Date, run: Option<&str>) -> Result<Billed> {
        let tx = self.db.begin().await?;
        let row = self.subscription_row(&tx, tenant, id).await?;
        if row.next_due.as_ref().is_none_or(|due| *due > through.to_string()) {
            return Ok(Billed::NotDue);
        }
        let mut loaded = self.load(&tx, tenant, row).await?;
        let period = subscriptions::anchor(&loaded.row)?.period(loaded.row.period_no.unsigned_abs())?;
        let until = loaded.row.ends_on.as_deref().map(text::kept_day).transpose()?;
        self.claim(&tx, tenant, &mut loaded, period, until).await?;
        let invoice = text::new_id();
        if self.bill_period(&tx, tenant, &loaded, period, until, &invoice).await? {
            self.count(&tx, tenant, run).await?;
        }
        tx.commit().await?;
        Ok(Billed::Done)
    }

    /// Moves a subscription on to its next period, or to its end. Whoever else wants the same period finds another version.
    async fn claim(&self, tx: &Tx, tenant: &Tenant, loaded: &mut Loaded, period: Period, until: Option<Date>) -> Result<()> {
        let row = &mut loaded.row;
        if until.is_some_and(|until| until <= period.end) {
            row.next_due = None;
        } else {
            row.period_no += 1;
            row.next_due = subscriptions::due(row)?;
        }
        self.write_row(tx, tenant, row).await
    }

    /// Whether there was anything to bill.
    async fn bill_period(
        &self,
        tx: &Tx,
        tenant: &Tenant,
        loaded: &Loaded,
        period: Period,
        until: Option<Date>,
        invoice: &str,
    ) -> Result<bool> {
        let end = until.map_or(period.end, |until| until.min(period.end));
        let of = &loaded.row;
        let usage = self
            .take_usage(tx, tenant, &of.id, &end.to_string(), invoice, &loaded.phases)
            .await?;
        let slices = slices(&loaded.phases, period, until);
        let plans: BTreeSet<String> = slices
            .iter()
            .map(|slice| slice.plan.clone())
            .chain(usage.keys().map(|(plan, _)| plan.clone()))
            .collect();
        let terms = self.terms(tx, tenant, plans).await?;
        let lines = compose(period, &slices, &terms, &usage)?;
        if lines.is_empty() {
            return Ok(false);
        }
        let customer = self.customer_row(tx, tenant, &of.customer).await?;
        let draft = Draft {
            id: invoice.to_owned(),
            customer: &customer,
            subscription: Some(of.id.clone()),
            period: Some(period),
            lines,
        };
        let row = self.draft(tx, tenant, draft).await?;
        self.issue(tx, tenant, row).await?;
        Ok(true)
    }

    async fn count(&self, tx: &Tx, tenant: &Tenant, run: Option<&str>) -> Result<()> {
        let Some(run) = run else { return Ok(()) };
        tenant
            .update_many::<invoice_run::Entity>()
            .col_expr(invoice_run::Column::Issued, Expr::col(invoice_run::Column::Issued).add(1))
            .filter(invoice_run::Column::Id.eq(run))
            .exec(tx)
            .await?;
        Ok(())
    }

    /// Subscriptions whose trial is over.
    async fn begin_after_trials(&self, today: Date) -> Result<()> {
        let rows = subscription::Entity::find()
            .filter(subscription::Column::Status.eq(Status::Trialing.as_str()))
            .filter(subscription::Column::TrialEnd.lte(today.to_string()));
        for row in rows.all(&self.db).await? {
            self.turn(&row, Change::Begin).await?;
        }
        Ok(())
    }

    /// Subscriptions of which an invoice is overdue.
    async fn mark_overdue(&self, today: Date) -> Result<()> {
        let overdue = invoice::Entity::find()
            .select_only()
            .column(invoice::Column::Subscription)
            .filter(invoice::Column::State.eq(State::Open.as_str()))
            .filter(invoice::Column::Due.lt(today.to_string()))
            .filter(invoice::Column::Subscription.is_not_null());
        let rows = subscription::Entity::find()
            .filter(subscription::Column::Status.eq(Status::Active.as_str()))
            .filter(subscription::Column::Id.in_subquery(overdue.into_query()));
        for row in rows.all(&self.db).await? {
            self.turn(&row, Change::Overdue).await?;
        }
        Ok(())
    }

    /// Gives a subscription the status that something leads to, unless it has another one meanwhile.
    async fn turn(&self, row: &subscription::Model, change: Change) -> Result<()> {
        let tenant = tenant_of(&row.tenant)?;
        let tx = self.db.begin().await?;
        if self.turn_within(&tx, &tenant, row, change).await? {
            tx.commit().await?;
        }
        Ok(())
    }

    /// The same in a transaction; whether it was done.
    pub(crate) async fn turn_within(&self, tx: &Tx, tenant: &Tenant, row: &subscription::Model, change: Change) -> Result<bool> {
        let status = subscriptions::after(row, change)?;
        let changed = subscription::ActiveModel {
            status: Set(status.as_str().to_owned()),
            version: Set(row.version + 1),
            updated: Set(text::now()),
            ..Default::default()
        };
        let done = tenant
            .update_many::<subscription::Entity>()
            .set(changed)
            .filter(subscription::Column::Id.eq(&row.id))
            .filter(subscription::Column::Version.eq(row.version))
            .exec(tx)
            .await?;
        if done.rows_affected == 0 {
            return Ok(false);
        }
        let mut now = row.clone();
        status.as_str().clone_into(&mut now.status);
        self.told(tx, tenant, &now).await?;
        Ok(true)
    }
}

/// The tenant that a row belongs to.
pub(crate) fn tenant_of(name: &str) -> Result<Tenant> {
    Tenant::named(name).map_err(|problem| Error::Broken(problem.to_string()))
}

async fn is_cancelled(ctx: &JobContext) -> bool {
    tokio::time::timeout(Duration::ZERO, ctx.cancelled()).await.is_ok()
}

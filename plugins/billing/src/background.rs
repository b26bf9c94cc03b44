//! What happens without a request: jobs, and what others say.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use schemars::JsonSchema;
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder};
use serde::{Deserialize, Serialize};
use wharf_sdk::services::database::Tx;
use wharf_sdk::{Error, Event, EventContext, Handlers, Health, JobContext, Jobs, Tenant, tracing};

use crate::Billing;
use crate::domain::subscription::Status;
use crate::error::Result;
use crate::journal::{InvoiceIssued, PaymentFailed, PaymentSucceeded, SubscriptionChanged};
use crate::payments::Ask;
use crate::plans::terms_of;
use crate::runs::{RunOnce, tenant_of};
use crate::subscriptions::{Cancellation, status};
use crate::tables::{customer, subscription};
use crate::text;
use crate::usage::NewUsage;

/// What `identity` says of an account, as far as it matters here.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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
}

/// What `blog` says of a post that is shown to everyone from now on, as far as it matters here.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PostPublished {
    /// Id of the post.
    pub post: String,
    /// Subject of its author.
    pub author: String,
}

impl Event for AccountChanged {
    const TYPE: &'static str = "identity.account.changed.v1";

    fn key(&self) -> Option<String> {
        Some(self.id.clone())
    }
}

impl Event for PostPublished {
    const TYPE: &'static str = "blog.post.published.v1";

    fn key(&self) -> Option<String> {
        Some(self.post.clone())
    }
}

pub(crate) fn handlers() -> Handlers<Billing> {
    Handlers::new()
        .publishes::<InvoiceIssued>()
        .publishes::<PaymentSucceeded>()
        .publishes::<PaymentFailed>()
        .publishes::<SubscriptionChanged>()
        .on::<InvoiceIssued>("mail-invoice", Billing::on_invoice)
        .on::<AccountChanged>("accounts", Billing::on_account)
        .on::<PostPublished>("posts", Billing::on_post)
}

pub(crate) fn jobs() -> Jobs<Billing> {
    Jobs::new()
        .job("invoice-run", Billing::job_invoice_run)
        .job_with::<RunOnce>("invoice-run-once", Billing::job_run_once)
        .job_with::<Ask>("charge", Billing::job_charge)
        .job_with::<Ask>("refund", Billing::job_refund)
        .job("settle", Billing::job_settle)
        .job("ledger-check", Billing::job_ledger_check)
}

impl Billing {
    async fn job_invoice_run(self: Arc<Self>, ctx: JobContext) -> Result<(), Error> {
        let today = text::day_of(now_of(&ctx))?;
        Ok(self.run_daily(today, &ctx).await?)
    }

    async fn job_run_once(self: Arc<Self>, asked: RunOnce, ctx: JobContext) -> Result<(), Error> {
        Ok(self.run_once(&tenant_of(&asked.tenant)?, &asked.run, &ctx).await?)
    }

    async fn job_charge(self: Arc<Self>, asked: Ask, _: JobContext) -> Result<(), Error> {
        Ok(self.charge(&tenant_of(&asked.tenant)?, &asked.id).await?)
    }

    async fn job_refund(self: Arc<Self>, asked: Ask, _: JobContext) -> Result<(), Error> {
        Ok(self.give_back(&tenant_of(&asked.tenant)?, &asked.id).await?)
    }

    async fn job_settle(self: Arc<Self>, ctx: JobContext) -> Result<(), Error> {
        let now = now_of(&ctx);
        self.tend_payments(now).await?;
        Ok(self.tend_refunds(now).await?)
    }

    /// Says in the health of this node whether the ledger balances, and in the log where it does not.
    async fn job_ledger_check(self: Arc<Self>, _: JobContext) -> Result<(), Error> {
        let check = self.check_ledger(None).await?;
        for finding in &check.findings {
            tracing::error!(finding, "the ledger does not balance");
        }
        let health = match check.findings.first() {
            None => Health::serving(),
            Some(first) => Health::degraded(format!("{} findings; the first: {first}", check.findings.len())),
        };
        self.health.set("billing.ledger.check", health);
        Ok(())
    }

    /// Mails it from a queue of its own: a run of many invoices does not wait for mails.
    async fn on_invoice(self: Arc<Self>, issued: InvoiceIssued, ctx: EventContext) -> Result<(), Error> {
        let tenant = Tenant::of_event(&ctx);
        Ok(self.mail_invoice(&ctx.tx()?, &tenant, &issued.invoice).await?)
    }

    /// An account that is gone ends its subscriptions; one that is suspended pauses them, until it is active again.
    async fn on_account(self: Arc<Self>, changed: AccountChanged, ctx: EventContext) -> Result<(), Error> {
        let tenant = tenant_of(&changed.tenant)?;
        let owner = format!("{}:{}", changed.kind, changed.id);
        let tx = ctx.tx()?;
        for row in self.of_account(&tx, &tenant, &owner).await? {
            self.follow_account(&tx, &tenant, row, &changed).await?;
        }
        Ok(())
    }

    async fn follow_account(&self, tx: &Tx, tenant: &Tenant, row: subscription::Model, changed: &AccountChanged) -> Result<()> {
        let was_paused_for_it = row.paused_for.as_deref() == Some("account");
        let status = status(&row)?;
        let loaded = self.load(tx, tenant, row).await?;
        if changed.deleted {
            self.end(tx, tenant, loaded, Cancellation::default()).await?;
        } else if changed.status == "suspended" && status != Status::Paused {
            self.hold(tx, tenant, loaded, "account").await?;
        } else if changed.status == "active" && was_paused_for_it {
            self.go_on(tx, tenant, loaded).await?;
        }
        Ok(())
    }

    /// A published post is usage of its author's subscription: once for each event, however often it comes.
    async fn on_post(self: Arc<Self>, published: PostPublished, ctx: EventContext) -> Result<(), Error> {
        let tenant = Tenant::of_event(&ctx);
        let tx = ctx.tx()?;
        for row in self.of_account(&tx, &tenant, &published.author).await? {
            let plan = self.plan(&tx, &tenant, &row.plan).await?;
            let has_meter = terms_of(&plan)?
                .meters
                .iter()
                .any(|meter| meter.feature == self.config.posts_feature);
            if !has_meter {
                continue;
            }
            let usage = NewUsage {
                subscription: row.id.clone(),
                feature: self.config.posts_feature.clone(),
                quantity: 1,
                key: format!("event:{}", ctx.meta().id),
                at: None,
            };
            self.record_one(&tx, &tenant, &row, &usage).await?;
            return Ok(());
        }
        Ok(())
    }

    /// Subscriptions of an account that have not ended, oldest first.
    async fn of_account(&self, tx: &Tx, tenant: &Tenant, owner: &str) -> Result<Vec<subscription::Model>> {
        let of = tenant.find::<customer::Entity>().filter(customer::Column::Owner.eq(owner));
        let Some(customer) = of.one(tx).await? else { return Ok(Vec::new()) };
        let rows = tenant
            .find::<subscription::Entity>()
            .filter(subscription::Column::Customer.eq(&customer.id))
            .filter(subscription::Column::Status.ne(Status::Cancelled.as_str()))
            .order_by_asc(subscription::Column::Id);
        Ok(rows.all(tx).await?)
    }
}

/// The time it is for a run: that of its schedule when the host's clock is ahead of the system's.
fn now_of(ctx: &JobContext) -> i64 {
    let since = ctx
        .scheduled()
        .max(SystemTime::now())
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

//! Subscriptions: who has subscribed to what, from when, until when.

use jiff::civil::Date;
use sea_orm::{ActiveModelTrait as _, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder};
use serde::Deserialize;
use utoipa::ToSchema;
use wharf_sdk::Tenant;
use wharf_sdk::audit::Entry;
use wharf_sdk::services::database::Tx;

use crate::Billing;
use crate::access::{Object, SUBSCRIPTION_READ, SUBSCRIPTION_WRITE};
use crate::customers;
use crate::domain::calendar::{Anchor, days_after, days_between};
use crate::domain::subscription::{Change, Phase, Status};
use crate::error::{Error, Result};
use crate::journal::SubscriptionChanged;
use crate::page::{List, Page};
use crate::plans::interval_of;
use crate::tables::{customer, phase, plan, subscription};
use crate::text;

/// Oldest first day of a new subscription, in days before today.
const OLDEST_START: u64 = 731;

/// A subscription to be made.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSubscription {
    /// Who is billed.
    #[schema(format = "uuid")]
    pub(crate) customer: String,
    /// What for.
    #[schema(format = "uuid")]
    pub(crate) plan: String,
    /// The first day; without it today. At most two years ago, not in the future.
    #[schema(format = "date")]
    #[serde(default)]
    pub(crate) start: Option<String>,
}

/// Another plan, of the same currency and interval.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPlanOf {
    /// From today on.
    #[schema(format = "uuid")]
    pub(crate) plan: String,
}

/// When it is to end.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cancellation {
    /// At the end of the period that runs, instead of today.
    #[serde(default)]
    pub(crate) at_period_end: bool,
}

/// A subscription with its phases.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) row: subscription::Model,
    pub(crate) phases: Vec<Phase>,
}

impl Billing {
    pub(crate) async fn subscribe(&self, tx: &Tx, tenant: &Tenant, new: NewSubscription) -> Result<subscription::Model> {
        let customer = self.customer_row(tx, tenant, &new.customer).await?;
        self.access.sees(SUBSCRIPTION_WRITE, customers::object(&customer))?;
        let plan = self.plan(tx, tenant, &new.plan).await?;
        if !plan.is_active {
            return Err(Error::state(
                "plan-archived",
                format!("plan {} is archived: choose another one", plan.code),
            ));
        }
        same(&customer.currency, &plan.currency, "currency of the customer")?;
        let today = text::today();
        let start = new.start.as_deref().map(text::parse_day).transpose()?.unwrap_or(today);
        if start > today || days_between(start, today) > OLDEST_START {
            return Err(Error::Invalid(format!(
                "found start {start}, expected a day from two years before {today} to that day"
            )));
        }
        let trial_end = match self.had(tx, tenant, &customer.id, &plan.id).await? {
            false if plan.trial_days > 0 => Some(days_after(start, plan.trial_days.unsigned_abs())?),
            _ => None,
        };
        let loaded = begun(tenant, &customer, &plan, start, trial_end, today)?;
        let row = tenant.stamp(loaded.row.clone().into_active_model().reset_all());
        subscription::Entity::insert(row).exec_without_returning(tx).await?;
        self.write_phases(tx, tenant, &loaded).await?;
        self.told(tx, tenant, &loaded.row).await?;
        let entry = Entry::of(SUBSCRIPTION_WRITE)
            .on(object(&loaded.row).name())
            .added("plan", &plan.code);
        self.journal.record(tx, tenant, entry).await?;
        Ok(loaded.row)
    }

    /// One that the caller may read.
    pub(crate) async fn subscription(&self, tenant: &Tenant, id: &str) -> Result<subscription::Model> {
        let row = self.subscription_row(&self.db, tenant, id).await?;
        self.access.sees(SUBSCRIPTION_READ, object(&row))?;
        Ok(row)
    }

    /// One, whoever asks.
    pub(crate) async fn subscription_row<C: ConnectionTrait>(&self, db: &C, tenant: &Tenant, id: &str) -> Result<subscription::Model> {
        let id = text::id(id).ok_or(Error::NotFound("subscription"))?;
        let found = tenant.find::<subscription::Entity>().filter(subscription::Column::Id.eq(id));
        found.one(db).await?.ok_or(Error::NotFound("subscription"))
    }

    /// Those that the caller may read, of one customer if that is given.
    pub(crate) async fn list_subscriptions(
        &self,
        tenant: &Tenant,
        customer: Option<&str>,
        page: &Page,
    ) -> Result<List<subscription::Model>> {
        let visible = self.access.rows(
            &self.db,
            SUBSCRIPTION_READ,
            subscription::Column::Owner,
            "subscription",
            subscription::Column::Id,
        )?;
        let mut rows = tenant.find::<subscription::Entity>().filter(visible);
        if let Some(customer) = customer {
            rows = rows.filter(subscription::Column::Customer.eq(text::wanted_id(customer)?));
        }
        page.read(&self.db, rows, subscription::Column::Id, |row| &row.id).await
    }

    /// From today on it has another plan.
    pub(crate) async fn replan(&self, tx: &Tx, tenant: &Tenant, id: &str, to: &str) -> Result<subscription::Model> {
        let mut loaded = self.to_change(tx, tenant, id).await?;
        let plan = self.plan(tx, tenant, to).await?;
        if !plan.is_active {
            return Err(Error::state(
                "plan-archived",
                format!("plan {} is archived: choose another one", plan.code),
            ));
        }
        same(&loaded.row.currency, &plan.currency, "currency of the subscription")?;
        same(&loaded.row.period, &plan.period, "interval of the subscription")?;
        let status = after(&loaded.row, Change::Replan)?;
        let today = text::today();
        loaded.turn(today, Some(&plan.id), None);
        for later in loaded.phases.iter_mut().filter(|phase| phase.from > today) {
            later.plan.clone_from(&plan.id);
        }
        loaded.row.plan = plan.id;
        self.save(tx, tenant, loaded, status, "change").await
    }

    /// It ends today, or with the period that runs.
    pub(crate) async fn cancel(&self, tx: &Tx, tenant: &Tenant, id: &str, how: Cancellation) -> Result<subscription::Model> {
        let loaded = self.to_change(tx, tenant, id).await?;
        self.end(tx, tenant, loaded, how).await
    }

    pub(crate) async fn end(&self, tx: &Tx, tenant: &Tenant, mut loaded: Loaded, how: Cancellation) -> Result<subscription::Model> {
        let status = after(&loaded.row, Change::Cancel)?;
        let today = text::today();
        let ends_on = match how.at_period_end {
            false => today,
            true => running_until(anchor(&loaded.row)?, today)?,
        };
        loaded.row.ends_on = Some(ends_on.to_string());
        loaded.row.next_due = due(&loaded.row)?;
        self.save(tx, tenant, loaded, status, "cancel").await
    }

    /// From today on it costs nothing.
    pub(crate) async fn pause(&self, tx: &Tx, tenant: &Tenant, id: &str) -> Result<subscription::Model> {
        let loaded = self.to_change(tx, tenant, id).await?;
        self.hold(tx, tenant, loaded, "request").await
    }

    pub(crate) async fn hold(&self, tx: &Tx, tenant: &Tenant, mut loaded: Loaded, why: &str) -> Result<subscription::Model> {
        let status = after(&loaded.row, Change::Pause)?;
        let today = text::today();
        loaded.phases.retain(|phase| phase.from <= today);
        loaded.turn(today, None, Some(false));
        loaded.row.paused_for = Some(why.to_owned());
        self.save(tx, tenant, loaded, status, "pause").await
    }

    /// From today on it goes on; a trial that is not over goes on too.
    pub(crate) async fn resume(&self, tx: &Tx, tenant: &Tenant, id: &str) -> Result<subscription::Model> {
        let loaded = self.to_change(tx, tenant, id).await?;
        self.go_on(tx, tenant, loaded).await
    }

    pub(crate) async fn go_on(&self, tx: &Tx, tenant: &Tenant, mut loaded: Loaded) -> Result<subscription::Model> {
        let mut status = after(&loaded.row, Change::Resume)?;
        let today = text::today();
        let trial_end = loaded.row.trial_end.as_deref().map(text::kept_day).transpose()?;
        let in_trial = trial_end.filter(|end| *end > today);
        loaded.turn(today, None, Some(in_trial.is_none()));
        if let Some(end) = in_trial {
            status = Status::Trialing;
            loaded.turn(end, None, Some(true));
        }
        loaded.row.paused_for = None;
        self.save(tx, tenant, loaded, status, "resume").await
    }

    /// With its phases, for jobs and for those who may change it.
    pub(crate) async fn load(&self, tx: &Tx, tenant: &Tenant, row: subscription::Model) -> Result<Loaded> {
        let rows = tenant
            .find::<phase::Entity>()
            .filter(phase::Column::Subscription.eq(&row.id))
            .order_by_asc(phase::Column::FromDay)
            .all(tx)
            .await?;
        let phases = rows.into_iter().map(|row| {
            Ok(Phase {
                from: text::kept_day(&row.from_day)?,
                plan: row.plan,
                is_charged: row.is_charged,
            })
        });
        Ok(Loaded {
            phases: phases.collect::<Result<_>>()?,
            row,
        })
    }

    async fn to_change(&self, tx: &Tx, tenant: &Tenant, id: &str) -> Result<Loaded> {
        let row = self.subscription_row(tx, tenant, id).await?;
        self.access.sees(SUBSCRIPTION_READ, object(&row))?;
        self.access.may(SUBSCRIPTION_WRITE, object(&row))?;
        self.load(tx, tenant, row).await
    }

    /// Whether the customer has had this plan: a trial is given once.
    async fn had(&self, tx: &Tx, tenant: &Tenant, customer: &str, plan: &str) -> Result<bool> {
        let of = tenant
            .find::<subscription::Entity>()
            .filter(subscription::Column::Customer.eq(customer))
            .filter(subscription::Column::Plan.eq(plan));
        Ok(of.count(tx).await? > 0)
    }

    /// Writes a subscription back, unless somebody else changed it since it was read.
    async fn save(&self, tx: &Tx, tenant: &Tenant, mut loaded: Loaded, status: Status, what: &str) -> Result<subscription::Model> {
        let before = loaded.row.status.clone();
        status.as_str().clone_into(&mut loaded.row.status);
        self.write_row(tx, tenant, &mut loaded.row).await?;
        tenant
            .delete_many::<phase::Entity>()
            .filter(phase::Column::Subscription.eq(&loaded.row.id))
            .exec(tx)
            .await?;
        self.write_phases(tx, tenant, &loaded).await?;
        self.told(tx, tenant, &loaded.row).await?;
        let entry = Entry::of(&format!("billing.subscription.{what}"))
            .on(object(&loaded.row).name())
            .changed("status", &before, &loaded.row.status)
            .added("plan", &loaded.row.plan);
        self.journal.record(tx, tenant, entry).await?;
        Ok(loaded.row)
    }

    /// Writes the row of a version that was read, which then has the next one.
    pub(crate) async fn write_row(&self, tx: &Tx, tenant: &Tenant, row: &mut subscription::Model) -> Result<()> {
        let version = row.version;
        row.version += 1;
        row.updated = text::now();
        let changed = tenant
            .update_many::<subscription::Entity>()
            .set(row.clone().into_active_model().reset_all())
            .filter(subscription::Column::Id.eq(&row.id))
            .filter(subscription::Column::Version.eq(version))
            .exec(tx)
            .await?;
        match changed.rows_affected {
            0 => Err(Error::Stale),
            _ => Ok(()),
        }
    }

    async fn write_phases(&self, tx: &Tx, tenant: &Tenant, loaded: &Loaded) -> Result<()> {
        let rows = loaded.phases.iter().map(|phase| {
            let row = phase::Model {
                tenant: tenant.to_string(),
                subscription: loaded.row.id.clone(),
                from_day: phase.from.to_string(),
                plan: phase.plan.clone(),
                is_charged: phase.is_charged,
            };
            tenant.stamp(row.into_active_model().reset_all())
        });
        phase::Entity::insert_many(rows).exec_without_returning(tx).await?;
        Ok(())
    }

    /// Tells others how a subscription is now.
    pub(crate) async fn told(&self, tx: &Tx, tenant: &Tenant, row: &subscription::Model) -> Result<()> {
        let changed = SubscriptionChanged {
            subscription: row.id.clone(),
            customer: row.customer.clone(),
            plan: row.plan.clone(),
            status: row.status.clone(),
            ends_on: row.ends_on.clone(),
        };
        self.journal.publish(tx, tenant, &changed).await
    }
}

impl Loaded {
    /// From a day on: with another plan, or charged otherwise. What is not given stays as it was on that day.
    fn turn(&mut self, day: Date, plan: Option<&str>, is_charged: Option<bool>) {
        let before = self.phases.iter().rev().find(|phase| phase.from <= day).or(self.phases.first());
        let phase = Phase {
            from: day,
            plan: plan.map_or_else(
                || before.map_or_else(|| self.row.plan.clone(), |phase| phase.plan.clone()),
                str::to_owned,
            ),
            is_charged: is_charged.unwrap_or_else(|| before.is_none_or(|phase| phase.is_charged)),
        };
        self.phases.retain(|phase| phase.from != day);
        self.phases.push(phase);
        self.phases.sort_by_key(|phase| phase.from);
    }
}

pub(crate) fn object(row: &subscription::Model) -> Object<'_> {
    Object {
        kind: "subscription",
        id: &row.id,
        owner: row.owner.as_deref(),
    }
}

/// Where its periods are counted from.
pub(crate) fn anchor(row: &subscription::Model) -> Result<Anchor> {
    Ok(Anchor {
        day: text::kept_day(&row.anchor)?,
        interval: interval_of(&row.period)?,
    })
}

/// The day on which its next period can be billed.
pub(crate) fn due(row: &subscription::Model) -> Result<Option<String>> {
    let period = anchor(row)?.period(row.period_no.unsigned_abs())?;
    let ends_on = row.ends_on.as_deref().map(text::kept_day).transpose()?;
    let due = ends_on.map_or(period.end, |ends_on| ends_on.min(period.end));
    Ok(row.next_due.as_ref().map(|_| due.to_string()))
}

pub(crate) fn status(row: &subscription::Model) -> Result<Status> {
    Status::parse(&row.status).ok_or_else(|| Error::Broken(format!("found status {:?} of subscription {}", row.status, row.id)))
}

pub(crate) fn after(row: &subscription::Model, change: Change) -> Result<Status> {
    let status = status(row)?;
    status.after(change).ok_or_else(|| {
        let what = format!("{change:?}").to_lowercase();
        Error::state(
            "subscription-state",
            format!("found a subscription that is {}, which cannot {what}", status.as_str()),
        )
    })
}

fn begun(
    tenant: &Tenant,
    customer: &customer::Model,
    plan: &plan::Model,
    start: Date,
    trial_end: Option<Date>,
    today: Date,
) -> Result<Loaded> {
    let first = |is_charged, from| Phase {
        from,
        plan: plan.id.clone(),
        is_charged,
    };
    let phases = match trial_end {
        Some(end) => vec![first(false, start), first(true, end)],
        None => vec![first(true, start)],
    };
    let status = if trial_end.is_some_and(|end| end > today) {
        Status::Trialing
    } else {
        Status::Active
    };
    let anchor = Anchor {
        day: start,
        interval: interval_of(&plan.period)?,
    };
    let now = text::now();
    let row = subscription::Model {
        tenant: tenant.to_string(),
        id: text::new_id(),
        customer: customer.id.clone(),
        owner: customer.owner.clone(),
        plan: plan.id.clone(),
        currency: plan.currency.clone(),
        period: plan.period.clone(),
        status: status.as_str().to_owned(),
        anchor: start.to_string(),
        trial_end: trial_end.map(|end| end.to_string()),
        ends_on: None,
        paused_for: None,
        period_no: 0,
        next_due: Some(anchor.period(0)?.end.to_string()),
        version: 1,
        created: now,
        updated: now,
    };
    Ok(Loaded { row, phases })
}

/// The end of the period that a day is in.
fn running_until(anchor: Anchor, day: Date) -> Result<Date> {
    let mut number = 0;
    loop {
        let period = anchor.period(number)?;
        if period.end > day {
            return Ok(period.end);
        }
        number += 1;
    }
}

fn same(expected: &str, found: &str, what: &str) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::state(
        "plan-does-not-fit",
        format!("found a plan with {found}, expected the {what}, {expected}: choose another plan"),
    ))
}

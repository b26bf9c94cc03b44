//! What is used: recorded once by key, and counted by the invoice of the period.

use std::collections::BTreeMap;

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wharf_sdk::Tenant;
use wharf_sdk::services::database::Tx;

use crate::Billing;
use crate::domain::subscription::{Phase, phase_of};
use crate::error::{Error, Result};
use crate::tables::{subscription, usage_record};
use crate::text;

/// Most units in one record.
const MOST: u64 = 1_000_000_000;
/// How far the clock of a sender may be ahead.
const AHEAD_MS: i64 = 300_000;

/// Something that was used.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUsage {
    /// By which subscription.
    #[schema(format = "uuid")]
    pub(crate) subscription: String,
    /// What was used.
    #[schema(pattern = "^[a-z][a-z0-9_-]{0,63}$", example = "posts")]
    pub(crate) feature: String,
    /// How much.
    #[schema(minimum = 1, maximum = 1000000000)]
    pub(crate) quantity: u64,
    /// What the sender calls this record: the same key again changes nothing.
    #[schema(pattern = "^[A-Za-z0-9._:-]{1,64}$", example = "req-1")]
    pub(crate) key: String,
    /// When; without it now. Not in the future, and not before the subscription began.
    #[schema(format = "date-time")]
    #[serde(default)]
    pub(crate) at: Option<String>,
}

/// What came of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Recorded {
    /// Records that were new.
    #[schema(minimum = 0)]
    pub(crate) accepted: u64,
    /// Records whose key was there already.
    #[schema(minimum = 0)]
    pub(crate) duplicates: u64,
}

/// What was used of a feature and has not been billed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, FromQueryResult)]
pub(crate) struct FeatureUsage {
    /// The feature.
    pub(crate) feature: String,
    /// How much.
    #[schema(minimum = 0)]
    pub(crate) quantity: i64,
}

/// What was used of a feature on a day.
#[derive(FromQueryResult)]
struct DayUsage {
    feature: String,
    day: String,
    quantity: i64,
}

impl Billing {
    /// Records what was used; all of it or, on an error, nothing.
    pub(crate) async fn record_usage(&self, tx: &Tx, tenant: &Tenant, records: &[NewUsage]) -> Result<Recorded> {
        let mut subscriptions: BTreeMap<&str, subscription::Model> = BTreeMap::new();
        let mut recorded = Recorded::default();
        for record in records {
            let subscription = match subscriptions.get(record.subscription.as_str()) {
                Some(known) => known,
                None => {
                    let found = self.subscription_row(tx, tenant, &record.subscription).await?;
                    subscriptions.entry(&record.subscription).or_insert(found)
                }
            };
            match self.record_one(tx, tenant, subscription, record).await? {
                true => recorded.accepted += 1,
                false => recorded.duplicates += 1,
            }
        }
        Ok(recorded)
    }

    /// Whether it was new.
    pub(crate) async fn record_one(&self, tx: &Tx, tenant: &Tenant, of: &subscription::Model, new: &NewUsage) -> Result<bool> {
        let at = new.at.as_deref().map(text::parse_time).transpose()?.unwrap_or_else(text::now);
        let day = text::day_of(at)?.to_string();
        let has_ended = of.next_due.is_none() || of.ends_on.as_ref().is_some_and(|ends_on| day >= *ends_on);
        if has_ended {
            return Err(Error::state("subscription-ended", "found usage of a subscription after its end"));
        }
        if at > text::now() + AHEAD_MS || day < of.anchor {
            return Err(Error::Invalid(format!(
                "found usage at {}, expected a time from {} on, and not in the future",
                text::time(at),
                of.anchor
            )));
        }
        if !(1..=MOST).contains(&new.quantity) {
            return Err(Error::Invalid(format!("found {} units, expected 1 to {MOST}", new.quantity)));
        }
        let row = usage_record::Model {
            tenant: tenant.to_string(),
            id: text::new_id(),
            subscription: of.id.clone(),
            dedup: text::key(&new.key, "key")?,
            feature: text::code(&new.feature, "feature")?,
            quantity: i64::try_from(new.quantity).unwrap_or(i64::MAX),
            day,
            at,
            invoice: None,
        };
        let known = [
            usage_record::Column::Tenant,
            usage_record::Column::Subscription,
            usage_record::Column::Dedup,
        ];
        let inserted = usage_record::Entity::insert(tenant.stamp(row.into_active_model().reset_all()))
            .on_conflict(OnConflict::columns(known).do_nothing().to_owned())
            .exec_without_returning(tx)
            .await?;
        Ok(inserted > 0)
    }

    /// What was used and is in no invoice yet.
    pub(crate) async fn open_usage(&self, tenant: &Tenant, subscription: &str) -> Result<Vec<FeatureUsage>> {
        let rows = tenant
            .find::<usage_record::Entity>()
            .select_only()
            .column(usage_record::Column::Feature)
            .column_as(sum_of_quantity(), "quantity")
            .filter(usage_record::Column::Subscription.eq(subscription))
            .filter(usage_record::Column::Invoice.is_null())
            .group_by(usage_record::Column::Feature)
            .order_by_asc(usage_record::Column::Feature);
        Ok(rows.into_model::<FeatureUsage>().all(&self.db).await?)
    }

    /// Takes what was used before a day and is in no invoice yet into this one; records that come later are taken by the next one.
    /// Gives how much of each feature was used under each plan, in phases that are charged.
    pub(crate) async fn take_usage(
        &self,
        tx: &Tx,
        tenant: &Tenant,
        subscription: &str,
        before: &str,
        invoice: &str,
        phases: &[Phase],
    ) -> Result<BTreeMap<(String, String), u64>> {
        tenant
            .update_many::<usage_record::Entity>()
            .col_expr(usage_record::Column::Invoice, Expr::value(invoice))
            .filter(usage_record::Column::Subscription.eq(subscription))
            .filter(usage_record::Column::Invoice.is_null())
            .filter(usage_record::Column::Day.lt(before))
            .exec(tx)
            .await?;
        let mut sums = BTreeMap::new();
        for used in self.usage_by_day(tx, tenant, subscription, invoice).await? {
            let Some(phase) = phase_of(phases, text::kept_day(&used.day)?).filter(|phase| phase.is_charged) else {
                continue;
            };
            let sum: &mut u64 = sums.entry((phase.plan.clone(), used.feature)).or_default();
            *sum = sum.saturating_add(used.quantity.unsigned_abs());
        }
        Ok(sums)
    }

    async fn usage_by_day<C: ConnectionTrait>(&self, db: &C, tenant: &Tenant, subscription: &str, invoice: &str) -> Result<Vec<DayUsage>> {
        let rows = tenant
            .find::<usage_record::Entity>()
            .select_only()
            .column(usage_record::Column::Feature)
            .column(usage_record::Column::Day)
            .column_as(sum_of_quantity(), "quantity")
            .filter(usage_record::Column::Subscription.eq(subscription))
            .filter(usage_record::Column::Invoice.eq(invoice))
            .group_by(usage_record::Column::Feature)
            .group_by(usage_record::Column::Day);
        Ok(rows.into_model::<DayUsage>().all(db).await?)
    }
}

/// The sum of a `BIGINT` is a `NUMERIC` on PostgreSQL.
fn sum_of_quantity() -> Expr {
    Expr::cust("CAST(SUM(quantity) AS BIGINT)")
}

//! Plans: what can be subscribed to. They never change; a new price is a new plan, and the old one is archived.

use std::collections::BTreeMap;

use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, TransactionTrait, sea_query::Expr,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wharf_sdk::Tenant;
use wharf_sdk::audit::Entry;
use wharf_sdk::services::database::{DbErrExt as _, Tx};

use crate::Billing;
use crate::access::PLAN_WRITE;
use crate::domain::calendar::Interval;
use crate::domain::invoice::Terms;
use crate::domain::money::{Currency, Money};
use crate::domain::plan::{self, Meter, Tier};
use crate::error::{Error, Result};
use crate::page::{List, Page};
use crate::tables::plan as table;
use crate::text;

const MOST_METERS: usize = 20;
const MOST_TIERS: usize = 20;
const LONGEST_TRIAL: u32 = 730;

/// A plan to be made.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPlan {
    /// Unique in the tenant.
    #[schema(pattern = "^[a-z][a-z0-9_-]{0,63}$", example = "pro-monthly")]
    pub(crate) code: String,
    /// For people to read, also on invoices.
    #[schema(min_length = 1, max_length = 200, example = "Pro")]
    pub(crate) name: String,
    /// Code of ISO 4217.
    #[schema(pattern = "^[A-Z]{3}$", example = "EUR")]
    pub(crate) currency: String,
    /// For each period, in the smallest unit of the currency.
    #[schema(minimum = 0, maximum = 1000000000000_i64, example = 1900)]
    pub(crate) price: i64,
    /// How long a period is.
    pub(crate) interval: IntervalName,
    /// Days that cost nothing, for a customer who has not had this plan before.
    #[schema(minimum = 0, maximum = 730)]
    #[serde(default)]
    pub(crate) trial_days: u32,
    /// Prices for what is used.
    #[schema(max_items = 20)]
    #[serde(default)]
    pub(crate) meters: Vec<MeterPrice>,
}

/// How long a period is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum IntervalName {
    /// From a day to the same day of the next month, or its last day.
    #[default]
    Month,
    /// From a day to the same day of the next year, or the last day of that month.
    Year,
}

/// What units of a feature cost.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MeterPrice {
    /// What is counted.
    #[schema(pattern = "^[a-z][a-z0-9_-]{0,63}$", example = "posts")]
    pub(crate) feature: String,
    /// Prices are for so many units.
    #[schema(minimum = 1, maximum = 1000000)]
    #[serde(default = "one")]
    pub(crate) per: u32,
    /// Graduated: each unit costs what its own tier says. The last one, and only it, has no `up_to`.
    #[schema(min_items = 1, max_items = 20)]
    pub(crate) tiers: Vec<TierPrice>,
}

/// Units up to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TierPrice {
    /// The last unit of this tier; without it all that are left.
    #[schema(minimum = 1, maximum = 1000000000000_u64)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) up_to: Option<u64>,
    /// Of `per` units, in the smallest unit of the currency.
    #[schema(minimum = 0, maximum = 1000000000000_i64)]
    pub(crate) price: i64,
}

fn one() -> u32 {
    1
}

impl Billing {
    pub(crate) async fn create_plan(&self, tx: &Tx, tenant: &Tenant, new: NewPlan) -> Result<table::Model> {
        let meters = meters_of(&new.meters)?;
        if new.trial_days > LONGEST_TRIAL {
            return Err(Error::Invalid(format!(
                "found a trial of {} days, expected 0 to {LONGEST_TRIAL}",
                new.trial_days
            )));
        }
        let row = table::Model {
            tenant: tenant.to_string(),
            id: text::new_id(),
            code: text::code(&new.code, "code")?,
            name: text::name(&new.name, "name")?,
            currency: Currency::of(&new.currency)?.code().to_owned(),
            price: text::amount(new.price, 0, "price")?,
            period: Interval::from(new.interval).as_str().to_owned(),
            trial_days: i32::try_from(new.trial_days).unwrap_or(i32::MAX),
            meters: serde_json::to_string(&meters).map_err(|error| Error::Broken(error.to_string()))?,
            is_active: true,
            created: text::now(),
        };
        let insert = table::Entity::insert(tenant.stamp(row.clone().into_active_model().reset_all()));
        insert.exec_without_returning(tx).await.map_err(|error| match error.is_unique() {
            true => Error::Exists(format!("there is a plan {} already", row.code)),
            false => error.into(),
        })?;
        let entry = Entry::of(PLAN_WRITE)
            .on(format!("plan/{}", row.id))
            .added("code", &row.code)
            .added("price", &row.price);
        self.journal.record(tx, tenant, entry).await?;
        Ok(row)
    }

    pub(crate) async fn plan<C: ConnectionTrait>(&self, db: &C, tenant: &Tenant, id: &str) -> Result<table::Model> {
        let id = text::id(id).ok_or(Error::NotFound("plan"))?;
        let found = tenant.find::<table::Entity>().filter(table::Column::Id.eq(id)).one(db).await?;
        found.ok_or(Error::NotFound("plan"))
    }

    pub(crate) async fn list_plans(&self, tenant: &Tenant, page: &Page) -> Result<List<table::Model>> {
        page.read(&self.db, tenant.find::<table::Entity>(), table::Column::Id, |row| &row.id)
            .await
    }

    /// Nobody can subscribe to it any more; who has subscribed keeps it.
    pub(crate) async fn archive_plan(&self, tenant: &Tenant, id: &str) -> Result<()> {
        let row = self.plan(&self.db, tenant, id).await?;
        let tx = self.db.begin().await?;
        let changed = tenant
            .update_many::<table::Entity>()
            .col_expr(table::Column::IsActive, Expr::value(false))
            .filter(table::Column::Id.eq(&row.id))
            .filter(table::Column::IsActive.eq(true))
            .exec(&tx)
            .await?;
        if changed.rows_affected == 0 {
            return Ok(());
        }
        let entry = Entry::of(PLAN_WRITE)
            .on(format!("plan/{}", row.id))
            .changed("is_active", &true, &false);
        self.journal.record(&tx, tenant, entry).await?;
        tx.commit().await?;
        Ok(())
    }

    /// What plans cost, by their ids.
    pub(crate) async fn terms<C: ConnectionTrait>(
        &self,
        db: &C,
        tenant: &Tenant,
        ids: impl IntoIterator<Item = String>,
    ) -> Result<BTreeMap<String, Terms>> {
        let ids: Vec<String> = ids.into_iter().collect();
        let rows = tenant.find::<table::Entity>().filter(table::Column::Id.is_in(ids)).all(db).await?;
        rows.into_iter().map(|row| Ok((row.id.clone(), terms_of(&row)?))).collect()
    }
}

pub(crate) fn terms_of(row: &table::Model) -> Result<Terms> {
    Ok(Terms {
        name: row.name.clone(),
        price: Money::new(row.price, Currency::of(&row.currency)?),
        meters: serde_json::from_str(&row.meters).map_err(|error| Error::Broken(format!("the meters of plan {}: {error}", row.id)))?,
    })
}

pub(crate) fn interval_of(text: &str) -> Result<Interval> {
    Interval::parse(text).ok_or_else(|| Error::Broken(format!("found interval {text:?} in the database, expected month or year")))
}

fn meters_of(prices: &[MeterPrice]) -> Result<Vec<Meter>> {
    let tiers = prices.iter().map(|meter| meter.tiers.len()).max().unwrap_or(0);
    if prices.len() > MOST_METERS || tiers > MOST_TIERS {
        return Err(Error::Invalid(format!(
            "found {} meters with up to {tiers} tiers, expected at most {MOST_METERS} with {MOST_TIERS} each",
            prices.len()
        )));
    }
    for price in prices {
        text::code(&price.feature, "feature")?;
    }
    let meters: Vec<Meter> = prices.iter().map(Meter::from).collect();
    plan::check_all(&meters).map_err(|error| Error::Invalid(error.to_string()))?;
    Ok(meters)
}

impl From<&MeterPrice> for Meter {
    fn from(price: &MeterPrice) -> Self {
        let tier = |tier: &TierPrice| Tier {
            up_to: tier.up_to,
            price: tier.price,
        };
        Self {
            feature: price.feature.clone(),
            per: price.per,
            tiers: price.tiers.iter().map(tier).collect(),
        }
    }
}

impl From<&Meter> for MeterPrice {
    fn from(meter: &Meter) -> Self {
        let tier = |tier: &Tier| TierPrice {
            up_to: tier.up_to,
            price: tier.price,
        };
        Self {
            feature: meter.feature.clone(),
            per: meter.per,
            tiers: meter.tiers.iter().map(tier).collect(),
        }
    }
}

impl From<IntervalName> for Interval {
    fn from(name: IntervalName) -> Self {
        match name {
            IntervalName::Month => Self::Month,
            IntervalName::Year => Self::Year,
        }
    }
}

impl From<Interval> for IntervalName {
    fn from(interval: Interval) -> Self {
        match interval {
            Interval::Month => Self::Month,
            Interval::Year => Self::Year,
        }
    }
}

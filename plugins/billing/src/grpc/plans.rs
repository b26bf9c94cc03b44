//! `wharf.billing.v1.Plans`.

use sea_orm::TransactionTrait;
use tonic::{Request, Response};
use wharf_proto::billing::v1 as pb;
use wharf_sdk::Tenant;

use super::{Answer, page, timestamp};
use crate::Billing;
use crate::domain::calendar::Interval;
use crate::domain::plan::Meter;
use crate::error::{Error, Result};
use crate::plans::{IntervalName, MeterPrice, NewPlan, TierPrice, interval_of, terms_of};
use crate::tables::plan;

#[tonic::async_trait]
impl pb::plans_server::Plans for Billing {
    async fn create(&self, request: Request<pb::CreatePlanRequest>) -> Answer<pb::Plan> {
        let new = new_plan(request.into_inner())?;
        let tx = self.db.begin().await.map_err(Error::from)?;
        let row = self.create_plan(&tx, &Tenant::current(), new).await?;
        tx.commit().await.map_err(Error::from)?;
        Ok(Response::new(message(row)?))
    }

    async fn get(&self, request: Request<pb::GetPlanRequest>) -> Answer<pb::Plan> {
        let row = self.plan(&self.db, &Tenant::current(), &request.into_inner().id).await?;
        Ok(Response::new(message(row)?))
    }

    async fn list(&self, request: Request<pb::ListPlansRequest>) -> Answer<pb::ListPlansResponse> {
        let asked = request.into_inner();
        let list = self
            .list_plans(&Tenant::current(), &page(asked.page_size, &asked.page_token)?)
            .await?;
        Ok(Response::new(pb::ListPlansResponse {
            plans: list.items.into_iter().map(message).collect::<Result<_>>()?,
            next_page_token: list.next_page_token,
            total: list.total,
        }))
    }

    async fn archive(&self, request: Request<pb::ArchivePlanRequest>) -> Answer<pb::ArchivePlanResponse> {
        self.archive_plan(&Tenant::current(), &request.into_inner().id).await?;
        Ok(Response::new(pb::ArchivePlanResponse {}))
    }
}

fn new_plan(asked: pb::CreatePlanRequest) -> Result<NewPlan> {
    let interval = match asked.interval() {
        pb::Interval::Month => IntervalName::Month,
        pb::Interval::Year => IntervalName::Year,
        pb::Interval::Unspecified => {
            return Err(Error::Invalid(
                "found no interval, expected INTERVAL_MONTH or INTERVAL_YEAR".to_owned(),
            ));
        }
    };
    let meter = |meter: pb::Meter| MeterPrice {
        feature: meter.feature,
        per: meter.per.max(1),
        tiers: meter.tiers.into_iter().map(tier_price).collect(),
    };
    Ok(NewPlan {
        code: asked.code,
        name: asked.name,
        currency: asked.currency,
        price: asked.price,
        interval,
        trial_days: asked.trial_days,
        meters: asked.meters.into_iter().map(meter).collect(),
    })
}

fn tier_price(tier: pb::Tier) -> TierPrice {
    TierPrice {
        up_to: tier.up_to,
        price: tier.price,
    }
}

fn message(row: plan::Model) -> Result<pb::Plan> {
    let terms = terms_of(&row)?;
    Ok(pb::Plan {
        interval: self::interval(&row.period)?.into(),
        meters: terms.meters.into_iter().map(Into::into).collect(),
        id: row.id,
        code: row.code,
        name: row.name,
        currency: row.currency,
        price: row.price,
        trial_days: row.trial_days.unsigned_abs(),
        is_active: row.is_active,
        created: timestamp(row.created),
    })
}

/// An interval of a row.
pub(super) fn interval(text: &str) -> Result<pb::Interval> {
    Ok(match interval_of(text)? {
        Interval::Month => pb::Interval::Month,
        Interval::Year => pb::Interval::Year,
    })
}

impl From<Meter> for pb::Meter {
    fn from(meter: Meter) -> Self {
        let tiers = meter.tiers.into_iter().map(|tier| pb::Tier {
            up_to: tier.up_to,
            price: tier.price,
        });
        Self {
            feature: meter.feature,
            per: meter.per,
            tiers: tiers.collect(),
        }
    }
}

//! The job that removes what is older than it is kept, in portions, so that nobody waits for it for long.

use std::sync::Arc;

use jiff::Timestamp;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use wharf_sdk::services::database::Db;
use wharf_sdk::{Error, JobContext, Jobs, Tenant};

use crate::Analytics;
use crate::config::Config;
use crate::domain::{DAY, Grain, HOUR};
use crate::error::Result as Done;
use crate::tables::{bucket, name, seen};

/// Ids that are removed at a time.
const IDS: u64 = 5_000;

/// Removes. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Keeper {
    db: Db,
    config: Arc<Config>,
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    pub(crate) buckets: u64,
    pub(crate) ids: u64,
}

pub(crate) fn jobs() -> Jobs<Analytics> {
    Jobs::new().job("retention", Analytics::retention)
}

impl Analytics {
    async fn retention(self: Arc<Self>, ctx: JobContext) -> Result<(), Error> {
        let now = Timestamp::now().as_second();
        tokio::select! {
            // What was removed stays so: the next run goes on from there.
            () = ctx.cancelled() => Err("the module is being stopped or replaced: the rest is removed by the next run".into()),
            removed = self.keeper.remove_old(now) => {
                let removed = removed?;
                tracing::info!(removed.buckets, removed.ids, "old buckets and event ids were removed");
                Ok(())
            }
        }
    }
}

impl Keeper {
    pub(crate) fn new(db: Db, config: Arc<Config>) -> Self {
        Self { db, config }
    }

    /// Of all tenants.
    pub(crate) async fn remove_old(&self, now: i64) -> Done<Removed> {
        let mut removed = Removed::default();
        let names = name::Entity::find()
            .order_by_asc(name::Column::Tenant)
            .order_by_asc(name::Column::Metric)
            .all(&self.db)
            .await?;
        let mut tenants: Vec<&str> = names.iter().map(|name| name.tenant.as_str()).collect();
        tenants.dedup();
        for tenant in tenants {
            let Some(tenant) = of_row(tenant) else { continue };
            removed.ids += self.remove_ids(&tenant, now).await?;
            for name in names.iter().filter(|name| name.tenant == tenant.as_str()) {
                for grain in [Grain::Minute, Grain::Hour] {
                    removed.buckets += self.remove_buckets(&tenant, name, grain, now).await?;
                }
            }
        }
        Ok(removed)
    }

    /// Buckets of one dimension: those of an hour at a time when they are minutes, those of a day when they are hours.
    async fn remove_buckets(&self, tenant: &Tenant, name: &name::Model, grain: Grain, now: i64) -> Done<u64> {
        let cutoff = self.config.retention().cutoff(grain, now);
        let portion = if grain == Grain::Minute { HOUR } else { DAY };
        let mut removed = 0;
        loop {
            let oldest = tenant
                .find::<bucket::Entity>()
                .filter(bucket::Column::Metric.eq(name.metric.as_str()))
                .filter(bucket::Column::Grain.eq(grain.number()))
                .filter(bucket::Column::Dimension.eq(name.dimension.as_str()))
                .filter(bucket::Column::Begins.lt(cutoff))
                .order_by_asc(bucket::Column::Begins)
                .one(&self.db)
                .await?;
            let Some(oldest) = oldest else { return Ok(removed) };
            let done = tenant
                .delete_many::<bucket::Entity>()
                .filter(bucket::Column::Metric.eq(name.metric.as_str()))
                .filter(bucket::Column::Grain.eq(grain.number()))
                .filter(bucket::Column::Dimension.eq(name.dimension.as_str()))
                .filter(bucket::Column::Begins.gte(oldest.begins))
                .filter(bucket::Column::Begins.lt(cutoff.min(oldest.begins + portion)))
                .exec(&self.db)
                .await?;
            removed += done.rows_affected;
        }
    }

    /// Ids of events that the host does not keep any more, so that they cannot be replayed.
    async fn remove_ids(&self, tenant: &Tenant, now: i64) -> Done<u64> {
        let cutoff = self.config.first_day_of_ids(now);
        let mut removed = 0;
        loop {
            let old = tenant.find::<seen::Entity>().filter(seen::Column::Day.lt(cutoff));
            let Some(oldest) = old.order_by_asc(seen::Column::Day).one(&self.db).await? else {
                return Ok(removed);
            };
            let last = tenant
                .find::<seen::Entity>()
                .filter(seen::Column::Day.eq(oldest.day))
                .order_by_asc(seen::Column::Event)
                .offset(IDS - 1)
                .limit(1)
                .one(&self.db)
                .await?;
            let mut portion = tenant.delete_many::<seen::Entity>().filter(seen::Column::Day.eq(oldest.day));
            if let Some(last) = last {
                portion = portion.filter(seen::Column::Event.lte(last.event));
            }
            removed += portion.exec(&self.db).await?.rows_affected;
        }
    }
}

/// The tenant that wrote a row. Names of callers from outside that are no names of tenants are kept in another form, which cannot be read back:
/// their rows stay.
fn of_row(name: &str) -> Option<Tenant> {
    let tenant = Tenant::named(name).ok();
    if tenant.is_none() {
        tracing::warn!(tenant = name, "rows of a tenant whose name is none are not removed");
    }
    tenant
}

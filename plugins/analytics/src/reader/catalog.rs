//! Which metrics a tenant has.

use std::collections::BTreeMap;

use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use wharf_sdk::Tenant;

use super::Reader;
use crate::domain::{Grain, MetricName};
use crate::error::{Error, Result};
use crate::tables::{late, name};

/// One metric.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metric {
    pub(crate) name: String,
    /// By what it can be asked for.
    pub(crate) dimensions: Vec<String>,
    /// In seconds since 1970.
    pub(crate) first_seen: i64,
    /// Records that came too late for buckets of a minute ...
    pub(crate) late_minutes: i64,
    /// ... and of an hour ...
    pub(crate) late_hours: i64,
    /// ... and those that are counted nowhere, since nobody can tell any more whether they were counted before.
    pub(crate) uncounted: i64,
}

impl Reader {
    /// Metrics in the order of their names, after one of them; and the name after which the next page begins.
    pub(crate) async fn metrics(&self, tenant: &Tenant, size: u64, after: Option<&str>) -> Result<(Vec<Metric>, Option<String>)> {
        if let Some(after) = after {
            MetricName::parse(after)?;
        }
        let mut page = tenant
            .find::<name::Entity>()
            .filter(name::Column::Dimension.eq(""))
            .filter(name::Column::Metric.gt(after.unwrap_or_default()))
            .order_by_asc(name::Column::Metric)
            .limit(size + 1)
            .all(&self.replica)
            .await?;
        let has_more = page.len() as u64 > size;
        page.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        let next = page.last().filter(|_| has_more).map(|row| row.metric.clone());
        let mut found: BTreeMap<String, Metric> = page.into_iter().map(begin).collect();
        self.add_dimensions(tenant, &mut found).await?;
        self.add_late(tenant, &mut found).await?;
        Ok((found.into_values().collect(), next))
    }

    /// The dimensions of a metric, in the order of their names.
    pub(super) async fn known(&self, tenant: &Tenant, metric: &str) -> Result<Vec<String>> {
        MetricName::parse(metric)?;
        let rows = tenant
            .find::<name::Entity>()
            .filter(name::Column::Metric.eq(metric))
            .order_by_asc(name::Column::Dimension)
            .all(&self.replica)
            .await?;
        if rows.is_empty() {
            return Err(Error::Metric(metric.to_owned()));
        }
        let names = rows.into_iter().map(|row| row.dimension);
        Ok(names.filter(|name| !name.is_empty()).collect())
    }

    async fn add_dimensions(&self, tenant: &Tenant, found: &mut BTreeMap<String, Metric>) -> Result<()> {
        let rows = tenant
            .find::<name::Entity>()
            .filter(name::Column::Metric.is_in(found.keys()))
            .filter(name::Column::Dimension.ne(""))
            .order_by_asc(name::Column::Dimension)
            .all(&self.replica)
            .await?;
        for row in rows {
            if let Some(metric) = found.get_mut(&row.metric) {
                metric.dimensions.push(row.dimension);
            }
        }
        Ok(())
    }

    async fn add_late(&self, tenant: &Tenant, found: &mut BTreeMap<String, Metric>) -> Result<()> {
        let rows = tenant
            .find::<late::Entity>()
            .filter(late::Column::Metric.is_in(found.keys()))
            .all(&self.replica)
            .await?;
        for row in rows {
            let Some(metric) = found.get_mut(&row.metric) else { continue };
            match Grain::of_number(row.grain) {
                Some(Grain::Minute) => metric.late_minutes = row.hits,
                Some(Grain::Hour) => metric.late_hours = row.hits,
                Some(Grain::Day) => metric.uncounted = row.hits,
                None => {}
            }
        }
        Ok(())
    }
}

fn begin(row: name::Model) -> (String, Metric) {
    let metric = Metric {
        name: row.metric.clone(),
        first_seen: row.first_seen,
        ..Metric::default()
    };
    (row.metric, metric)
}

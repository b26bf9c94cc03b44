//! Reading: series, top lists, totals, and what there is to read.

mod catalog;
mod rows;

use std::sync::Arc;

use futures_util::TryStreamExt;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, FromQueryResult, Order, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select, StreamTrait};
use tokio::sync::Semaphore;
use wharf_sdk::Tenant;
use wharf_sdk::services::database::Db;

use crate::config::Config;
use crate::domain::{Cover, DAY, Dimension, Grain, HOUR, Period, Plan, Point, Sums};
use crate::error::{Error, Result};
use crate::tables::bucket;

pub(crate) use catalog::Metric;
pub(crate) use rows::{Bucket, Buckets, Which};

/// Exports at a time: each holds a connection for as long as its client reads, and others want to read, too.
const EXPORTS: usize = 2;

/// Reads. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    replica: Db,
    config: Arc<Config>,
    exports: Arc<Semaphore>,
}

/// Which series.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) metric: String,
    pub(crate) from: Option<Timestamp>,
    pub(crate) to: Option<Timestamp>,
    /// None: all of the metric.
    pub(crate) dimension: Option<String>,
    pub(crate) value: Option<String>,
}

/// A series.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) period: Period,
    pub(crate) points: Vec<Point>,
}

/// What a top list is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum By {
    /// How many records.
    #[default]
    Count,
    /// What their values add up to.
    Sum,
}

/// Values of a dimension, those with the most first.
#[derive(Clone, Debug)]
pub(crate) struct Top {
    pub(crate) period: Period,
    pub(crate) dimension: String,
    pub(crate) values: Vec<(String, Sums)>,
}

#[derive(FromQueryResult)]
struct Ranked {
    value: String,
    hits: i64,
    total: f64,
}

#[derive(FromQueryResult)]
struct Sum {
    hits: i64,
    total: f64,
}

impl Reader {
    pub(crate) fn new(db: &Db, config: Arc<Config>) -> Self {
        Self {
            replica: db.replica(),
            config,
            exports: Arc::new(Semaphore::new(EXPORTS)),
        }
    }

    /// A series, with zeros where nothing happened.
    pub(crate) async fn series(&self, tenant: &Tenant, wanted: &Wanted, grain: Grain, zone: &TimeZone, now: i64) -> Result<Series> {
        let usual = match grain {
            Grain::Minute => HOUR,
            Grain::Hour => DAY,
            Grain::Day => 30 * DAY,
        };
        let asked = wanted.period(usual, now)?;
        let dimension = self.dimension(tenant, wanted).await?;
        let mut plan = Plan::new(asked, grain, zone, self.config.retention(), now)?;
        let buckets = of_metric(tenant, &wanted.metric)
            .filter(within(plan.source, plan.period))
            .filter(bucket::Column::Dimension.eq(dimension.name.as_str()))
            .filter(bucket::Column::Value.eq(dimension.value.as_str()))
            .select_only()
            .columns([bucket::Column::Begins, bucket::Column::Hits, bucket::Column::Total])
            .into_tuple::<(i64, i64, i64)>();
        // Minutes of a zone with half hours may be many: they are added as they come.
        let mut rows = std::pin::pin!(buckets.stream(&self.replica).await?);
        while let Some((begins, count, sum)) = rows.try_next().await? {
            plan.add(begins, Sums { count, sum });
        }
        Ok(Series {
            period: plan.period,
            points: plan.into_points(),
        })
    }

    /// The values of a dimension with the most; equal ones in the order of their names.
    pub(crate) async fn top(&self, tenant: &Tenant, wanted: &Wanted, n: u64, by: By, now: i64) -> Result<Top> {
        let cover = Cover::of(wanted.period(DAY, now)?, self.config.retention(), now);
        let dimension = self.only_dimension(tenant, wanted).await?;
        let by = match by {
            By::Count => hits(),
            By::Sum => total(),
        };
        let ranked: Vec<Ranked> = of_metric(tenant, &wanted.metric)
            .filter(covered(&cover))
            .filter(bucket::Column::Dimension.eq(dimension.as_str()))
            .select_only()
            .column(bucket::Column::Value)
            .column_as(hits(), "hits")
            .column_as(total(), "total")
            .group_by(bucket::Column::Value)
            .order_by(by, Order::Desc)
            .order_by_asc(bucket::Column::Value)
            .limit(n)
            .into_model()
            .all(&self.replica)
            .await?;
        let values = ranked.into_iter().map(|row| (row.value, sums(row.hits, row.total)));
        Ok(Top {
            period: cover.period,
            dimension,
            values: values.collect(),
        })
    }

    /// What happened in a period.
    pub(crate) async fn totals(&self, tenant: &Tenant, wanted: &Wanted, now: i64) -> Result<(Period, Sums)> {
        let cover = Cover::of(wanted.period(DAY, now)?, self.config.retention(), now);
        let dimension = self.dimension(tenant, wanted).await?;
        let sum: Option<Sum> = of_metric(tenant, &wanted.metric)
            .filter(covered(&cover))
            .filter(bucket::Column::Dimension.eq(dimension.name.as_str()))
            .filter(bucket::Column::Value.eq(dimension.value.as_str()))
            .select_only()
            .column_as(hits(), "hits")
            .column_as(total(), "total")
            .into_model()
            .one(&self.replica)
            .await?;
        Ok((cover.period, sum.map_or_else(Sums::default, |sum| sums(sum.hits, sum.total))))
    }

    /// The buckets of a metric, one after the other, however many there are.
    pub(crate) async fn export(&self, tenant: &Tenant, which: &Which) -> Result<Buckets> {
        self.known(tenant, &which.metric).await?;
        let permit = self.exports.clone().try_acquire_owned().map_err(|_| Error::Busy(EXPORTS))?;
        let rows = which.select(tenant);
        let statement = rows.build(StreamTrait::get_database_backend(&self.replica));
        Ok(Buckets::new(self.replica.stream_raw(statement).await?, permit))
    }

    /// A dimension with a value, or all of the metric.
    async fn dimension(&self, tenant: &Tenant, wanted: &Wanted) -> Result<Dimension> {
        let known = self.known(tenant, &wanted.metric).await?;
        match (&wanted.dimension, &wanted.value) {
            (None, None) => Ok(Dimension::default()),
            (Some(name), Some(value)) => {
                is_one_of(&wanted.metric, name, &known)?;
                Ok(Dimension::parse(name, value)?)
            }
            _ => Err(Error::Invalid("found one of dimension and value, expected both or none".to_owned())),
        }
    }

    /// The dimension that was asked for, or the only one there is.
    async fn only_dimension(&self, tenant: &Tenant, wanted: &Wanted) -> Result<String> {
        let mut known = self.known(tenant, &wanted.metric).await?;
        if let Some(name) = &wanted.dimension {
            is_one_of(&wanted.metric, name, &known)?;
            return Ok(name.clone());
        }
        match (known.pop(), known.is_empty()) {
            (Some(only), true) => Ok(only),
            (last, _) => {
                known.extend(last);
                Err(Error::Invalid(format!("found no dimension, expected one of {known:?}")))
            }
        }
    }
}

impl Wanted {
    /// The period that was asked for, or so many seconds before its end or now.
    fn period(&self, usual: i64, now: i64) -> Result<Period> {
        // A bucket of the last second is part of what was asked for, also when the end is said with a fraction.
        let to = self.to.map_or(now + 1, |to| to.as_second() + i64::from(to.subsec_nanosecond() > 0));
        let from = self.from.map_or_else(|| (to - usual).max(0), Timestamp::as_second);
        Ok(Period::new(from, to)?)
    }
}

fn is_one_of(metric: &str, name: &str, known: &[String]) -> Result<()> {
    Dimension::check_name(name)?;
    match known.iter().any(|known| known == name) {
        true => Ok(()),
        false => Err(Error::Dimension {
            metric: metric.to_owned(),
            found: name.to_owned(),
            expected: known.to_vec(),
        }),
    }
}

fn of_metric(tenant: &Tenant, metric: &str) -> Select<bucket::Entity> {
    tenant.find::<bucket::Entity>().filter(bucket::Column::Metric.eq(metric))
}

fn within(grain: Grain, period: Period) -> Condition {
    Condition::all()
        .add(bucket::Column::Grain.eq(grain.number()))
        .add(bucket::Column::Begins.gte(period.from))
        .add(bucket::Column::Begins.lt(period.to))
}

fn covered(cover: &Cover) -> Condition {
    let parts = cover.parts.iter();
    parts.fold(Condition::any(), |any, (grain, period)| any.add(within(*grain, *period)))
}

/// PostgreSQL adds whole numbers up to a decimal, so both are said: this one is exact ...
fn hits() -> Expr {
    Expr::cust("CAST(COALESCE(SUM(hits), 0) AS BIGINT)")
}

/// ... and this one cannot overflow, and is exact up to the limit of a sum.
fn total() -> Expr {
    Expr::cust("COALESCE(SUM(CAST(total AS DOUBLE PRECISION)), 0.0)")
}

fn sums(hits: i64, total: f64) -> Sums {
    // Casts of floats stop at the limits of the whole number.
    Sums::default().plus(Sums {
        count: hits,
        sum: total as i64,
    })
}

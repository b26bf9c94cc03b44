//! Reading over HTTP.

use std::sync::Arc;

use axum::extract::State;
use jiff::tz::TimeZone;
use wharf_sdk::extract::{Json, Query};
use wharf_sdk::{Problem, Result, Tenant};

use super::query::{PageQuery, SeriesQuery, TopQuery, TotalsQuery};
use super::schema::{MetricsBody, PointBody, Refused, SeriesBody, TopBody, TotalsBody, ends, time};
use crate::Analytics;
use crate::domain::Point;
use crate::error::Error;
use crate::reader::Wanted;

/// Items on a page, unless a request says otherwise, and at most.
const USUAL_PAGE: u64 = 50;
const LARGEST_PAGE: u64 = 200;
/// Values in a top list, unless a request says otherwise, and at most.
pub(crate) const USUAL_TOP: u64 = 10;
pub(crate) const LARGEST_TOP: u64 = 1000;

/// The metrics that were ever counted.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "analytics",
    operation_id = "analytics_metrics",
    params(PageQuery),
    responses((status = 200, description = "One page", body = MetricsBody), Refused)
)]
pub(crate) async fn metrics(
    tenant: Tenant,
    State(module): State<Arc<Analytics>>,
    Query(page): Query<PageQuery>,
) -> Result<Json<MetricsBody>> {
    let size = within("page_size", page.page_size.unwrap_or(USUAL_PAGE), LARGEST_PAGE)?;
    let after = page.page_token.as_deref().filter(|token| !token.is_empty());
    let (items, next) = module.reader.metrics(&tenant, size, after).await.map_err(Error::problem)?;
    Ok(Json(MetricsBody {
        items: items.into_iter().map(Into::into).collect(),
        next_page_token: next.unwrap_or_default(),
    }))
}

/// A series without gaps: where nothing happened there is a point with zeros.
#[utoipa::path(
    get,
    path = "/series",
    tag = "analytics",
    operation_id = "analytics_series",
    params(SeriesQuery),
    responses((status = 200, description = "At most 2000 points", body = SeriesBody), Refused)
)]
pub(crate) async fn series(
    tenant: Tenant,
    State(module): State<Arc<Analytics>>,
    Query(query): Query<SeriesQuery>,
) -> Result<Json<SeriesBody>> {
    let zone = zone(query.zone.as_deref().unwrap_or_default()).map_err(Error::problem)?;
    let wanted = Wanted {
        metric: query.metric,
        from: query.from,
        to: query.to,
        dimension: query.dimension,
        value: query.value,
    };
    let found = module.reader.series(&tenant, &wanted, query.grain.into(), &zone, now()).await;
    let found = found.map_err(Error::problem)?;
    let (from, to) = ends(found.period);
    Ok(Json(SeriesBody {
        metric: wanted.metric,
        grain: query.grain,
        zone: zone.iana_name().unwrap_or("UTC").to_owned(),
        from,
        to,
        points: found.points.into_iter().map(point).collect(),
    }))
}

/// The values of a dimension with the most in a period.
#[utoipa::path(
    get,
    path = "/top",
    tag = "analytics",
    operation_id = "analytics_top",
    params(TopQuery),
    responses((status = 200, description = "At most n values", body = TopBody), Refused)
)]
pub(crate) async fn top(tenant: Tenant, State(module): State<Arc<Analytics>>, Query(query): Query<TopQuery>) -> Result<Json<TopBody>> {
    let n = within("n", query.n.unwrap_or(USUAL_TOP), LARGEST_TOP)?;
    let wanted = Wanted {
        metric: query.metric,
        from: query.from,
        to: query.to,
        dimension: query.dimension,
        value: None,
    };
    let found = module
        .reader
        .top(&tenant, &wanted, n, query.by.into(), now())
        .await
        .map_err(Error::problem)?;
    let (from, to) = ends(found.period);
    Ok(Json(TopBody {
        metric: wanted.metric,
        dimension: found.dimension,
        from,
        to,
        items: found.values.into_iter().map(Into::into).collect(),
    }))
}

/// What happened in a period.
#[utoipa::path(
    get,
    path = "/totals",
    tag = "analytics",
    operation_id = "analytics_totals",
    params(TotalsQuery),
    responses((status = 200, description = "The totals", body = TotalsBody), Refused)
)]
pub(crate) async fn totals(
    tenant: Tenant,
    State(module): State<Arc<Analytics>>,
    Query(query): Query<TotalsQuery>,
) -> Result<Json<TotalsBody>> {
    let wanted = Wanted {
        metric: query.metric,
        from: query.from,
        to: query.to,
        dimension: query.dimension,
        value: query.value,
    };
    let (period, sums) = module.reader.totals(&tenant, &wanted, now()).await.map_err(Error::problem)?;
    let (from, to) = ends(period);
    Ok(Json(TotalsBody {
        metric: wanted.metric,
        from,
        to,
        count: sums.count,
        sum: sums.sum,
    }))
}

/// A zone by its IANA name; UTC when it has none.
pub(crate) fn zone(name: &str) -> crate::error::Result<TimeZone> {
    if name.is_empty() || name.eq_ignore_ascii_case("utc") {
        return Ok(TimeZone::UTC);
    }
    let shown: String = name.chars().take(64).collect();
    TimeZone::get(name).map_err(|_| Error::Invalid(format!("found zone {shown:?}, expected an IANA name such as Europe/Berlin")))
}

pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn within(name: &str, found: u64, most: u64) -> Result<u64> {
    match found {
        1.. if found <= most => Ok(found),
        _ => Err(Problem::bad_request(format!("found {name} {found}, expected 1 to {most}"))),
    }
}

fn point(point: Point) -> PointBody {
    PointBody {
        at: time(point.begins),
        date: point.date.map(|date| date.to_string()),
        count: point.sums.count,
        sum: point.sums.sum,
    }
}

//! Buckets one after the other: never more than a few hundred in memory, however many there are.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use sea_orm::{ColumnTrait, DbErr, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, Select};
use tokio::sync::OwnedSemaphorePermit;
use wharf_sdk::Tenant;
use wharf_sdk::services::database::RowStream;

use super::of_metric;
use crate::domain::Grain;
use crate::tables::bucket;

/// Which buckets.
#[derive(Clone, Debug)]
pub(crate) struct Which {
    pub(crate) metric: String,
    pub(crate) grain: Grain,
    /// In seconds since 1970; none: the oldest ones kept.
    pub(crate) from: Option<i64>,
    /// Not in it; none: to the end.
    pub(crate) to: Option<i64>,
    /// None: the totals and every dimension.
    pub(crate) dimension: Option<String>,
}

/// One bucket.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub(crate) struct Bucket {
    pub(crate) begins: i64,
    pub(crate) dimension: String,
    pub(crate) hits: i64,
    pub(crate) total: i64,
    pub(crate) value: String,
}

/// Buckets as the database gives them. They are fetched as they are read, so a slow reader slows the database down.
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub(crate) struct Buckets {
    rows: RowStream,
    _permit: OwnedSemaphorePermit,
}

impl Which {
    /// In the order of the table's key, so that the database sorts nothing.
    pub(super) fn select(&self, tenant: &Tenant) -> Select<bucket::Entity> {
        use bucket::Column::{Begins, Dimension, Grain, Hits, Total, Value};
        let mut select = of_metric(tenant, &self.metric).filter(Grain.eq(self.grain.number()));
        if let Some(from) = self.from {
            select = select.filter(Begins.gte(self.grain.floor(from)));
        }
        if let Some(to) = self.to {
            select = select.filter(Begins.lt(to));
        }
        if let Some(dimension) = &self.dimension {
            select = select.filter(Dimension.eq(dimension.as_str()));
        }
        select
            .select_only()
            .columns([Begins, Dimension, Hits, Total, Value])
            .order_by_asc(Dimension)
            .order_by_asc(Begins)
            .order_by_asc(Value)
    }
}

impl Buckets {
    pub(super) fn new(rows: RowStream, permit: OwnedSemaphorePermit) -> Self {
        Self { rows, _permit: permit }
    }
}

impl Stream for Buckets {
    type Item = Result<Bucket, DbErr>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let row = ready!(Pin::new(&mut self.rows).poll_next(cx));
        Poll::Ready(row.map(|row| row.and_then(|row| Bucket::from_query_result(&row, ""))))
    }
}

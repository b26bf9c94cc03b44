//! The gRPC service: it translates.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt};
use jiff::Timestamp;
use tonic::{Request, Response, Status, Streaming};
use wharf_proto::analytics::v1 as pb;
use wharf_proto::analytics::v1::analytics_server::{self, AnalyticsServer};
use wharf_sdk::{Grpc, Tenant};

use crate::Analytics;
use crate::domain::{Dimension, Grain, Point};
use crate::error::{Error, Result};
use crate::http::{LARGEST_TOP, USUAL_TOP, now, zone};
use crate::intake::NewEvent;
use crate::reader::{Bucket, By, Wanted, Which};
use crate::recorder::Outcome;

type Answer<T> = Result<Response<T>, Status>;

/// Events that are kept at a time.
const PORTION: usize = 200;

pub(crate) fn services(analytics: &Arc<Analytics>) -> Grpc {
    Grpc::new().serve(AnalyticsServer::from_arc(analytics.clone()))
}

#[tonic::async_trait]
impl analytics_server::Analytics for Analytics {
    type ExportStream = Pin<Box<dyn Stream<Item = Result<pb::ExportResponse, Status>> + Send>>;

    async fn query(&self, request: Request<pb::QueryRequest>) -> Answer<pb::QueryResponse> {
        let asked = request.into_inner();
        let (grain, zone) = (grain(asked.grain())?, zone(&asked.zone)?);
        let wanted = Wanted {
            metric: asked.metric,
            from: from_timestamp(asked.from)?,
            to: from_timestamp(asked.to)?,
            dimension: Some(asked.dimension).filter(|name| !name.is_empty()),
            value: Some(asked.value).filter(|value| !value.is_empty()),
        };
        let found = self.reader.series(&Tenant::current(), &wanted, grain, &zone, now()).await?;
        Ok(Response::new(pb::QueryResponse {
            from: timestamp(found.period.from),
            to: timestamp(found.period.to),
            points: found.points.into_iter().map(point).collect(),
        }))
    }

    async fn top(&self, request: Request<pb::TopRequest>) -> Answer<pb::TopResponse> {
        let asked = request.into_inner();
        let by = match asked.order() {
            pb::Order::Unspecified | pb::Order::Count => By::Count,
            pb::Order::Sum => By::Sum,
        };
        let n = match u64::from(asked.n) {
            0 => USUAL_TOP,
            n if n <= LARGEST_TOP => n,
            n => return Err(Status::invalid_argument(format!("found n {n}, expected at most {LARGEST_TOP}"))),
        };
        let wanted = Wanted {
            metric: asked.metric,
            from: from_timestamp(asked.from)?,
            to: from_timestamp(asked.to)?,
            dimension: Some(asked.dimension).filter(|name| !name.is_empty()),
            value: None,
        };
        let found = self.reader.top(&Tenant::current(), &wanted, n, by, now()).await?;
        let ranked = found.values.into_iter().map(|(value, sums)| pb::Ranked {
            value,
            count: sums.count,
            sum: sums.sum,
        });
        Ok(Response::new(pb::TopResponse {
            from: timestamp(found.period.from),
            to: timestamp(found.period.to),
            dimension: found.dimension,
            values: ranked.collect(),
        }))
    }

    async fn record(&self, request: Request<Streaming<pb::RecordRequest>>) -> Answer<pb::RecordResponse> {
        let tenant = Tenant::current();
        let mut events = request.into_inner();
        let (mut kept, mut done) = (Outcome::default(), 0);
        loop {
            let portion = portion(&mut events, done).await?;
            if portion.is_empty() {
                break;
            }
            let outcome = self.record(&tenant, &portion).await.map_err(|error| at(error, done))?;
            kept = kept.plus(outcome);
            done += portion.len();
        }
        Ok(Response::new(pb::RecordResponse {
            recorded: kept.recorded,
            duplicates: kept.duplicates,
            late: kept.late,
        }))
    }

    async fn export(&self, request: Request<pb::ExportRequest>) -> Answer<Self::ExportStream> {
        let asked = request.into_inner();
        let dimension = Some(asked.dimension.clone()).filter(|name| !name.is_empty());
        if let Some(name) = &dimension {
            Dimension::check_name(name).map_err(Error::from)?;
        }
        let which = Which {
            grain: grain(asked.grain())?,
            metric: asked.metric,
            from: from_timestamp(asked.from)?.map(Timestamp::as_second),
            to: from_timestamp(asked.to)?.map(Timestamp::as_second),
            dimension,
        };
        let buckets = self.reader.export(&Tenant::current(), &which).await?;
        let rows = buckets.map(|bucket| bucket.map(exported).map_err(|error| Error::from(error).into()));
        Ok(Response::new(Box::pin(rows)))
    }
}

/// The next events of a client, and fewer when it has no more.
async fn portion(events: &mut Streaming<pb::RecordRequest>, done: usize) -> Result<Vec<NewEvent>, Status> {
    let mut portion = Vec::new();
    while portion.len() < PORTION
        && let Some(event) = events.message().await?
    {
        let index = done + portion.len();
        portion.push(new_event(event).map_err(|why| Error::Event {
            index,
            why: why.to_string(),
        })?);
    }
    Ok(portion)
}

/// Says which event of the whole stream it was.
fn at(error: Error, done: usize) -> Error {
    match error {
        Error::Event { index, why } => Error::Event { index: index + done, why },
        other => other,
    }
}

fn new_event(event: pb::RecordRequest) -> Result<NewEvent> {
    Ok(NewEvent {
        metric: event.metric,
        at: from_timestamp(event.at)?,
        value: event.value,
        dimensions: event.dimensions.into_iter().collect(),
        id: Some(event.id).filter(|id| !id.is_empty()),
    })
}

fn grain(grain: pb::Grain) -> Result<Grain, Status> {
    match grain {
        pb::Grain::Minute => Ok(Grain::Minute),
        pb::Grain::Unspecified | pb::Grain::Hour => Ok(Grain::Hour),
        pb::Grain::Day => Ok(Grain::Day),
    }
}

fn point(point: Point) -> pb::Point {
    pb::Point {
        at: timestamp(point.begins),
        date: point.date.map(|date| date.to_string()).unwrap_or_default(),
        count: point.sums.count,
        sum: point.sums.sum,
    }
}

fn exported(bucket: Bucket) -> pb::ExportResponse {
    pb::ExportResponse {
        at: timestamp(bucket.begins),
        dimension: bucket.dimension,
        value: bucket.value,
        count: bucket.hits,
        sum: bucket.total,
    }
}

fn timestamp(seconds: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds, nanos: 0 })
}

fn from_timestamp(at: Option<prost_types::Timestamp>) -> Result<Option<Timestamp>> {
    let Some(at) = at else { return Ok(None) };
    match Timestamp::new(at.seconds, at.nanos) {
        Ok(at) => Ok(Some(at)),
        Err(_) => Err(Error::Invalid(format!(
            "found a time of {} seconds, expected one up to the year 9999",
            at.seconds
        ))),
    }
}

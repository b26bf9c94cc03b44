//! Buckets as CSV (RFC 4180), written as the client reads.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, TryStreamExt};
use wharf_sdk::extract::Query;
use wharf_sdk::{Result, Tenant};

use super::query::ExportQuery;
use super::schema::{Refused, time};
use crate::Analytics;
use crate::domain::{Dimension, Grain};
use crate::error::Error;
use crate::reader::{Bucket, Buckets, Which};

/// Bytes that are written before they are sent.
const CHUNK: usize = 16 << 10;
const HEADER: [&str; 7] = ["at", "grain", "metric", "dimension", "value", "count", "sum"];

type Broken = Box<dyn std::error::Error + Send + Sync>;

/// What is left to be written.
struct Left {
    /// None: the end was written.
    buckets: Option<Buckets>,
    grain: Grain,
    metric: String,
    has_begun: bool,
}

/// Buckets as they are kept, in the order of dimension, time and value. It streams: there is no limit, and it breaks off if the database
/// fails on the way.
#[utoipa::path(
    get,
    path = "/export.csv",
    tag = "analytics",
    operation_id = "analytics_export",
    params(ExportQuery),
    responses(
        (status = 200, description = "Columns at, grain, metric, dimension, value, count, sum", body = String, content_type = "text/csv"),
        Refused
    )
)]
pub(crate) async fn export(tenant: Tenant, State(module): State<Arc<Analytics>>, Query(query): Query<ExportQuery>) -> Result<Response> {
    let which = which(query).map_err(Error::problem)?;
    let buckets = module.reader.export(&tenant, &which).await.map_err(Error::problem)?;
    let name = format!("attachment; filename=\"{}-{}.csv\"", which.metric, which.grain.name());
    let kind = "text/csv; charset=utf-8; header=present".to_owned();
    let body = Body::from_stream(csv(buckets, which.grain, which.metric));
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], body).into_response())
}

fn which(query: ExportQuery) -> crate::error::Result<Which> {
    if let Some(dimension) = &query.dimension {
        Dimension::check_name(dimension)?;
    }
    Ok(Which {
        metric: query.metric,
        grain: query.grain.into(),
        from: query.from.map(jiff::Timestamp::as_second),
        to: query.to.map(jiff::Timestamp::as_second),
        dimension: query.dimension,
    })
}

/// Nothing is read before somebody asks for it, and never more than a chunk is kept.
fn csv(buckets: Buckets, grain: Grain, metric: String) -> impl Stream<Item = Result<Bytes, Broken>> + Send + 'static {
    let left = Left {
        buckets: Some(buckets),
        grain,
        metric,
        has_begun: false,
    };
    let chunks = futures_util::stream::try_unfold(left, |mut left| async move {
        let chunk = left.chunk().await?;
        Ok((!chunk.is_empty()).then_some((Bytes::from(chunk), left)))
    });
    chunks.inspect_err(|error: &Broken| tracing::error!(error = %error, "an export broke off"))
}

impl Left {
    async fn chunk(&mut self) -> Result<Vec<u8>, Broken> {
        let mut rows = csv::Writer::from_writer(Vec::with_capacity(CHUNK + 512));
        if !std::mem::replace(&mut self.has_begun, true) {
            rows.write_record(HEADER)?;
        }
        while let Some(buckets) = &mut self.buckets {
            let Some(bucket) = buckets.try_next().await? else {
                self.buckets = None;
                break;
            };
            write(&mut rows, self.grain, &self.metric, &bucket)?;
            // The writer has a buffer of its own, so this may be late by as much.
            if rows.get_ref().len() >= CHUNK {
                break;
            }
        }
        Ok(rows.into_inner()?)
    }
}

fn write(rows: &mut csv::Writer<Vec<u8>>, grain: Grain, metric: &str, bucket: &Bucket) -> csv::Result<()> {
    rows.write_record([
        time(bucket.begins).to_string().as_str(),
        grain.name(),
        metric,
        &bucket.dimension,
        &harmless(&bucket.value),
        &bucket.hits.to_string(),
        &bucket.total.to_string(),
    ])
}

/// A value that a spreadsheet would take for a formula gets an apostrophe in front: values may come from anybody.
fn harmless(value: &str) -> String {
    match value.starts_with(['=', '+', '-', '@']) {
        true => format!("'{value}"),
        false => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_quotes_has_them_and_formulas_are_none() {
        let mut rows = csv::Writer::from_writer(Vec::new());
        for value in ["plain", "a,\"b\"", "=1+1", "-2", "@x"] {
            let bucket = Bucket {
                begins: 60,
                dimension: "path".to_owned(),
                value: value.to_owned(),
                hits: 1,
                total: -2,
            };
            write(&mut rows, Grain::Minute, "page.viewed", &bucket).unwrap();
        }
        let text = String::from_utf8(rows.into_inner().unwrap()).unwrap();
        let values: Vec<&str> = text
            .lines()
            .map(|line| line.trim_start_matches("1970-01-01T00:01:00Z,minute,page.viewed,path,"))
            .collect();
        assert_eq!(values, ["plain,1,-2", "\"a,\"\"b\"\"\",1,-2", "'=1+1,1,-2", "'-2,1,-2", "'@x,1,-2"]);
    }
}

//! The routes, below `/analytics`: they translate, and check what only HTTP has.

mod csv;
mod query;
mod read;
mod schema;
mod write;

use utoipa::OpenApi as _;
use wharf_sdk::{OpenApi, Routes, get, post};

use crate::Analytics;

pub(crate) use read::{LARGEST_TOP, USUAL_TOP, now, zone};

/// Permission to read.
const READ: &str = "analytics.series.read";
/// Permission to record custom metrics.
const WRITE: &str = "analytics.event.write";
/// Rate class of what is recorded.
const WRITES: &str = "analytics-write";
/// Rate class of exports.
const EXPORTS: &str = "analytics-export";

pub(crate) fn routes() -> Routes<Analytics> {
    Routes::new()
        .route("/metrics", get(read::metrics))
        .require(READ)
        .route("/series", get(read::series))
        .require(READ)
        .route("/top", get(read::top))
        .require(READ)
        .route("/totals", get(read::totals))
        .require(READ)
        .route("/export.csv", get(csv::export))
        .require(READ)
        .rate_class(EXPORTS)
        .route("/events", post(write::record))
        .require(WRITE)
        .rate_class(WRITES)
        .route("/events/batch", post(write::record_batch))
        .require(WRITE)
        .rate_class(WRITES)
        // Whether it must be known who calls is a matter of configuration, so it is asked in the handler.
        .route("/views", post(write::view))
        .public()
        .rate_class(WRITES)
}

/// What they take and give.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "analytics", description = "Counts what happens elsewhere, by minute, hour and day"),
    paths(
        read::metrics,
        read::series,
        read::top,
        read::totals,
        csv::export,
        write::record,
        write::record_batch,
        write::view
    )
)]
struct Document;

pub(crate) fn openapi() -> OpenApi {
    OpenApi::of(&Document::openapi())
}

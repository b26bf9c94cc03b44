//! The routes of the admin API for traces.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

use super::problem::Problem;
use crate::ports::traces::{RecentTraces, TraceRow, TraceTree};

/// Traces in an answer, unless the question says otherwise.
const SOME: usize = 50;

type Reply<T> = Result<Json<T>, Problem>;
type Recent = Option<Arc<RecentTraces>>;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Which {
    module: Option<String>,
    limit: Option<usize>,
}

/// Routes below `/admin/v1`, to be merged with those of the host. Without a memory of traces they say so.
pub fn traces_router(recent: Option<Arc<RecentTraces>>) -> Router {
    let routes = Router::new()
        .route("/traces", get(list))
        .route("/traces/{id}", get(show))
        .with_state(recent);
    Router::new().nest("/admin/v1", routes)
}

async fn list(State(recent): State<Recent>, query: Result<Query<Which>, QueryRejection>) -> Reply<Vec<TraceRow>> {
    let Query(which) = query.map_err(|e| Problem::new("request.query", e.body_text(), "keys are module and limit"))?;
    let recent = recent.ok_or_else(off)?;
    Ok(Json(recent.list(which.module.as_deref(), which.limit.unwrap_or(SOME))))
}

async fn show(State(recent): State<Recent>, Path(id): Path<String>) -> Reply<TraceTree> {
    let recent = recent.ok_or_else(off)?;
    let found = recent.find(&id);
    Ok(Json(found.ok_or_else(|| {
        Problem::new(
            "trace.unknown",
            format!("found no trace {id:?} in memory, expected the trace.id or request.id of a line of the log"),
            "old traces go when new ones come, and `tracing.sample` says which are recorded; `wharf traces list` shows those there are",
        )
    })?))
}

fn off() -> Problem {
    Problem::new(
        "tracing.off",
        "this host keeps no traces: tracing.recent is 0",
        "set tracing.recent, such as WHARF_TRACING__RECENT=200, and start the host again; `serve --dev` keeps 200",
    )
}

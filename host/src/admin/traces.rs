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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt as _;

    use super::*;
    use crate::ports::traces::SpanKind;
    use crate::telemetry::Tracer;

    async fn ask(router: &Router, path: &str) -> (u16, serde_json::Value) {
        let request = Request::get(format!("/admin/v1{path}")).body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn traces_are_listed_and_shown_and_a_host_without_says_so() {
        let recent = Arc::new(RecentTraces::new(4));
        let tracer = Tracer::new(1.0, vec![recent.clone()]);
        let span = tracer.span(&tracer.begin(), SpanKind::Server, "GET /x").of("blog", 1);
        drop(span.with("wharf.request.id", "r-1"));
        let router = traces_router(Some(recent));
        let (status, rows) = ask(&router, "/traces?module=blog&limit=1").await;
        assert_eq!((status, rows.pointer("/0/name")), (200, Some(&"GET /x".into())));
        assert_eq!(ask(&router, "/traces?module=billing").await.1, serde_json::json!([]));
        let id = rows.pointer("/0/trace_id").and_then(serde_json::Value::as_str).unwrap();
        for known in [id, "r-1"] {
            let (status, tree) = ask(&router, &format!("/traces/{known}")).await;
            assert_eq!((status, tree.pointer("/spans/0/module")), (200, Some(&"blog".into())), "{known}");
        }
        let code = |answer: &serde_json::Value| answer.get("code").cloned();
        for (path, status, expected) in [("/traces/none", 404, "trace.unknown"), ("/traces?page=1", 400, "request.query")] {
            let (found, problem) = ask(&router, path).await;
            assert_eq!((found, code(&problem)), (status, Some(expected.into())), "{path}");
        }
        let off = traces_router(None);
        for path in ["/traces", "/traces/r-1"] {
            let (found, problem) = ask(&off, path).await;
            assert_eq!((found, code(&problem)), (409, Some("tracing.off".into())), "{path}");
        }
    }
}

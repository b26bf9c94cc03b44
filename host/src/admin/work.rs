//! The routes of the admin API for events and jobs.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use crate::events::{DeliveryRow, EventRow, ReplayProgress, SchemaRow, SubscriptionRow};
use crate::jobs::{JobError, JobRow, RunRow};
use crate::ports::database::DbError;
use crate::queue::{Filter, State as ItemState};
use crate::services::Work;

type Reply<T> = Result<Json<T>, Problem>;

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    /// How many deliveries.
    pub count: u64,
}

/// A run that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Asked {
    /// Its id.
    pub run: String,
}

/// Body of a replay: `next` of the answer goes into the next request, until it is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReplayRequest {
    /// Only events published since.
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// Only this event.
    pub event: Option<String>,
    /// The answer to the request before.
    pub progress: Option<ReplayProgress>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Which {
    module: Option<String>,
    subscription: Option<String>,
    state: Option<ItemState>,
    id: Option<String>,
    #[serde(rename = "type")]
    event_type: Option<String>,
    job: Option<String>,
    limit: usize,
}

/// Routes below `/admin/v1`, to be merged with those of the host.
pub fn work_router(work: Work) -> Router {
    let routes = Router::new()
        .route("/events/deliveries", get(deliveries))
        .route("/events/published", get(published))
        .route("/events/subscriptions", get(subscriptions))
        .route("/events/schemas", get(schemas))
        .route("/events/retry", post(retry))
        .route("/events/purge", post(purge))
        .route("/events/replay/{module}/{subscription}", put(replay))
        .route("/jobs", get(jobs))
        .route("/jobs/history", get(history))
        .route("/jobs/{module}/{job}/run", put(run))
        .route("/jobs/{module}/{job}/pause", post(pause))
        .route("/jobs/{module}/{job}/resume", post(resume))
        .with_state(work);
    Router::new().nest("/admin/v1", routes)
}

#[allow(clippy::result_large_err, reason = "made once for a wrong request")]
fn which(query: Result<Query<Which>, QueryRejection>) -> Result<Which, Problem> {
    let keys = "keys are module, subscription, state, id, type, job and limit";
    query
        .map(|Query(which)| which)
        .map_err(|e| Problem::new("request.query", e.body_text(), keys))
}

impl Which {
    fn filter(&self) -> Filter {
        Filter {
            name: self.subscription.clone(),
            state: self.state,
            id: self.id.clone(),
            limit: self.limit,
            ..Filter::default()
        }
    }
}

fn away(error: &DbError) -> Problem {
    Problem::new("database.unavailable", error.to_string(), "`wharf db status` says more")
}

fn refused(error: &JobError) -> Problem {
    match error {
        JobError::Unknown { .. } => Problem::new(
            "job.unknown",
            error.to_string(),
            "`wharf jobs list` shows the jobs of modules that run here",
        ),
        JobError::Payload { .. } => Problem::new("request.body", error.to_string(), "send JSON"),
        JobError::Database(error) => away(error),
    }
}

async fn deliveries(State(work): State<Work>, query: Result<Query<Which>, QueryRejection>) -> Reply<Vec<DeliveryRow>> {
    let which = which(query)?;
    let rows = work.events.deliveries(which.module.as_deref(), &which.filter()).await;
    Ok(Json(rows.map_err(|e| away(&e))?))
}

async fn published(State(work): State<Work>, query: Result<Query<Which>, QueryRejection>) -> Reply<Vec<EventRow>> {
    let which = which(query)?;
    let rows = work
        .events
        .published(
            which.module.as_deref(),
            which.event_type.as_deref(),
            which.id.as_deref(),
            which.limit,
        )
        .await;
    Ok(Json(rows.map_err(|e| away(&e))?))
}

async fn subscriptions(State(work): State<Work>) -> Reply<Vec<SubscriptionRow>> {
    Ok(Json(work.events.subscriptions().await.map_err(|e| away(&e))?))
}

async fn schemas(State(work): State<Work>, query: Result<Query<Which>, QueryRejection>) -> Reply<Vec<SchemaRow>> {
    let which = which(query)?;
    Ok(Json(work.events.schemas(which.event_type.as_deref()).await.map_err(|e| away(&e))?))
}

async fn retry(State(work): State<Work>, query: Result<Query<Which>, QueryRejection>) -> Reply<Changed> {
    let which = which(query)?;
    tracing::info!(
        module.id = which.module,
        subscription = which.subscription,
        "retry of dead letters asked for over the admin API"
    );
    let count = work
        .events
        .retry(which.module.as_deref(), &which.filter())
        .await
        .map_err(|e| away(&e))?;
    Ok(Json(Changed { count }))
}

async fn purge(State(work): State<Work>, query: Result<Query<Which>, QueryRejection>) -> Reply<Changed> {
    let which = which(query)?;
    if which.module.is_none() && which.id.is_none() {
        return Err(Problem::new(
            "request.query",
            "found neither module nor id",
            "say which deliveries are to be deleted",
        ));
    }
    tracing::warn!(
        module.id = which.module,
        subscription = which.subscription,
        "purge of deliveries asked for over the admin API"
    );
    let count = work
        .events
        .purge(which.module.as_deref(), &which.filter())
        .await
        .map_err(|e| away(&e))?;
    Ok(Json(Changed { count }))
}

async fn replay(
    State(work): State<Work>,
    Path((module, subscription)): Path<(String, String)>,
    body: Result<Json<ReplayRequest>, JsonRejection>,
) -> Reply<ReplayProgress> {
    let Json(asked) = body.map_err(|e| Problem::new("request.body", e.body_text(), "send {}, or {\"since\": \"2026-01-31T00:00:00Z\"}"))?;
    let all = work.events.subscriptions().await.map_err(|e| away(&e))?;
    let known = all.iter().find(|row| row.module == module && row.subscription == subscription);
    let Some(to) = known else {
        let text = format!("found no subscription {subscription:?} of module {module:?}");
        return Err(Problem::new(
            "subscription.unknown",
            text,
            "`wharf events subscriptions` shows those there are",
        ));
    };
    if asked.progress.is_none() {
        tracing::warn!(module.id = module, subscription, "replay asked for over the admin API");
    }
    let since = asked.since.map(|since| since.as_millisecond());
    let progress = work.events.replay(to, since, asked.event.as_deref(), asked.progress).await;
    Ok(Json(progress.map_err(|e| away(&e))?))
}

async fn jobs(State(work): State<Work>) -> Reply<Vec<JobRow>> {
    Ok(Json(work.jobs.list().await.map_err(|e| away(&e))?))
}

async fn history(State(work): State<Work>, query: Result<Query<Which>, QueryRejection>) -> Reply<Vec<RunRow>> {
    let which = which(query)?;
    let rows = work.jobs.history(which.module.as_deref(), which.job.as_deref(), which.limit).await;
    Ok(Json(rows.map_err(|e| away(&e))?))
}

async fn run(
    State(work): State<Work>,
    Path((module, job)): Path<(String, String)>,
    body: Result<Json<serde_json::Value>, JsonRejection>,
) -> Reply<Asked> {
    let Json(payload) = body.map_err(|e| Problem::new("request.body", e.body_text(), "send the payload as JSON, null for none"))?;
    tracing::info!(module.id = module, job, "run of a job asked for over the admin API");
    let payload = if payload.is_null() {
        Vec::new()
    } else {
        payload.to_string().into_bytes()
    };
    let run = work.jobs.run_now(&module, &job, payload).await.map_err(|e| refused(&e))?;
    Ok(Json(Asked { run }))
}

async fn pause(work: State<Work>, path: Path<(String, String)>) -> Reply<Vec<JobRow>> {
    set_paused(work, path, true).await
}

async fn resume(work: State<Work>, path: Path<(String, String)>) -> Reply<Vec<JobRow>> {
    set_paused(work, path, false).await
}

async fn set_paused(State(work): State<Work>, Path((module, job)): Path<(String, String)>, is_paused: bool) -> Reply<Vec<JobRow>> {
    tracing::info!(
        module.id = module,
        job,
        paused = is_paused,
        "change of a schedule asked for over the admin API"
    );
    work.jobs.pause(&module, &job, is_paused).await.map_err(|e| refused(&e))?;
    let mut rows = work.jobs.list().await.map_err(|e| away(&e))?;
    rows.retain(|row| row.module == module && row.job == job);
    Ok(Json(rows))
}

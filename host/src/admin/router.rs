//! The routes of the admin API.

use std::fmt;
use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use crate::config::Setting;
use crate::domain::migration::MigrationRow;
use crate::domain::status::{HostStatus, ModuleStatus};
use crate::modules::control::{Control, PinnedBuild, Plan, RouteRow};
use crate::ports::database::SpaceStatus;
use crate::security::{SourceStatus, Standing};
use crate::telemetry::LogControl;

/// What the API is made over.
#[derive(Clone)]
pub struct AdminParts {
    /// The running host.
    pub control: Arc<dyn Control>,
    /// Its log levels, to be shown; they are set through `control`.
    pub log: LogControl,
    /// The settings in force, secrets hidden.
    pub settings: Arc<dyn Fn() -> Vec<Setting> + Send + Sync>,
    /// How old what it knows of callers is.
    pub security: Arc<dyn Fn() -> Vec<SourceStatus> + Send + Sync>,
}

/// Body of `GET` and `PUT /admin/v1/log`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogDirectives {
    /// `info,blog=debug`; `reset` goes back to the configured ones.
    pub directives: String,
}

/// One line of `GET /admin/v1/security`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecuritySource {
    /// `keys`, `revocations` or `policy`.
    pub source: String,
    /// Core module it comes from.
    pub module: String,
    /// Whether it counts now.
    pub fresh: bool,
    /// Seconds since it was heard of; none if it never was.
    pub age_seconds: Option<u64>,
    /// The same in a sentence.
    pub text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Disable {
    #[serde(default)]
    force: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Migrate {
    #[serde(default)]
    module: Option<String>,
}

type Reply<T> = Result<Json<T>, Problem>;

/// All routes, below `/admin/v1`. There is no authentication here: the caller decides where it listens.
pub fn router(parts: AdminParts) -> Router {
    let routes = Router::new()
        .route("/status", get(status))
        .route("/modules", get(modules))
        .route("/modules/{id}", get(module))
        .route("/modules/{id}/enable", post(enable))
        .route("/modules/{id}/disable", post(disable))
        .route("/modules/{id}/pin", put(pin))
        .route("/modules/{id}/reload", post(reload))
        .route("/plan", get(plan))
        .route("/routes", get(routes))
        .route("/migrations", get(migrations))
        .route("/migrations/up", post(migrate))
        .route("/databases", get(databases))
        .route("/rescan", post(rescan))
        .route("/security", get(security))
        .route("/log", get(log).put(set_log))
        .route("/config/explain", get(explain))
        .with_state(parts);
    Router::new()
        .nest("/admin/v1", routes)
        .fallback(no_path)
        .method_not_allowed_fallback(no_method)
}

async fn status(State(parts): State<AdminParts>) -> Reply<HostStatus> {
    Ok(Json(parts.control.status().await?))
}

async fn modules(State(parts): State<AdminParts>) -> Reply<Vec<ModuleStatus>> {
    Ok(Json(parts.control.status().await?.modules))
}

async fn module(State(parts): State<AdminParts>, Path(id): Path<String>) -> Reply<ModuleStatus> {
    Ok(Json(parts.control.module(&id).await?))
}

async fn enable(State(parts): State<AdminParts>, Path(id): Path<String>) -> Reply<ModuleStatus> {
    tracing::info!(module.id = id, "enable asked for over the admin API");
    Ok(Json(parts.control.enable(&id).await?))
}

async fn disable(
    State(parts): State<AdminParts>,
    Path(id): Path<String>,
    query: Result<Query<Disable>, QueryRejection>,
) -> Reply<ModuleStatus> {
    let Query(Disable { force }) =
        query.map_err(|e| Problem::new("request.query", e.body_text(), "the only key is force=true or force=false"))?;
    tracing::info!(module.id = id, force, "disable asked for over the admin API");
    Ok(Json(parts.control.disable(&id, force).await?))
}

async fn pin(
    State(parts): State<AdminParts>,
    Path(id): Path<String>,
    body: Result<Json<PinnedBuild>, JsonRejection>,
) -> Reply<ModuleStatus> {
    let Json(pin) = body.map_err(|e| {
        Problem::new(
            "request.body",
            e.body_text(),
            "send {\"version\": \"1.2.0\"}, or {} to let any build",
        )
    })?;
    tracing::info!(
        module.id = id,
        version = pin.version,
        hash = pin.hash,
        "pin asked for over the admin API"
    );
    Ok(Json(parts.control.pin(&id, pin).await?))
}

async fn reload(State(parts): State<AdminParts>, Path(id): Path<String>) -> Reply<ModuleStatus> {
    tracing::info!(module.id = id, "reload asked for over the admin API");
    Ok(Json(parts.control.reload(&id).await?))
}

async fn plan(State(parts): State<AdminParts>) -> Reply<Plan> {
    Ok(Json(parts.control.plan().await?))
}

async fn routes(State(parts): State<AdminParts>) -> Reply<Vec<RouteRow>> {
    Ok(Json(parts.control.routes().await?))
}

async fn migrations(State(parts): State<AdminParts>) -> Reply<Vec<MigrationRow>> {
    Ok(Json(parts.control.migrations().await?))
}

async fn migrate(State(parts): State<AdminParts>, query: Result<Query<Migrate>, QueryRejection>) -> Reply<Vec<MigrationRow>> {
    let Query(Migrate { module }) = query.map_err(|e| Problem::new("request.query", e.body_text(), "the only key is module=ID"))?;
    tracing::info!(module.id = module, "migrations asked for over the admin API");
    Ok(Json(parts.control.migrate(module.as_deref()).await?))
}

async fn databases(State(parts): State<AdminParts>) -> Reply<Vec<SpaceStatus>> {
    Ok(Json(parts.control.databases().await?))
}

async fn rescan(State(parts): State<AdminParts>) -> Reply<Plan> {
    tracing::info!("rescan asked for over the admin API");
    Ok(Json(parts.control.rescan().await?))
}

async fn log(State(parts): State<AdminParts>) -> Reply<LogDirectives> {
    Ok(Json(LogDirectives {
        directives: parts.log.current(),
    }))
}

async fn set_log(State(parts): State<AdminParts>, body: Result<Json<LogDirectives>, JsonRejection>) -> Reply<LogDirectives> {
    let Json(asked) = body.map_err(|e| Problem::new("request.body", e.body_text(), "send {\"directives\": \"info,blog=debug\"}"))?;
    let directives = parts.control.set_log(&asked.directives).await?;
    tracing::info!(directives, "log levels changed over the admin API");
    Ok(Json(LogDirectives { directives }))
}

async fn explain(State(parts): State<AdminParts>) -> Reply<Vec<Setting>> {
    Ok(Json((parts.settings)()))
}

async fn security(State(parts): State<AdminParts>) -> Reply<Vec<SecuritySource>> {
    let row = |status: SourceStatus| SecuritySource {
        source: status.source.name().to_owned(),
        module: status.source.module().to_owned(),
        fresh: status.standing == Standing::Fresh,
        age_seconds: status.age.map(|age| age.as_secs()),
        text: status.to_string(),
    };
    Ok(Json((parts.security)().into_iter().map(row).collect()))
}

async fn no_path(uri: axum::http::Uri) -> Problem {
    Problem::new(
        "request.path",
        format!("found path {:?}, which the admin API does not have", uri.path()),
        "see docs/operations/admin-api.md",
    )
}

async fn no_method(method: axum::http::Method, uri: axum::http::Uri) -> Problem {
    let detail = format!("found {method} {:?}, which the admin API does not have", uri.path());
    Problem::new("request.method", detail, "see docs/operations/admin-api.md")
}

impl fmt::Debug for AdminParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminParts").field("log", &self.log).finish_non_exhaustive()
    }
}

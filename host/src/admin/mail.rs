//! Mail of modules, for operators.

use axum::extract::{Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;

use super::problem::Problem;
use crate::mail::{MailHub, MailRow};
use crate::ports::database::DbError;
use crate::queue::State as MailState;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    module: String,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    state: Option<MailState>,
    #[serde(default)]
    limit: Option<usize>,
}

/// `GET /admin/v1/mail?module=&id=&state=&limit=` and `POST /admin/v1/mail/retry?module=&id=`.
pub fn mail_router(hub: MailHub) -> Router {
    Router::new()
        .route("/admin/v1/mail", get(list))
        .route("/admin/v1/mail/retry", post(retry))
        .with_state(hub)
}

async fn list(State(hub): State<MailHub>, Query(which): Query<Which>) -> Result<Json<Vec<MailRow>>, Problem> {
    let limit = which.limit.unwrap_or(100).min(1000);
    let rows = hub.list(&which.module, which.id.as_deref(), which.state, limit).await;
    Ok(Json(rows.map_err(|error| problem(&error))?))
}

async fn retry(State(hub): State<MailHub>, Query(which): Query<Which>) -> Result<Json<u64>, Problem> {
    tracing::info!(
        module.id = which.module,
        mail.id = which.id,
        "mail is to be tried again, says the admin API"
    );
    Ok(Json(
        hub.retry(&which.module, which.id.as_deref())
            .await
            .map_err(|error| problem(&error))?,
    ))
}

fn problem(error: &DbError) -> Problem {
    Problem::new(
        "database.unavailable",
        error.to_string(),
        "`wharf db status` shows the state of the databases",
    )
}

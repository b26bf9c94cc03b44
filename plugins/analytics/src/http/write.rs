//! Recording over HTTP.

use std::sync::Arc;

use axum::extract::State;
use wharf_sdk::extract::Json;
use wharf_sdk::{Principal, Problem, Result, Tenant};

use super::schema::{BatchBody, EventBody, NotTaken, ProblemBody, RecordedBody, ViewBody};
use crate::Analytics;
use crate::error::Error;
use crate::intake::{NewEvent, NewView};

/// Events in one request.
const MOST: usize = 1000;

/// Counts one custom event.
#[utoipa::path(
    post,
    path = "/events",
    tag = "analytics",
    operation_id = "analytics_record",
    request_body = EventBody,
    responses((status = 200, description = "It is counted", body = RecordedBody), NotTaken)
)]
pub(crate) async fn record(
    tenant: Tenant,
    State(module): State<Arc<Analytics>>,
    Json(body): Json<EventBody>,
) -> Result<Json<RecordedBody>> {
    let recorded = module.record(&tenant, &[body.into()]).await;
    Ok(Json(recorded.map_err(Error::problem)?.into()))
}

/// Counts many custom events: all of them, or none.
#[utoipa::path(
    post,
    path = "/events/batch",
    tag = "analytics",
    operation_id = "analytics_record_batch",
    request_body = BatchBody,
    responses((status = 200, description = "They are counted", body = RecordedBody), NotTaken)
)]
pub(crate) async fn record_batch(
    tenant: Tenant,
    State(module): State<Arc<Analytics>>,
    Json(body): Json<BatchBody>,
) -> Result<Json<RecordedBody>> {
    let events: Vec<NewEvent> = body.events.into_iter().map(Into::into).collect();
    if events.is_empty() || events.len() > MOST {
        return Err(Problem::unprocessable(format!(
            "found {} events, expected 1 to {MOST}",
            events.len()
        )));
    }
    let recorded = module.record(&tenant, &events).await;
    Ok(Json(recorded.map_err(Error::problem)?.into()))
}

/// Counts a look at a page. Whoever is not known is refused, unless the installation takes views of anybody.
#[utoipa::path(
    post,
    path = "/views",
    tag = "analytics",
    operation_id = "analytics_view",
    request_body = ViewBody,
    responses(
        (status = 200, description = "It is counted", body = RecordedBody),
        (status = 401, description = "Nobody knows who is calling", body = ProblemBody, content_type = "application/problem+json"),
        NotTaken
    )
)]
pub(crate) async fn view(
    tenant: Tenant,
    who: Option<Principal>,
    State(module): State<Arc<Analytics>>,
    Json(body): Json<ViewBody>,
) -> Result<Json<RecordedBody>> {
    if who.is_none() && !module.config.public_views {
        return Err(Problem::unauthenticated(
            "page views are taken of known callers only; the operator may set public_views",
        ));
    }
    let recorded = module.view(&tenant, &NewView::from(body)).await;
    Ok(Json(recorded.map_err(Error::problem)?.into()))
}

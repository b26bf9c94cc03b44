//! `/plans`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use wharf_sdk::extract::{Json, Query};
use wharf_sdk::{Tenant, Tx};

use super::answer::{Answer, ListOf, Reading, Writing, listed, made, shown};
use super::extract::Id;
use super::query::Pages;
use crate::Billing;
use crate::plans::NewPlan;
use crate::views::PlanView;

/// The plans of the tenant, archived ones too.
#[utoipa::path(get, path = "/plans", tag = "plans", params(Pages), responses(
    (status = 200, description = "a page of them", body = ListOf<PlanView>), Reading))]
pub(super) async fn list_plans(
    State(billing): State<Arc<Billing>>,
    tenant: Tenant,
    Query(query): Query<Pages>,
) -> Answer<Json<ListOf<PlanView>>> {
    listed(billing.list_plans(&tenant, &query.page()?).await?)
}

/// Makes a plan. Its prices never change: a new price is a new plan.
#[utoipa::path(post, path = "/plans", tag = "plans", request_body = NewPlan,
    params(("Idempotency-Key" = String, Header, description = "a new one for each request that is no retry", min_length = 1, max_length = 255, pattern = "^[!#-\\[\\]-~]+$")),
    responses((status = 201, description = "it was made", body = PlanView,
        headers(("Location" = String, description = "its address"))), Writing))]
pub(super) async fn create_plan(
    State(billing): State<Arc<Billing>>,
    tenant: Tenant,
    tx: Tx,
    Json(new): Json<NewPlan>,
) -> Answer<impl IntoResponse> {
    let row = billing.create_plan(&tx, &tenant, new).await?;
    made::<PlanView, _>(StatusCode::CREATED, format!("/billing/plans/{}", row.id), row)
}

/// One plan.
#[utoipa::path(get, path = "/plans/{id}", tag = "plans", params(("id" = String, Path, format = "uuid")),
    responses((status = 200, description = "it", body = PlanView), Reading))]
pub(super) async fn show_plan(State(billing): State<Arc<Billing>>, tenant: Tenant, Id(id): Id) -> Answer<Json<PlanView>> {
    shown(billing.plan(&billing.db, &tenant, &id).await?)
}

/// Archives a plan: nobody can subscribe to it any more.
#[utoipa::path(delete, path = "/plans/{id}", tag = "plans", params(("id" = String, Path, format = "uuid")),
    responses((status = 204, description = "it is archived"), Reading))]
pub(super) async fn archive_plan(State(billing): State<Arc<Billing>>, tenant: Tenant, Id(id): Id) -> Answer<StatusCode> {
    billing.archive_plan(&tenant, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

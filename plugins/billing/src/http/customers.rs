//! `/customers`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use wharf_sdk::extract::{Json, Query};
use wharf_sdk::{Tenant, Tx};

use super::answer::{Answer, ListOf, Reading, Writing, listed, made};
use super::extract::{Id, etag, version};
use super::query::Pages;
use crate::Billing;
use crate::customers::{CustomerChange, NewCustomer};
use crate::tables::customer;
use crate::views::{CustomerView, View};

/// Customers that the caller may read.
#[utoipa::path(get, path = "/customers", tag = "customers", params(Pages), responses(
    (status = 200, description = "a page of them", body = ListOf<CustomerView>), Reading))]
pub(super) async fn list_customers(
    State(billing): State<Arc<Billing>>,
    tenant: Tenant,
    Query(query): Query<Pages>,
) -> Answer<Json<ListOf<CustomerView>>> {
    listed(billing.list_customers(&tenant, &query.page()?).await?)
}

/// Makes a customer.
#[utoipa::path(post, path = "/customers", tag = "customers", request_body = NewCustomer,
    params(("Idempotency-Key" = String, Header, description = "a new one for each request that is no retry", min_length = 1, max_length = 255, pattern = "^[!#-\\[\\]-~]+$")),
    responses((status = 201, description = "it was made", body = CustomerView,
        headers(("Location" = String, description = "its address"))), Writing))]
pub(super) async fn create_customer(
    State(billing): State<Arc<Billing>>,
    tenant: Tenant,
    tx: Tx,
    Json(new): Json<NewCustomer>,
) -> Answer<impl IntoResponse> {
    let row = billing.create_customer(&tx, &tenant, new).await?;
    made::<CustomerView, _>(StatusCode::CREATED, format!("/billing/customers/{}", row.id), row)
}

/// One customer.
#[utoipa::path(get, path = "/customers/{id}", tag = "customers", params(("id" = String, Path, format = "uuid")),
    responses((status = 200, description = "it", body = CustomerView,
        headers(("ETag" = String, description = "its version, for If-Match"))), Reading))]
pub(super) async fn show_customer(State(billing): State<Arc<Billing>>, tenant: Tenant, Id(id): Id) -> Answer<impl IntoResponse> {
    tagged(billing.customer(&tenant, &id).await?)
}

/// Changes a customer of the version that was read.
#[utoipa::path(patch, path = "/customers/{id}", tag = "customers", request_body = CustomerChange,
    params(("id" = String, Path, format = "uuid"), ("If-Match" = String, Header, description = "the ETag that was read", pattern = "^\"[0-9]{1,18}\"$")),
    responses((status = 200, description = "it, as it is now", body = CustomerView,
            headers(("ETag" = String, description = "its version, for If-Match"))),
        (status = 412, description = "somebody else changed it meanwhile", body = super::answer::ProblemBody, content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = super::answer::ProblemBody, content_type = "application/problem+json"),
        Writing))]
pub(super) async fn change_customer(
    State(billing): State<Arc<Billing>>,
    tenant: Tenant,
    Id(id): Id,
    headers: HeaderMap,
    Json(change): Json<CustomerChange>,
) -> Answer<impl IntoResponse> {
    tagged(billing.change_customer(&tenant, &id, version(&headers)?, change).await?)
}

fn tagged(row: customer::Model) -> Answer<impl IntoResponse> {
    let tag = etag(row.version);
    Ok((tag, Json(CustomerView::of(row)?)))
}

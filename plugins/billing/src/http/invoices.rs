//! `/invoices`, `/me/invoices` and `/invoice-runs`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use wharf_sdk::extract::{Json, Query};
use wharf_sdk::{Principal, Tenant, Tx};

use super::answer::{Answer, ListOf, Reading, Writing, listed, made, shown};
use super::extract::Id;
use super::query::{InvoiceQuery, Pages};
use crate::Billing;
use crate::error::Error;
use crate::invoices::NewInvoice;
use crate::runs::NewRun;
use crate::views::{InvoiceDetail, InvoiceView, LineView, RunView, View};

/// Invoices that the caller may read.
#[utoipa::path(get, path = "/invoices", tag = "invoices", params(InvoiceQuery), responses(
    (status = 200, description = "a page of them", body = ListOf<InvoiceView>), Reading))]
pub(super) async fn list_invoices(
    State(billing): State<Arc<Billing>>,
    tenant: Tenant,
    Query(query): Query<InvoiceQuery>,
) -> Answer<Json<ListOf<InvoiceView>>> {
    let page = query.page()?;
    listed(billing.list_invoices(&tenant, &query.wanted(), &page).await?)
}

/// Writes an invoice by hand: a draft.
#[utoipa::path(post, path = "/invoices", tag = "invoices", request_body = NewInvoice,
    params(("Idempotency-Key" = String, Header, description = "a new one for each request that is no retry", min_length = 1, max_length = 255, pattern = "^[!#-\\[\\]-~]+$")),
    responses((status = 201, description = "it was written", body = InvoiceView,
        headers(("Location" = String, description = "its address"))), Writing))]
pub(super) async fn write_invoice(
    State(billing): State<Arc<Billing>>,
    tenant: Tenant,
    tx: Tx,
    Json(new): Json<NewInvoice>,
) -> Answer<impl IntoResponse> {
    let row = billing.write_invoice(&tx, &tenant, new).await?;
    made::<InvoiceView, _>(StatusCode::CREATED, format!("/billing/invoices/{}", row.id), row)
}

/// One invoice with its lines.
#[utoipa::path(get, path = "/invoices/{id}", tag = "invoices", params(("id" = String, Path, format = "uuid")),
    responses((status = 200, description = "it", body = InvoiceDetail), Reading))]
pub(super) async fn show_invoice(State(billing): State<Arc<Billing>>, tenant: Tenant, Id(id): Id) -> Answer<Json<InvoiceDetail>> {
    let row = billing.invoice(&tenant, &id).await?;
    let lines = billing.invoice_lines(&billing.db, &tenant, &row.id).await?;
    Ok(Json(InvoiceDetail {
        invoice: InvoiceView::of(row)?,
        lines: lines.into_iter().map(LineView::of).collect::<Result<_, Error>>()?,
    }))
}

/// Issues a draft: it gets its number, and is owed.
#[utoipa::path(post, path = "/invoices/{id}/finalize", tag = "invoices",
    params(("id" = String, Path, format = "uuid"),
        ("Idempotency-Key" = String, Header, description = "a new one for each request that is no retry", min_length = 1, max_length = 255, pattern = "^[!#-\\[\\]-~]+$")),
    responses((status = 200, description = "it, as it is now", body = InvoiceView), Writing))]
pub(super) async fn finalize_invoice(State(billing): State<Arc<Billing>>, tenant: Tenant, Id(id): Id, tx: Tx) -> Answer<Json<InvoiceView>> {
    shown(billing.finalize(&tx, &tenant, &id).await?)
}

/// Takes an invoice back that nobody has paid.
#[utoipa::path(post, path = "/invoices/{id}/void", tag = "invoices",
    params(("id" = String, Path, format = "uuid"),
        ("Idempotency-Key" = String, Header, description = "a new one for each request that is no retry", min_length = 1, max_length = 255, pattern = "^[!#-\\[\\]-~]+$")),
    responses((status = 200, description = "it, as it is now", body = InvoiceView), Writing))]
pub(super) async fn void_invoice(State(billing): State<Arc<Billing>>, tenant: Tenant, Id(id): Id, tx: Tx) -> Answer<Json<InvoiceView>> {
    shown(billing.void(&tx, &tenant, &id).await?)
}

/// Writes an invoice off: nobody expects it to be paid any more.
#[utoipa::path(post, path = "/invoices/{id}/uncollectible", tag = "invoices",
    params(("id" = String, Path, format = "uuid"),
        ("Idempotency-Key" = String, Header, description = "a new one for each request that is no retry", min_length = 1, max_length = 255, pattern = "^[!#-\\[\\]-~]+$")),
    responses((status = 200, description = "it, as it is now", body = InvoiceView), Writing))]
pub(super) async fn write_off_invoice(
    State(billing): State<Arc<Billing>>,
    tenant: Tenant,
    Id(id): Id,
    tx: Tx,
) -> Answer<Json<InvoiceView>> {
    shown(billing.write_off(&tx, &tenant, &id).await?)
}

/// Invoices of whoever calls.
#[utoipa::path(get, path = "/me/invoices", tag = "invoices", params(Pages), responses(
    (status = 200, description = "a page of them", body = ListOf<InvoiceView>), Reading))]
pub(super) async fn list_own_invoices(
    State(billing): State<Arc<Billing>>,
    tenant: Tenant,
    who: Principal,
    Query(query): Query<Pages>,
) -> Answer<Json<ListOf<InvoiceView>>> {
    listed(billing.own_invoices(&tenant, who.subject(), &query.page()?).await?)
}

/// Asks for an invoice of every period that has ended. A period is billed once, however often it is asked for.
#[utoipa::path(post, path = "/invoice-runs", tag = "invoices", request_body = NewRun,
    params(("Idempotency-Key" = String, Header, description = "a new one for each request that is no retry", min_length = 1, max_length = 255, pattern = "^[!#-\\[\\]-~]+$")),
    responses((status = 202, description = "it was asked for", body = RunView,
        headers(("Location" = String, description = "where to see how far it is"))), Writing))]
pub(super) async fn run_invoices(
    State(billing): State<Arc<Billing>>,
    tenant: Tenant,
    tx: Tx,
    Json(new): Json<NewRun>,
) -> Answer<impl IntoResponse> {
    let row = billing.ask_for_run(&tx, &tenant, new).await?;
    made::<RunView, _>(StatusCode::ACCEPTED, format!("/billing/invoice-runs/{}", row.id), row)
}

/// How far an invoice run is.
#[utoipa::path(get, path = "/invoice-runs/{id}", tag = "invoices", params(("id" = String, Path, format = "uuid")),
    responses((status = 200, description = "it", body = RunView), Reading))]
pub(super) async fn show_run(State(billing): State<Arc<Billing>>, tenant: Tenant, Id(id): Id) -> Answer<Json<RunView>> {
    shown(billing.invoice_run(&tenant, &id).await?)
}

//! `/invoices/{id}/pay`, `/payments`, `/refunds` and `/webhooks`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use wharf_sdk::extract::{Json, Query};
use wharf_sdk::{Tenant, Tx};

use super::answer::{Answer, ListOf, Reading, Writing, listed, made, shown};
use super::extract::Id;
use super::query::Pages;
use crate::Billing;
use crate::error::Error;
use crate::payments::NewPayment;
use crate::refunds::NewRefund;
use crate::text;
use crate::views::{PaymentView, RefundView};
use crate::webhooks::{SIGNATURE, WebhookEvent, WebhookReceipt};

/// Asks the payment provider for what is owed. The payment is pending until it has said how it ended.
#[utoipa::path(post, path = "/invoices/{id}/pay", tag = "payments", request_body = NewPayment,
    params(("id" = String, Path, format = "uuid"),
        ("Idempotency-Key" = String, Header, description = "a new one for each request that is no retry", min_length = 1, max_length = 255, pattern = "^[!#-\\[\\]-~]+$")),
    responses((status = 202, description = "it was asked for", body = PaymentView,
        headers(("Location" = String, description = "where to see how it ended"))), Writing))]
pub(super) async fn pay_invoice(
    State(billing): State<Arc<Billing>>,
    tenant: Tenant,
    Id(id): Id,
    tx: Tx,
    Json(new): Json<NewPayment>,
) -> Answer<impl IntoResponse> {
    let row = billing.pay(&tx, &tenant, &id, &new).await?;
    made::<PaymentView, _>(StatusCode::ACCEPTED, format!("/billing/payments/{}", row.id), row)
}

/// Payments of an invoice, failed ones too.
#[utoipa::path(get, path = "/invoices/{id}/payments", tag = "payments", params(("id" = String, Path, format = "uuid"), Pages),
    responses((status = 200, description = "a page of them", body = ListOf<PaymentView>), Reading))]
pub(super) async fn list_payments(
    State(billing): State<Arc<Billing>>,
    tenant: Tenant,
    Id(id): Id,
    Query(query): Query<Pages>,
) -> Answer<Json<ListOf<PaymentView>>> {
    listed(billing.list_payments(&tenant, &id, &query.page()?).await?)
}

/// One payment.
#[utoipa::path(get, path = "/payments/{id}", tag = "payments", params(("id" = String, Path, format = "uuid")),
    responses((status = 200, description = "it", body = PaymentView), Reading))]
pub(super) async fn show_payment(State(billing): State<Arc<Billing>>, tenant: Tenant, Id(id): Id) -> Answer<Json<PaymentView>> {
    shown(billing.payment(&tenant, &id).await?)
}

/// Refunds of a payment, failed ones too.
#[utoipa::path(get, path = "/payments/{id}/refunds", tag = "payments", params(("id" = String, Path, format = "uuid"), Pages),
    responses((status = 200, description = "a page of them", body = ListOf<RefundView>), Reading))]
pub(super) async fn list_refunds(
    State(billing): State<Arc<Billing>>,
    tenant: Tenant,
    Id(id): Id,
    Query(query): Query<Pages>,
) -> Answer<Json<ListOf<RefundView>>> {
    listed(billing.list_refunds(&tenant, &id, &query.page()?).await?)
}

/// Gives a payment back, or some of it; never more than was paid.
#[utoipa::path(post, path = "/payments/{id}/refunds", tag = "payments", request_body = NewRefund,
    params(("id" = String, Path, format = "uuid"),
        ("Idempotency-Key" = String, Header, description = "a new one for each request that is no retry", min_length = 1, max_length = 255, pattern = "^[!#-\\[\\]-~]+$")),
    responses((status = 202, description = "it was asked for", body = RefundView,
        headers(("Location" = String, description = "where to see how it ended"))), Writing))]
pub(super) async fn refund_payment(
    State(billing): State<Arc<Billing>>,
    tenant: Tenant,
    Id(id): Id,
    tx: Tx,
    Json(new): Json<NewRefund>,
) -> Answer<impl IntoResponse> {
    let row = billing.refund(&tx, &tenant, &id, text::new_id(), &new).await?;
    made::<RefundView, _>(StatusCode::ACCEPTED, format!("/billing/refunds/{}", row.id), row)
}

/// One refund.
#[utoipa::path(get, path = "/refunds/{id}", tag = "payments", params(("id" = String, Path, format = "uuid")),
    responses((status = 200, description = "it", body = RefundView), Reading))]
pub(super) async fn show_refund(State(billing): State<Arc<Billing>>, tenant: Tenant, Id(id): Id) -> Answer<Json<RefundView>> {
    shown(billing.visible_refund(&tenant, &id).await?)
}

/// For payment providers: how a payment or refund ended, signed with HMAC-SHA256 over `timestamp.body`.
#[utoipa::path(post, path = "/webhooks/{provider}", tag = "payments", request_body = WebhookEvent,
    params(("provider" = String, Path, description = "as in the configuration", pattern = "^[a-z]{1,32}$"),
        ("Webhook-Signature" = String, Header, description = "t=UNIX_SECONDS,v1=HEX", pattern = "^t=[0-9]{1,12},v1=[0-9a-f]{64}$")),
    responses((status = 200, description = "it was taken, now or before", body = WebhookReceipt), Writing))]
pub(super) async fn take_webhook(
    State(billing): State<Arc<Billing>>,
    provider: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer<Json<WebhookReceipt>> {
    let Path(provider) = provider.map_err(|_| Error::NotFound("payment provider"))?;
    let body = body.map_err(|error| Error::Invalid(format!("the body cannot be read: {error}")))?;
    let signature = headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
    Ok(Json(billing.take_webhook(&provider, signature, &body).await?))
}

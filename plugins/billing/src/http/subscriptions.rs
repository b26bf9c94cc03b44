//! `/subscriptions` and `/usage`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use sea_orm::TransactionTrait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wharf_sdk::extract::{Json, Query};
use wharf_sdk::{Tenant, Tx};

use super::answer::{Answer, ListOf, Reading, Writing, listed, made, shown};
use super::extract::Id;
use super::query::SubscriptionQuery;
use crate::Billing;
use crate::error::Error;
use crate::subscriptions::{Cancellation, NewPlanOf, NewSubscription};
use crate::usage::{FeatureUsage, NewUsage, Recorded};
use crate::views::SubscriptionView;

/// Most records in one request.
const MOST_RECORDS: usize = 1000;

/// What was used.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UsageRecords {
    /// All of them are recorded, or, on an error, none.
    #[schema(min_items = 1, max_items = 1000)]
    records: Vec<NewUsage>,
}

/// What was used of a subscription and is in no invoice yet.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UsageSummary {
    /// By feature.
    features: Vec<FeatureUsage>,
}

/// Subscriptions that the caller may read.
#[utoipa::path(get, path = "/subscriptions", tag = "subscriptions", params(SubscriptionQuery), responses(
    (status = 200, description = "a page of them", body = ListOf<SubscriptionView>), Reading))]
pub(super) async fn list_subscriptions(
    State(billing): State<Arc<Billing>>,
    tenant: Tenant,
    Query(query): Query<SubscriptionQuery>,
) -> Answer<Json<ListOf<SubscriptionView>>> {
    listed(
        billing
            .list_subscriptions(&tenant, query.customer.as_deref(), &query.page()?)
            .await?,
    )
}

/// Subscribes a customer to a plan.
#[utoipa::path(post, path = "/subscriptions", tag = "subscriptions", request_body = NewSubscription,
    params(("Idempotency-Key" = String, Header, description = "a new one for each request that is no retry", min_length = 1, max_length = 255, pattern = "^[!#-\\[\\]-~]+$")),
    responses((status = 201, description = "it was made", body = SubscriptionView,
        headers(("Location" = String, description = "its address"))), Writing))]
pub(super) async fn subscribe(
    State(billing): State<Arc<Billing>>,
    tenant: Tenant,
    tx: Tx,
    Json(new): Json<NewSubscription>,
) -> Answer<impl IntoResponse> {
    let row = billing.subscribe(&tx, &tenant, new).await?;
    made::<SubscriptionView, _>(StatusCode::CREATED, format!("/billing/subscriptions/{}", row.id), row)
}

/// One subscription.
#[utoipa::path(get, path = "/subscriptions/{id}", tag = "subscriptions", params(("id" = String, Path, format = "uuid")),
    responses((status = 200, description = "it", body = SubscriptionView), Reading))]
pub(super) async fn show_subscription(State(billing): State<Arc<Billing>>, tenant: Tenant, Id(id): Id) -> Answer<Json<SubscriptionView>> {
    shown(billing.subscription(&tenant, &id).await?)
}

/// Gives a subscription another plan from today on.
#[utoipa::path(post, path = "/subscriptions/{id}/change", tag = "subscriptions", request_body = NewPlanOf,
    params(("id" = String, Path, format = "uuid"),
        ("Idempotency-Key" = String, Header, description = "a new one for each request that is no retry", min_length = 1, max_length = 255, pattern = "^[!#-\\[\\]-~]+$")),
    responses((status = 200, description = "it, as it is now", body = SubscriptionView),
        (status = 412, description = "somebody else changed it at the same time", body = super::answer::ProblemBody, content_type = "application/problem+json"), Writing))]
pub(super) async fn change_subscription(
    State(billing): State<Arc<Billing>>,
    tenant: Tenant,
    Id(id): Id,
    tx: Tx,
    Json(to): Json<NewPlanOf>,
) -> Answer<Json<SubscriptionView>> {
    shown(billing.replan(&tx, &tenant, &id, &to.plan).await?)
}

/// Pauses a subscription: it costs nothing from today on.
#[utoipa::path(post, path = "/subscriptions/{id}/pause", tag = "subscriptions",
    params(("id" = String, Path, format = "uuid"),
        ("Idempotency-Key" = String, Header, description = "a new one for each request that is no retry", min_length = 1, max_length = 255, pattern = "^[!#-\\[\\]-~]+$")),
    responses((status = 200, description = "it, as it is now", body = SubscriptionView),
        (status = 412, description = "somebody else changed it at the same time", body = super::answer::ProblemBody, content_type = "application/problem+json"), Writing))]
pub(super) async fn pause_subscription(
    State(billing): State<Arc<Billing>>,
    tenant: Tenant,
    Id(id): Id,
    tx: Tx,
) -> Answer<Json<SubscriptionView>> {
    shown(billing.pause(&tx, &tenant, &id).await?)
}

/// Lets a subscription go on from today.
#[utoipa::path(post, path = "/subscriptions/{id}/resume", tag = "subscriptions",
    params(("id" = String, Path, format = "uuid"),
        ("Idempotency-Key" = String, Header, description = "a new one for each request that is no retry", min_length = 1, max_length = 255, pattern = "^[!#-\\[\\]-~]+$")),
    responses((status = 200, description = "it, as it is now", body = SubscriptionView),
        (status = 412, description = "somebody else changed it at the same time", body = super::answer::ProblemBody, content_type = "application/problem+json"), Writing))]
pub(super) async fn resume_subscription(
    State(billing): State<Arc<Billing>>,
    tenant: Tenant,
    Id(id): Id,
    tx: Tx,
) -> Answer<Json<SubscriptionView>> {
    shown(billing.resume(&tx, &tenant, &id).await?)
}

/// Ends a subscription.
#[utoipa::path(post, path = "/subscriptions/{id}/cancel", tag = "subscriptions", request_body = Cancellation,
    params(("id" = String, Path, format = "uuid"),
        ("Idempotency-Key" = String, Header, description = "a new one for each request that is no retry", min_length = 1, max_length = 255, pattern = "^[!#-\\[\\]-~]+$")),
    responses((status = 200, description = "it, as it is now", body = SubscriptionView),
        (status = 412, description = "somebody else changed it at the same time", body = super::answer::ProblemBody, content_type = "application/problem+json"), Writing))]
pub(super) async fn cancel_subscription(
    State(billing): State<Arc<Billing>>,
    tenant: Tenant,
    Id(id): Id,
    tx: Tx,
    Json(how): Json<Cancellation>,
) -> Answer<Json<SubscriptionView>> {
    shown(billing.cancel(&tx, &tenant, &id, how).await?)
}

/// What was used of a subscription and is in no invoice yet.
#[utoipa::path(get, path = "/subscriptions/{id}/usage", tag = "usage", params(("id" = String, Path, format = "uuid")),
    responses((status = 200, description = "by feature", body = UsageSummary), Reading))]
pub(super) async fn show_usage(State(billing): State<Arc<Billing>>, tenant: Tenant, Id(id): Id) -> Answer<Json<UsageSummary>> {
    let row = billing.subscription(&tenant, &id).await?;
    let features = billing.open_usage(&tenant, &row.id).await?;
    Ok(Json(UsageSummary { features }))
}

/// Records what was used. Each record has a key: sending it again changes nothing.
#[utoipa::path(post, path = "/usage", tag = "usage", request_body = UsageRecords,
    responses((status = 200, description = "how many were new", body = Recorded), Writing))]
pub(super) async fn record_usage(
    State(billing): State<Arc<Billing>>,
    tenant: Tenant,
    Json(new): Json<UsageRecords>,
) -> Answer<(StatusCode, Json<Recorded>)> {
    if new.records.is_empty() || new.records.len() > MOST_RECORDS {
        let text = format!("found {} records, expected 1 to {MOST_RECORDS}", new.records.len());
        return Err(Error::Invalid(text).into());
    }
    let tx = billing.db.begin().await?;
    let recorded = billing.record_usage(&tx, &tenant, &new.records).await?;
    tx.commit().await?;
    Ok((StatusCode::OK, Json(recorded)))
}

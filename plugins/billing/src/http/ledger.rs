//! `/ledger`.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use wharf_sdk::Tenant;
use wharf_sdk::extract::{Json, Query};

use super::answer::{Answer, ListOf, Reading, listed};
use super::query::EntryQuery;
use crate::Billing;
use crate::books::{Balance, LedgerCheck};
use crate::views::EntryView;

/// What each account holds, by currency.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TrialBalance {
    /// Debits and credits of a currency are the same in sum.
    accounts: Vec<Balance>,
}

/// What each account holds.
#[utoipa::path(get, path = "/ledger/trial-balance", tag = "ledger",
    responses((status = 200, description = "by currency and account", body = TrialBalance), Reading))]
pub(super) async fn trial_balance(State(billing): State<Arc<Billing>>, tenant: Tenant) -> Answer<Json<TrialBalance>> {
    let accounts = billing.trial_balance(&tenant).await?;
    Ok(Json(TrialBalance { accounts }))
}

/// Entries, oldest first.
#[utoipa::path(get, path = "/ledger/entries", tag = "ledger", params(EntryQuery),
    responses((status = 200, description = "a page of them", body = ListOf<EntryView>), Reading))]
pub(super) async fn list_entries(
    State(billing): State<Arc<Billing>>,
    tenant: Tenant,
    Query(query): Query<EntryQuery>,
) -> Answer<Json<ListOf<EntryView>>> {
    listed(billing.ledger_entries(&tenant, query.invoice.as_deref(), &query.page()?).await?)
}

/// Verifies that every transaction balances, and that what is receivable is what open invoices say.
#[utoipa::path(get, path = "/ledger/check", tag = "ledger",
    responses((status = 200, description = "what was found", body = LedgerCheck), Reading))]
pub(super) async fn check_ledger(State(billing): State<Arc<Billing>>, tenant: Tenant) -> Answer<Json<LedgerCheck>> {
    Ok(Json(billing.check_ledger(Some(&tenant)).await?))
}

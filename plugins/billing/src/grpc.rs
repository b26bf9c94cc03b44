//! The gRPC services: they translate, and nothing else.

mod customers;
mod invoices;
mod ledger;
mod plans;
mod subscriptions;
mod usage;

use std::sync::Arc;

use tonic::{Response, Status};
use wharf_proto::billing::v1::customers_server::CustomersServer;
use wharf_proto::billing::v1::invoices_server::InvoicesServer;
use wharf_proto::billing::v1::ledger_server::LedgerServer;
use wharf_proto::billing::v1::plans_server::PlansServer;
use wharf_proto::billing::v1::subscriptions_server::SubscriptionsServer;
use wharf_proto::billing::v1::usage_server::UsageServer;
use wharf_sdk::Grpc;

use crate::Billing;
use crate::error::Result as Done;
use crate::page::Page;

type Answer<T> = Result<Response<T>, Status>;

pub(crate) fn services(billing: &Arc<Billing>) -> Grpc {
    Grpc::new()
        .serve(CustomersServer::from_arc(billing.clone()))
        .serve(InvoicesServer::from_arc(billing.clone()))
        .serve(LedgerServer::from_arc(billing.clone()))
        .serve(PlansServer::from_arc(billing.clone()))
        .serve(SubscriptionsServer::from_arc(billing.clone()))
        .serve(UsageServer::from_arc(billing.clone()))
}

/// A page as it was asked for.
fn page(size: u32, token: &str) -> Done<Page> {
    Page::of(size, token)
}

/// The form that crosses.
#[allow(clippy::unnecessary_wraps, reason = "fields of messages are options")]
fn timestamp(millis: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp {
        seconds: millis.div_euclid(1000),
        nanos: i32::try_from(millis.rem_euclid(1000)).unwrap_or(0) * 1_000_000,
    })
}

/// A filter; empty: none.
fn given(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

//! The routes, below `/billing`. They translate, and nothing else.

mod answer;
mod customers;
mod extract;
mod invoices;
mod ledger;
mod payments;
mod plans;
mod query;
mod subscriptions;

use utoipa::OpenApi as _;
use wharf_sdk::{OpenApi, Routes, delete, get, post};

use crate::Billing;
use crate::access::{CUSTOMER_WRITE, INVOICE_WRITE, LEDGER_READ, PAYMENT_REFUND, PLAN_WRITE, USAGE_WRITE};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Billing",
        description = "Customers, plans, subscriptions, usage, invoices, payments and the ledger"
    ),
    components(schemas(answer::ProblemBody)),
    paths(
        customers::list_customers,
        customers::create_customer,
        customers::show_customer,
        customers::change_customer,
        plans::list_plans,
        plans::create_plan,
        plans::show_plan,
        plans::archive_plan,
        subscriptions::list_subscriptions,
        subscriptions::subscribe,
        subscriptions::show_subscription,
        subscriptions::change_subscription,
        subscriptions::pause_subscription,
        subscriptions::resume_subscription,
        subscriptions::cancel_subscription,
        subscriptions::show_usage,
        subscriptions::record_usage,
        invoices::list_invoices,
        invoices::write_invoice,
        invoices::show_invoice,
        invoices::finalize_invoice,
        invoices::void_invoice,
        invoices::write_off_invoice,
        invoices::list_own_invoices,
        invoices::run_invoices,
        invoices::show_run,
        payments::pay_invoice,
        payments::list_payments,
        payments::show_payment,
        payments::list_refunds,
        payments::refund_payment,
        payments::show_refund,
        payments::take_webhook,
        ledger::trial_balance,
        ledger::list_entries,
        ledger::check_ledger,
    )
)]
struct Document;

pub(crate) fn document() -> OpenApi {
    OpenApi::of(&Document::openapi())
}

/// Where rules may be about some rows only, such as somebody's own, the route is `authenticated` and the service asks.
pub(crate) fn routes() -> Routes<Billing> {
    let routes = invoice_routes(subscription_routes(customer_routes(Routes::new())));
    ledger_routes(payment_routes(routes))
}

fn customer_routes(routes: Routes<Billing>) -> Routes<Billing> {
    routes
        .route("/customers", get(customers::list_customers))
        .authenticated()
        .route("/customers", post(customers::create_customer))
        .require(CUSTOMER_WRITE)
        .idempotent()
        .route("/customers/{id}", get(customers::show_customer).patch(customers::change_customer))
        .authenticated()
        .route("/plans", get(plans::list_plans))
        .authenticated()
        .route("/plans", post(plans::create_plan))
        .require(PLAN_WRITE)
        .idempotent()
        .route("/plans/{id}", get(plans::show_plan))
        .authenticated()
        .route("/plans/{id}", delete(plans::archive_plan))
        .require(PLAN_WRITE)
}

fn subscription_routes(routes: Routes<Billing>) -> Routes<Billing> {
    routes
        .route(
            "/subscriptions",
            get(subscriptions::list_subscriptions).post(subscriptions::subscribe),
        )
        .authenticated()
        .idempotent()
        .route("/subscriptions/{id}", get(subscriptions::show_subscription))
        .authenticated()
        .route("/subscriptions/{id}/change", post(subscriptions::change_subscription))
        .authenticated()
        .idempotent()
        .route("/subscriptions/{id}/pause", post(subscriptions::pause_subscription))
        .authenticated()
        .idempotent()
        .route("/subscriptions/{id}/resume", post(subscriptions::resume_subscription))
        .authenticated()
        .idempotent()
        .route("/subscriptions/{id}/cancel", post(subscriptions::cancel_subscription))
        .authenticated()
        .idempotent()
        .route("/subscriptions/{id}/usage", get(subscriptions::show_usage))
        .authenticated()
        // Each record has a key of its own.
        .route("/usage", post(subscriptions::record_usage))
        .require(USAGE_WRITE)
}

fn invoice_routes(routes: Routes<Billing>) -> Routes<Billing> {
    routes
        .route("/invoices", get(invoices::list_invoices))
        .authenticated()
        .route("/invoices", post(invoices::write_invoice))
        .require(INVOICE_WRITE)
        .idempotent()
        .route("/invoices/{id}", get(invoices::show_invoice))
        .authenticated()
        .route("/invoices/{id}/finalize", post(invoices::finalize_invoice))
        .require(INVOICE_WRITE)
        .idempotent()
        .route("/invoices/{id}/void", post(invoices::void_invoice))
        .require(INVOICE_WRITE)
        .idempotent()
        .route("/invoices/{id}/uncollectible", post(invoices::write_off_invoice))
        .require(INVOICE_WRITE)
        .idempotent()
        .route("/me/invoices", get(invoices::list_own_invoices))
        .authenticated()
        .route("/invoice-runs", post(invoices::run_invoices))
        .require(INVOICE_WRITE)
        .idempotent()
        .route("/invoice-runs/{id}", get(invoices::show_run))
        .require(INVOICE_WRITE)
}

fn payment_routes(routes: Routes<Billing>) -> Routes<Billing> {
    routes
        .route("/invoices/{id}/pay", post(payments::pay_invoice))
        .authenticated()
        .idempotent()
        .route("/invoices/{id}/payments", get(payments::list_payments))
        .authenticated()
        .route("/payments/{id}", get(payments::show_payment))
        .authenticated()
        .route("/payments/{id}/refunds", get(payments::list_refunds))
        .authenticated()
        .route("/payments/{id}/refunds", post(payments::refund_payment))
        .require(PAYMENT_REFUND)
        .idempotent()
        .route("/refunds/{id}", get(payments::show_refund))
        .authenticated()
        // Whoever calls is known by the signature.
        .route("/webhooks/{provider}", post(payments::take_webhook))
        .public()
}

fn ledger_routes(routes: Routes<Billing>) -> Routes<Billing> {
    routes
        .route("/ledger/trial-balance", get(ledger::trial_balance))
        .require(LEDGER_READ)
        .route("/ledger/entries", get(ledger::list_entries))
        .require(LEDGER_READ)
        .route("/ledger/check", get(ledger::check_ledger))
        .require(LEDGER_READ)
}

//! The module in a host.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod access;
mod accounts;
mod grpc;
mod invoices;
mod payments;
mod refunds;
mod runs;
mod subscriptions;
mod webhooks;

use axum::http::{Method, Request};
use jiff::ToSpan;
use serde_json::{Value, json};
use wharf_testing::{Answer, Body, Builder, Caller, TestHost};

use crate::text;

/// What people hold on what is theirs.
const OWN: [&str; 5] = [
    "billing.customer.read",
    "billing.subscription.read",
    "billing.subscription.write",
    "billing.invoice.read",
    "billing.invoice.pay",
];

/// A host with this module and play money. `root` holds everything, everybody else what is in [`OWN`] on their own.
fn builder() -> Builder {
    let config = json!({ "provider": "test", "tax_bps": 1900, "due_days": 14 });
    let builder = TestHost::builder().module(crate::root()).config("billing", config);
    let builder = builder.allow("user:root", "billing.*");
    OWN.iter()
        .fold(builder, |builder, permission| builder.allow_on("user:*", permission, "own"))
}

async fn host() -> TestHost {
    builder().start().await
}

fn root(host: &TestHost) -> Caller<'_> {
    host.as_user("root")
}

fn request(method: Method, path: &str, fields: &[(&str, &str)], body: &Value) -> Request<Body> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json");
    let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Body::full(body.to_string())).unwrap()
}

/// POST with a key of its own.
async fn post(who: &Caller<'_>, path: &str, body: Value) -> Answer {
    post_with_key(who, path, &text::new_id(), body).await
}

async fn post_with_key(who: &Caller<'_>, path: &str, key: &str, body: Value) -> Answer {
    who.request(request(
        Method::POST,
        &format!("/billing{path}"),
        &[("idempotency-key", key)],
        &body,
    ))
    .await
}

/// The same for what must work: its answer.
async fn made(who: &Caller<'_>, path: &str, body: Value) -> Value {
    let answer = post(who, path, body).await;
    assert!(answer.status.is_success(), "{path}: {} {}", answer.status, answer.text());
    answer.json()
}

async fn get(who: &Caller<'_>, path: &str) -> Value {
    let answer = who.get(&format!("/billing{path}")).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

/// The code of a problem.
fn code(answer: &Answer) -> String {
    answer.json::<Value>()["code"].as_str().unwrap_or_default().to_owned()
}

fn id(of: &Value) -> &str {
    of["id"].as_str().expect("an id")
}

async fn customer(who: &Caller<'_>, owner: &str) -> Value {
    let new = json!({ "name": owner, "owner": format!("user:{owner}"), "email": format!("{owner}@example.org"), "currency": "EUR" });
    made(who, "/customers", new).await
}

/// 10.00 EUR a month, and posts: three free, then 0.50 each.
async fn plan(who: &Caller<'_>, plan: &str) -> Value {
    let meters = json!([{ "feature": "posts", "tiers": [{ "up_to": 3, "price": 0 }, { "price": 50 }] }]);
    let new = json!({ "code": plan, "name": plan, "currency": "EUR", "price": 1000, "interval": "month", "meters": meters });
    made(who, "/plans", new).await
}

async fn subscribe(who: &Caller<'_>, customer: &Value, plan: &Value, start: &str) -> Value {
    let new = json!({ "customer": id(customer), "plan": id(plan), "start": start });
    made(who, "/subscriptions", new).await
}

/// The day so many months before today: that many monthly periods have ended since.
fn months_ago(months: i64) -> jiff::civil::Date {
    text::today().checked_sub(months.months()).unwrap()
}

/// Asks for an invoice run and waits for its end: how many invoices it wrote.
async fn run(host: &TestHost, who: &Caller<'_>) -> i64 {
    let run = made(who, "/invoice-runs", json!({})).await;
    host.settle_events().await;
    let run = get(who, &format!("/invoice-runs/{}", id(&run))).await;
    assert_eq!(run["state"], "finished", "{run}");
    run["issued"].as_i64().unwrap()
}

/// An open invoice of 11.90 EUR of a customer.
async fn open_invoice(who: &Caller<'_>, customer: &Value) -> Value {
    let lines = json!([{ "description": "Setup", "quantity": 2, "unit_price": 500 }]);
    let draft = made(who, "/invoices", json!({ "customer": id(customer), "lines": lines })).await;
    made(who, &format!("/invoices/{}/finalize", id(&draft)), json!({})).await
}

/// A payment with a token, after whatever comes of it at once.
async fn pay(host: &TestHost, who: &Caller<'_>, invoice: &Value, token: &str) -> Value {
    let payment = made(who, &format!("/invoices/{}/pay", id(invoice)), json!({ "token": token })).await;
    assert_eq!(payment["state"], "pending");
    host.settle_events().await;
    get(who, &format!("/payments/{}", id(&payment))).await
}

/// What an account holds in EUR: debits less credits.
async fn balance(host: &TestHost, account: &str) -> i64 {
    let balance = get(&root(host), "/ledger/trial-balance").await;
    let of = balance["accounts"].as_array().unwrap().iter().find(|of| of["account"] == account);
    of.map_or(0, |of| of["debit"].as_i64().unwrap() - of["credit"].as_i64().unwrap())
}

/// Everything balances, nothing is stuck, and no token is in what was logged, published or recorded.
async fn all_is_well(host: &TestHost) {
    host.settle_events().await;
    let check = get(&root(host), "/ledger/check").await;
    assert_eq!(check, json!({ "balanced": true, "findings": [] }));
    let dead = host.events().dead_letters().await;
    assert!(dead.is_empty(), "{dead:?}");
    let mut all = host.logs().lines().join("\n");
    for subject in [
        "wharf.audit.recorded.v1",
        "billing.payment.succeeded.v1",
        "billing.payment.failed.v1",
    ] {
        for event in host.events().published(subject).await {
            all.push_str(&event.envelope.to_string());
        }
    }
    assert!(!all.contains("tok_"), "{all}");
}

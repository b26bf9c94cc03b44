//! Subscriptions in their life, and what each of it costs.

use serde_json::json;

use super::{all_is_well, code, customer, get, host, id, made, months_ago, plan, post, root, run, subscribe};
use crate::domain::calendar::{days_after, days_between};
use crate::journal::SubscriptionChanged;
use crate::text;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_subscription_that_ends_today_is_billed_for_the_days_it_ran() {
    let host = host().await;
    let root = root(&host);
    let (ada, pro) = (customer(&root, "ada").await, plan(&root, "pro").await);
    let start = text::today().checked_sub(jiff::Span::new().days(10)).unwrap();
    let subscription = subscribe(&root, &ada, &pro, &start.to_string()).await;
    let path = format!("/subscriptions/{}", id(&subscription));
    let ended = made(&root, &format!("{path}/cancel"), json!({ "at_period_end": false })).await;
    assert_eq!(
        (ended["status"].as_str(), ended["ends_on"].as_str()),
        (Some("cancelled"), Some(text::today().to_string().as_str()))
    );
    assert_eq!(run(&host, &root).await, 1);
    let end = days_after(start, 0).unwrap().checked_add(jiff::Span::new().months(1)).unwrap();
    let exact = 10_000.0 / days_between(start, end) as f64;
    let subtotal = get(&root, "/invoices").await["items"][0]["subtotal"].as_f64().unwrap();
    assert!((subtotal - exact).abs() <= 0.5, "{subtotal} for ten days of {exact}");
    assert_eq!(get(&root, &path).await["next_invoice"], json!(null));
    let again = post(&root, &format!("{path}/cancel"), json!({})).await;
    assert_eq!((again.status.as_u16(), code(&again).as_str()), (409, "subscription-state"));
    let late = json!({ "records": [{ "subscription": id(&subscription), "feature": "posts", "quantity": 1, "key": "late" }] });
    let late = post(&root, "/usage", late).await;
    assert_eq!((late.status.as_u16(), code(&late).as_str()), (409, "subscription-ended"));
    assert_eq!(run(&host, &root).await, 0);
    all_is_well(&host).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_change_is_told_and_leads_where_it_should() {
    let host = host().await;
    let root = root(&host);
    let (ada, pro, max) = (customer(&root, "ada").await, plan(&root, "pro").await, plan(&root, "max").await);
    let subscription = subscribe(&root, &ada, &pro, &text::today().to_string()).await;
    let path = format!("/subscriptions/{}", id(&subscription));
    assert_eq!(made(&root, &format!("{path}/pause"), json!({})).await["status"], "paused");
    let twice = post(&root, &format!("{path}/pause"), json!({})).await;
    assert_eq!(code(&twice), "subscription-state");
    assert_eq!(made(&root, &format!("{path}/resume"), json!({})).await["status"], "active");
    assert_eq!(
        made(&root, &format!("{path}/change"), json!({ "plan": id(&max) })).await["plan"],
        max["id"]
    );
    let ended = made(&root, &format!("{path}/cancel"), json!({ "at_period_end": true })).await;
    let month = text::today().checked_add(jiff::Span::new().months(1)).unwrap();
    assert_eq!(ended["ends_on"], month.to_string());
    let told: Vec<SubscriptionChanged> = host.events().data("billing.subscription.changed.v1").await;
    let told: Vec<_> = told.iter().map(|told| told.status.as_str()).collect();
    assert_eq!(told, ["active", "paused", "active", "active", "cancelled"]);
    all_is_well(&host).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_trial_costs_nothing_and_is_given_once() {
    let host = host().await;
    let root = root(&host);
    let ada = customer(&root, "ada").await;
    let new = json!({ "code": "trial", "name": "Trial", "currency": "EUR", "price": 3000, "interval": "month", "trial_days": 32 });
    let trial = made(&root, "/plans", new).await;
    let first = subscribe(&root, &ada, &trial, &months_ago(1).to_string()).await;
    assert_eq!(first["status"], "trialing");
    assert_eq!(run(&host, &root).await, 0, "a period that costs nothing has no invoice");
    let second = subscribe(&root, &ada, &trial, &months_ago(1).to_string()).await;
    assert_eq!((second["status"].as_str(), &second["trial_end"]), (Some("active"), &json!(null)));
    assert_eq!(run(&host, &root).await, 1);
    // A trial that is over makes a subscription active.
    let bob = customer(&root, "bob").await;
    let over = subscribe(&root, &bob, &trial, &months_ago(1).to_string()).await;
    assert_eq!(over["status"], "trialing");
    host.advance(std::time::Duration::from_secs(5 * 86_400));
    host.run_job("billing", "invoice-run").await;
    host.settle_events().await;
    assert_eq!(get(&root, &format!("/subscriptions/{}", id(&over))).await["status"], "active");
    all_is_well(&host).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_does_not_fit_is_refused() {
    let host = host().await;
    let root = root(&host);
    let (ada, pro) = (customer(&root, "ada").await, plan(&root, "pro").await);
    let yen = json!({ "code": "yen", "name": "Yen", "currency": "JPY", "price": 1, "interval": "month" });
    let yen = made(&root, "/plans", yen).await;
    let new = |plan: &serde_json::Value, start: &str| json!({ "customer": id(&ada), "plan": id(plan), "start": start });
    let today = text::today().to_string();
    let other_currency = post(&root, "/subscriptions", new(&yen, &today)).await;
    assert_eq!(code(&other_currency), "plan-does-not-fit");
    let tomorrow = days_after(text::today(), 2).unwrap().to_string();
    assert_eq!(post(&root, "/subscriptions", new(&pro, &tomorrow)).await.status, 422);
    assert_eq!(post(&root, "/subscriptions", new(&ada, &today)).await.status, 404);
    assert_eq!(root.delete(&format!("/billing/plans/{}", id(&pro))).await.status, 204);
    assert_eq!(code(&post(&root, "/subscriptions", new(&pro, &today)).await), "plan-archived");
    let twice = json!({ "code": "yen", "name": "Yen", "currency": "JPY", "price": 1, "interval": "month" });
    assert_eq!(code(&post(&root, "/plans", twice).await), "exists");
    let odd = json!({ "code": "odd", "name": "Odd", "currency": "EUR", "price": 1, "interval": "month", "meters": [{ "feature": "x", "tiers": [] }] });
    assert_eq!(post(&root, "/plans", odd).await.status, 422);
}

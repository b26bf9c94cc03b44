//! Payments: what comes of each token, and that nobody pays twice.

use serde_json::json;

use super::{all_is_well, balance, builder, code, customer, get, host, id, open_invoice, pay, post, root};
use crate::journal::{PaymentFailed, PaymentSucceeded};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_payment_that_succeeds_pays_the_invoice_once() {
    let host = host().await;
    let root = root(&host);
    let ada = customer(&root, "ada").await;
    let invoice = open_invoice(&root, &ada).await;
    // The customer pays in her own name.
    let paid = pay(&host, &host.as_user("ada"), &invoice, "tok_ok").await;
    assert_eq!((&paid["state"], &paid["amount"]), (&json!("succeeded"), &json!(1190)));
    let shown = get(&root, &format!("/invoices/{}", id(&invoice))).await;
    assert_eq!(shown["invoice"]["state"], "paid");
    assert_eq!((balance(&host, "cash").await, balance(&host, "receivable").await), (1190, 0));
    let again = post(&root, &format!("/invoices/{}/pay", id(&invoice)), json!({ "token": "tok_ok" })).await;
    assert_eq!((again.status.as_u16(), code(&again).as_str()), (409, "invoice-state"));
    let told: Vec<PaymentSucceeded> = host.events().data("billing.payment.succeeded.v1").await;
    assert_eq!(told.len(), 1);
    all_is_well(&host).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_payment_that_fails_leaves_the_invoice_open_for_another_one() {
    let host = host().await;
    let root = root(&host);
    let invoice = open_invoice(&root, &customer(&root, "ada").await).await;
    for (token, failure) in [("tok_declined", "card_declined"), ("tok_nonsense", "invalid_token")] {
        let failed = pay(&host, &root, &invoice, token).await;
        assert_eq!((&failed["state"], &failed["failure"]), (&json!("failed"), &json!(failure)));
    }
    assert_eq!(pay(&host, &root, &invoice, "tok_ok").await["state"], "succeeded");
    let told: Vec<PaymentFailed> = host.events().data("billing.payment.failed.v1").await;
    assert_eq!(told.len(), 2);
    let all = get(&root, &format!("/invoices/{}/payments", id(&invoice))).await;
    assert_eq!(all["total"], 3);
    all_is_well(&host).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_pay_at_once_one_does() {
    let host = host().await;
    let root = root(&host);
    let invoice = open_invoice(&root, &customer(&root, "ada").await).await;
    let path = format!("/invoices/{}/pay", id(&invoice));
    let pay = || post(&root, &path, json!({ "token": "tok_ok" }));
    let all = tokio::join!(pay(), pay(), pay(), pay(), pay());
    let statuses = [all.0.status, all.1.status, all.2.status, all.3.status, all.4.status].map(|status| status.as_u16());
    assert_eq!(statuses.iter().filter(|status| **status == 202).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 202 | 409)), "{statuses:?}");
    host.settle_events().await;
    assert_eq!(balance(&host, "cash").await, 1190);
    all_is_well(&host).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_a_payment_hangs_the_invoice_can_neither_be_paid_again_nor_closed() {
    let host = host().await;
    let root = root(&host);
    let invoice = open_invoice(&root, &customer(&root, "ada").await).await;
    let hanging = pay(&host, &root, &invoice, "tok_away").await;
    assert_eq!(hanging["state"], "pending");
    for what in ["pay", "void", "uncollectible"] {
        let answer = post(&root, &format!("/invoices/{}/{what}", id(&invoice)), json!({ "token": "tok_ok" })).await;
        assert_eq!((answer.status.as_u16(), code(&answer).as_str()), (409, "payment-pending"), "{what}");
    }
    // Who looks after what hangs asks again, and writes nothing down that nobody has said.
    host.advance(std::time::Duration::from_secs(3600));
    host.run_job("billing", "settle").await;
    host.settle_events().await;
    let lines = host.logs().lines();
    let asked = lines.iter().filter(|line| line.contains("a payment hangs")).count();
    assert!(asked >= 2, "asked {asked} times: {lines:?}");
    assert_eq!(get(&root, &format!("/payments/{}", id(&hanging))).await["state"], "pending");
    assert_eq!(balance(&host, "cash").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_a_provider_nothing_is_paid() {
    let host = builder().config("billing", json!({})).start().await;
    let root = root(&host);
    let invoice = open_invoice(&root, &customer(&root, "ada").await).await;
    let answer = post(&root, &format!("/invoices/{}/pay", id(&invoice)), json!({ "token": "tok_ok" })).await;
    assert_eq!((answer.status.as_u16(), code(&answer).as_str()), (409, "no-provider"));
}

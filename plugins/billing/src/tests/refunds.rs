//! Refunds, which never come to more than what was paid.

use serde_json::json;

use super::{all_is_well, balance, code, customer, get, host, id, made, open_invoice, pay, post, root};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parts_and_then_the_rest_are_given_back_with_all_of_the_tax() {
    let host = host().await;
    let root = root(&host);
    let invoice = open_invoice(&root, &customer(&root, "ada").await).await;
    let payment = pay(&host, &root, &invoice, "tok_ok").await;
    let path = format!("/payments/{}/refunds", id(&payment));
    for amount in [333, 1] {
        let refund = made(&root, &path, json!({ "amount": amount, "reason": "sorry" })).await;
        assert_eq!((&refund["state"], &refund["amount"]), (&json!("pending"), &json!(amount)));
        host.settle_events().await;
        let refund = get(&root, &format!("/refunds/{}", id(&refund))).await;
        assert_eq!(refund["state"], "succeeded");
    }
    let more = post(&root, &path, json!({ "amount": 857 })).await;
    assert_eq!((more.status.as_u16(), code(&more).as_str()), (409, "refund-exceeds-payment"));
    let rest = made(&root, &path, json!({})).await;
    assert_eq!(rest["amount"], 856);
    host.settle_events().await;
    let nothing = post(&root, &path, json!({})).await;
    assert_eq!((nothing.status.as_u16(), code(&nothing).as_str()), (409, "refund-exceeds-payment"));
    let invoice = get(&root, &format!("/invoices/{}", id(&invoice))).await;
    assert_eq!(invoice["invoice"]["refunded"], 1190);
    let all = [
        balance(&host, "cash").await,
        balance(&host, "tax").await,
        balance(&host, "refunds").await,
    ];
    assert_eq!(all, [0, 0, 1000]);
    assert_eq!(get(&root, &path).await["total"], 3);
    all_is_well(&host).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn refunds_at_once_never_come_to_more_than_was_paid() {
    let host = host().await;
    let root = root(&host);
    let invoice = open_invoice(&root, &customer(&root, "ada").await).await;
    let payment = pay(&host, &root, &invoice, "tok_ok").await;
    let path = format!("/payments/{}/refunds", id(&payment));
    let refund = || post(&root, &path, json!({ "amount": 500 }));
    let all = tokio::join!(refund(), refund(), refund(), refund());
    let statuses = [all.0.status, all.1.status, all.2.status, all.3.status].map(|status| status.as_u16());
    assert_eq!(statuses.iter().filter(|status| **status == 202).count(), 2, "{statuses:?}");
    host.settle_events().await;
    assert_eq!(balance(&host, "cash").await, 190);
    all_is_well(&host).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_not_paid_is_not_given_back() {
    let host = host().await;
    let root = root(&host);
    let invoice = open_invoice(&root, &customer(&root, "ada").await).await;
    let failed = pay(&host, &root, &invoice, "tok_declined").await;
    let answer = post(&root, &format!("/payments/{}/refunds", id(&failed)), json!({ "amount": 1 })).await;
    assert_eq!((answer.status.as_u16(), code(&answer).as_str()), (409, "payment-state"));
    for wrong in [
        json!({ "amount": 0 }),
        json!({ "amount": -1 }),
        json!({ "reason": "" }),
        json!({ "amount": 1.5 }),
    ] {
        let paid = open_invoice(&root, &customer(&root, &format!("c{}", crate::text::new_id())).await).await;
        let paid = pay(&host, &root, &paid, "tok_ok").await;
        let answer = post(&root, &format!("/payments/{}/refunds", id(&paid)), wrong.clone()).await;
        assert_eq!(answer.status, 422, "{wrong}: {}", answer.text());
    }
}

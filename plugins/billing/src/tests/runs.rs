//! The invoice run: every period once, whoever asks and however often.

use serde_json::json;
use wharf_testing::TestHost;

use super::{all_is_well, balance, builder, customer, get, host, id, made, months_ago, plan, post, root, run, subscribe};
use crate::domain::calendar::days_after;
use crate::journal::InvoiceIssued;
use crate::text;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_period_is_billed_once_with_what_was_used_in_it() {
    let host = host().await;
    let root = root(&host);
    let (ada, pro) = (customer(&root, "ada").await, plan(&root, "pro").await);
    let start = months_ago(2);
    let subscription = subscribe(&root, &ada, &pro, &start.to_string()).await;
    let at = format!("{}T12:00:00Z", days_after(start, 1).unwrap());
    let record =
        |key: &str, quantity| json!({ "subscription": id(&subscription), "feature": "posts", "quantity": quantity, "key": key, "at": at });
    let records = json!({ "records": [record("a", 4), record("b", 1), record("a", 4)] });
    assert_eq!(made(&root, "/usage", records).await, json!({ "accepted": 2, "duplicates": 1 }));
    let open = get(&root, &format!("/subscriptions/{}/usage", id(&subscription))).await;
    assert_eq!(open, json!({ "features": [{ "feature": "posts", "quantity": 5 }] }));

    assert_eq!(run(&host, &root).await, 2);
    let invoices = get(&root, "/invoices").await;
    let shown: Vec<_> = invoices["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|invoice| {
            json!([
                invoice["number"],
                invoice["subtotal"],
                invoice["tax"],
                invoice["total"],
                invoice["state"]
            ])
        })
        .collect();
    // 10.00, and two posts beyond the three that are free; then 10.00. 19 % of 1100 and of 1000.
    assert_eq!(shown, [json!([1, 1100, 209, 1309, "open"]), json!([2, 1000, 190, 1190, "open"])]);
    assert_eq!((invoices["total"].as_i64(), balance(&host, "receivable").await), (Some(2), 2499));
    let first = get(&root, &format!("/invoices/{}", id(&invoices["items"][0]))).await;
    assert_eq!(first["lines"][1]["description"], "pro: posts");
    assert_eq!(first["invoice"]["period_start"], start.to_string());

    assert_eq!(run(&host, &root).await, 0, "a second run finds nothing");
    host.run_job("billing", "invoice-run").await;
    host.settle_events().await;
    assert_eq!(get(&root, "/invoices").await["total"], 2);
    let told: Vec<InvoiceIssued> = host.events().data("billing.invoice.issued.v1").await;
    assert_eq!(
        told.iter().map(|told| (told.number, told.total)).collect::<Vec<_>>(),
        [(1, 1309), (2, 1190)]
    );
    let mail = host.mail_to("ada@example.org").await;
    assert!(
        mail.text.contains("Total: 13.09 EUR") || mail.text.contains("Total: 11.90 EUR"),
        "{}",
        mail.text
    );
    all_is_well(&host).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn usage_that_comes_late_is_in_the_next_invoice() {
    let host = host().await;
    let root = root(&host);
    let (ada, pro) = (customer(&root, "ada").await, plan(&root, "pro").await);
    let start = months_ago(2);
    let subscription = subscribe(&root, &ada, &pro, &start.to_string()).await;
    let first_end = months_ago(1);
    made(&root, "/invoice-runs", json!({ "through": first_end.to_string() })).await;
    host.settle_events().await;
    assert_eq!(get(&root, "/invoices").await["total"], 1);
    let late = json!({ "records": [{ "subscription": id(&subscription), "feature": "posts", "quantity": 5, "key": "late", "at": format!("{start}T00:00:00Z") }] });
    made(&root, "/usage", late).await;
    assert_eq!(run(&host, &root).await, 1);
    assert_eq!(get(&root, "/invoices").await["items"][1]["subtotal"], 1100);
    all_is_well(&host).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn runs_on_two_nodes_at_once_write_one_invoice_for_each_period_without_gaps() {
    let host = host().await;
    let other = builder().beside(&host, "other").start().await;
    let here = root(&host);
    let pro = plan(&here, "pro").await;
    for name in 0..8 {
        let of = customer(&here, &format!("c{name}")).await;
        subscribe(&here, &of, &pro, &months_ago(3).to_string()).await;
    }
    let there = root(&other);
    let ask = |who| post(who, "/invoice-runs", json!({}));
    let all = tokio::join!(ask(&here), ask(&there), ask(&here), ask(&there));
    for answer in [all.0, all.1, all.2, all.3] {
        assert_eq!(answer.status, 202, "{}", answer.text());
    }
    host.settle_events().await;
    other.settle_events().await;
    assert_eq!(numbers(&host).await, (1..=24).collect::<Vec<i64>>());
    all_is_well(&host).await;
    assert_eq!(other.stop().await, [""; 0]);
}

async fn numbers(host: &TestHost) -> Vec<i64> {
    let list = get(&root(host), "/invoices?page_size=200").await;
    let mut numbers: Vec<i64> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|of| of["number"].as_i64().unwrap())
        .collect();
    numbers.sort_unstable();
    numbers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_overdue_says_so_until_it_is_paid() {
    let config = json!({ "provider": "test", "due_days": 0 });
    let host = builder().config("billing", config).start().await;
    let root = root(&host);
    let (ada, pro) = (customer(&root, "ada").await, plan(&root, "pro").await);
    let subscription = subscribe(&root, &ada, &pro, &months_ago(1).to_string()).await;
    assert_eq!(run(&host, &root).await, 1);
    let path = format!("/subscriptions/{}", id(&subscription));
    assert_eq!(get(&root, &path).await["status"], "active");
    // The run of a later day: the host's clock moves, ours does not.
    host.advance(std::time::Duration::from_secs(2 * 86_400));
    host.run_job("billing", "invoice-run").await;
    host.settle_events().await;
    assert_eq!(get(&root, &path).await["status"], "past_due");
    let invoice = get(&root, "/invoices").await["items"][0].clone();
    super::pay(&host, &root, &invoice, "tok_ok").await;
    assert_eq!(get(&root, &path).await["status"], "active");
    all_is_well(&host).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_run_of_the_future_is_refused() {
    let host = host().await;
    let tomorrow = days_after(text::today(), 2).unwrap();
    let answer = post(&root(&host), "/invoice-runs", json!({ "through": tomorrow.to_string() })).await;
    assert_eq!(answer.status, 422, "{}", answer.text());
}

//! Invoices that people write, and customers that change.

use axum::http::Method;
use serde_json::json;

use super::{all_is_well, balance, code, customer, get, host, id, made, open_invoice, post, request, root};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_draft_is_issued_voided_or_written_off_and_the_ledger_follows() {
    let host = host().await;
    let root = root(&host);
    let ada = customer(&root, "ada").await;
    let open = open_invoice(&root, &ada).await;
    assert_eq!(
        (&open["number"], &open["total"], &open["state"]),
        (&json!(1), &json!(1190), &json!("open"))
    );
    assert_eq!(
        (
            balance(&host, "receivable").await,
            balance(&host, "revenue").await,
            balance(&host, "tax").await
        ),
        (1190, -1000, -190)
    );
    let void = made(&root, &format!("/invoices/{}/void", id(&open)), json!({})).await;
    assert_eq!(
        (&void["state"], balance(&host, "receivable").await, balance(&host, "tax").await),
        (&json!("void"), 0, 0)
    );
    let again = post(&root, &format!("/invoices/{}/void", id(&open)), json!({})).await;
    assert_eq!((again.status.as_u16(), code(&again).as_str()), (409, "invoice-state"));

    let second = open_invoice(&root, &ada).await;
    assert_eq!(second["number"], 2);
    made(&root, &format!("/invoices/{}/uncollectible", id(&second)), json!({})).await;
    assert_eq!((balance(&host, "receivable").await, balance(&host, "bad_debt").await), (0, 1190));

    // A draft that is voided never had a number, and leaves none behind.
    let lines = json!([{ "description": "Free", "quantity": 1, "unit_price": 0 }]);
    let draft = made(&root, "/invoices", json!({ "customer": id(&ada), "lines": lines })).await;
    assert_eq!((&draft["number"], &draft["state"]), (&json!(null), &json!("draft")));
    made(&root, &format!("/invoices/{}/void", id(&draft)), json!({})).await;
    let free = made(&root, "/invoices", json!({ "customer": id(&ada), "lines": lines })).await;
    let free = made(&root, &format!("/invoices/{}/finalize", id(&free)), json!({})).await;
    assert_eq!(
        (&free["number"], &free["state"]),
        (&json!(3), &json!("paid")),
        "nothing is owed for nothing"
    );
    let entries = get(&root, &format!("/ledger/entries?invoice={}", id(&second))).await;
    assert_eq!(entries["total"], 5, "{entries}");
    all_is_well(&host).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_issue_that_comes_twice_with_its_key_happens_once() {
    let host = host().await;
    let root = root(&host);
    let ada = customer(&root, "ada").await;
    let lines = json!([{ "description": "Setup", "quantity": 1, "unit_price": 500 }]);
    let new = json!({ "customer": id(&ada), "lines": lines });
    let first = super::post_with_key(&root, "/invoices", "k1", new.clone()).await;
    let second = super::post_with_key(&root, "/invoices", "k1", new.clone()).await;
    assert_eq!(
        (first.status.as_u16(), second.status.as_u16(), first.text()),
        (201, 201, second.text())
    );
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    let other = super::post_with_key(&root, "/invoices", "k1", json!({ "customer": id(&ada), "lines": [] })).await;
    assert_eq!((other.status.as_u16(), code(&other).as_str()), (422, "idempotency-key-reused"));
    let without = root.request(request(Method::POST, "/billing/invoices", &[], &new)).await;
    assert_eq!(without.status, 400, "{}", without.text());
    assert_eq!(get(&root, "/invoices").await["total"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_customer_is_changed_by_whoever_has_read_the_last_version() {
    let host = host().await;
    let root = root(&host);
    let ada = customer(&root, "ada").await;
    let path = format!("/billing/customers/{}", id(&ada));
    let tag = root.get(&path).await.header("etag").unwrap().to_owned();
    let change = |fields: Vec<(&'static str, String)>, body: serde_json::Value| {
        let (root, path) = (&root, &path);
        async move {
            let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            root.request(request(Method::PATCH, path, &fields, &body)).await
        }
    };
    assert_eq!(change(vec![], json!({ "name": "Ada L." })).await.status, 428);
    let changed = change(vec![("if-match", tag.clone())], json!({ "name": "Ada L.", "tax_bps": 700 })).await;
    assert_eq!(
        (changed.status.as_u16(), changed.header("etag")),
        (200, Some("\"2\"")),
        "{}",
        changed.text()
    );
    assert_eq!(change(vec![("if-match", tag)], json!({ "name": "Eve" })).await.status, 412);
    assert_eq!(
        change(vec![("if-match", "\"2\"".to_owned())], json!({ "tax_bps": 10001 }))
            .await
            .status,
        422
    );
    let invoice = open_invoice(&root, &ada).await;
    assert_eq!((&invoice["tax_bps"], &invoice["tax"]), (&json!(700), &json!(70)));
    let twice = post(&root, "/customers", json!({ "name": "A", "owner": "user:ada", "currency": "EUR" })).await;
    assert_eq!((twice.status.as_u16(), code(&twice).as_str()), (409, "exists"));
    all_is_well(&host).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_cannot_be_read_is_a_problem_and_never_an_error_of_ours() {
    let host = host().await;
    let root = root(&host);
    let ada = customer(&root, "ada").await;
    let broken = axum::http::Request::post("/billing/invoices")
        .header("idempotency-key", "a")
        .header("content-type", "application/json");
    let broken = root.request(broken.body(wharf_testing::Body::full("{")).unwrap()).await;
    assert_eq!(
        (broken.status.as_u16(), broken.header("content-type")),
        (400, Some("application/problem+json"))
    );
    let plain = axum::http::Request::post("/billing/invoices").header("idempotency-key", "b");
    let plain = root.request(plain.body(wharf_testing::Body::full("{}")).unwrap()).await;
    assert_eq!(plain.status, 415, "{}", plain.text());
    let line = |quantity: u64, price: i64| json!([{ "description": "x", "quantity": quantity, "unit_price": price }]);
    for lines in [
        json!([]),
        line(0, 1),
        line(1, -1),
        line(1_000_000, 1_000_000_000_000),
        json!([{ "description": "\u{0}", "quantity": 1, "unit_price": 1 }]),
    ] {
        let answer = post(&root, "/invoices", json!({ "customer": id(&ada), "lines": lines })).await;
        assert_eq!(answer.status, 422, "{lines}: {}", answer.text());
    }
    for (path, status) in [
        ("/invoices?page_size=0", 422),
        ("/invoices?page_size=x", 400),
        ("/invoices?page_token=x", 422),
        ("/invoices?state=lost", 400),
        ("/invoices?customer=x", 422),
        ("/subscriptions?customer=x", 422),
        ("/ledger/entries?invoice=x", 422),
        ("/invoices?unknown=1", 400),
        ("/invoices/17", 404),
        ("/invoices/%00", 404),
    ] {
        let answer = root.get(&format!("/billing{path}")).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
    }
}

//! Who sees and does what: people their own, other tenants nothing, in rows, lists and counts.

use serde_json::json;
use wharf_testing::TestHost;

use super::{OWN, builder, customer, get, host, id, months_ago, open_invoice, pay, plan, post, root, run, subscribe};

/// Paths of everything that belongs to ada, and of every list.
async fn stocked(host: &TestHost) -> (Vec<String>, Vec<&'static str>) {
    let root = root(host);
    let (ada, bob) = (customer(&root, "ada").await, customer(&root, "bob").await);
    let pro = plan(&root, "pro").await;
    let subscription = subscribe(&root, &ada, &pro, &months_ago(1).to_string()).await;
    subscribe(&root, &bob, &pro, &months_ago(2).to_string()).await;
    run(host, &root).await;
    let invoice = open_invoice(&root, &ada).await;
    let payment = pay(host, &root, &invoice, "tok_ok").await;
    let refund = super::made(&root, &format!("/payments/{}/refunds", id(&payment)), json!({ "amount": 5 })).await;
    host.settle_events().await;
    let rows = vec![
        format!("/customers/{}", id(&ada)),
        format!("/subscriptions/{}", id(&subscription)),
        format!("/subscriptions/{}/usage", id(&subscription)),
        format!("/invoices/{}", id(&invoice)),
        format!("/invoices/{}/payments", id(&invoice)),
        format!("/payments/{}", id(&payment)),
        format!("/payments/{}/refunds", id(&payment)),
        format!("/refunds/{}", id(&refund)),
    ];
    (rows, vec!["/customers", "/subscriptions", "/invoices", "/me/invoices"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn people_see_what_is_theirs_in_rows_lists_and_counts() {
    let host = host().await;
    let (rows, lists) = stocked(&host).await;
    let (ada, bob, eve) = (host.as_user("ada"), host.as_user("bob"), host.as_user("eve"));
    for row in &rows {
        get(&ada, row).await;
        for other in [&bob, &eve] {
            let answer = other.get(&format!("/billing{row}")).await;
            assert_eq!(answer.status, 404, "{row}: {}", answer.text());
        }
    }
    let mut totals = Vec::new();
    for list in &lists {
        for who in [&ada, &bob, &eve] {
            let found = get(who, list).await;
            assert_eq!(
                found["total"].as_u64().unwrap(),
                found["items"].as_array().unwrap().len() as u64,
                "{list}"
            );
            totals.push(found["total"].as_u64().unwrap());
        }
    }
    assert_eq!(totals, [1, 1, 0, 1, 1, 0, 2, 2, 0, 2, 2, 0]);
    let root = root(&host);
    let all: Vec<_> = [
        get(&root, "/customers").await,
        get(&root, "/subscriptions").await,
        get(&root, "/invoices").await,
    ]
    .into();
    assert_eq!(
        all.iter().map(|list| list["total"].as_u64().unwrap()).collect::<Vec<_>>(),
        [2, 2, 4]
    );
    assert_eq!(get(&root, "/me/invoices").await["total"], 0, "nobody's invoices are everybody's");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn another_tenant_sees_nothing_whatever_it_may() {
    let host = host().await;
    let (rows, lists) = stocked(&host).await;
    for who in [root(&host).of_tenant("other"), host.as_user("ada").of_tenant("other")] {
        for row in &rows {
            let answer = who.get(&format!("/billing{row}")).await;
            assert_eq!(answer.status, 404, "{row}: {}", answer.text());
        }
        for list in lists.iter().copied().chain(["/plans"]) {
            let found = get(&who, list).await;
            assert_eq!(found, json!({ "items": [], "next_page_token": "", "total": 0 }), "{list}");
        }
    }
    let other = root(&host).of_tenant("other");
    assert_eq!(get(&other, "/ledger/trial-balance").await, json!({ "accounts": [] }));
    assert_eq!(get(&other, "/ledger/entries").await["total"], 0);
    // Nor can it do anything to it; and its numbers begin anew.
    let invoice = get(&root(&host), "/invoices").await["items"][0].clone();
    for what in ["void", "uncollectible", "finalize"] {
        assert_eq!(
            post(&other, &format!("/invoices/{}/{what}", id(&invoice)), json!({})).await.status,
            404
        );
    }
    assert_eq!(
        post(&other, &format!("/invoices/{}/pay", id(&invoice)), json!({ "token": "tok_ok" }))
            .await
            .status,
        404
    );
    let theirs = open_invoice(&other, &customer(&other, "ada").await).await;
    assert_eq!(theirs["number"], 1);
    assert_eq!(run(&host, &other).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_people_may_not_do_is_refused() {
    let host = host().await;
    let root = root(&host);
    let (ada, pro) = (customer(&root, "ada").await, plan(&root, "pro").await);
    let invoice = open_invoice(&root, &ada).await;
    let (own, other) = (host.as_user("ada"), host.as_user("bob"));
    let subscription = json!({ "customer": id(&ada), "plan": id(&pro) });
    assert_eq!(post(&other, "/subscriptions", subscription.clone()).await.status, 404);
    assert_eq!(post(&own, "/subscriptions", subscription).await.status, 201);
    assert_eq!(
        post(&other, &format!("/invoices/{}/pay", id(&invoice)), json!({ "token": "tok_ok" }))
            .await
            .status,
        404
    );
    for path in [
        "/customers".to_owned(),
        "/plans".to_owned(),
        "/usage".to_owned(),
        "/invoices".to_owned(),
        "/invoice-runs".to_owned(),
        format!("/invoices/{}/void", id(&invoice)),
        format!("/payments/{}/refunds", id(&invoice)),
    ] {
        assert_eq!(post(&own, &path, json!({})).await.status, 403, "{path}");
        assert_eq!(host.post(&format!("/billing{path}"), &json!({})).await.status, 401, "{path}");
    }
    for path in ["/ledger/trial-balance", "/ledger/entries", "/ledger/check"] {
        assert_eq!(own.get(&format!("/billing{path}")).await.status, 403, "{path}");
    }
    for path in ["/customers", "/plans", "/subscriptions", "/invoices", "/me/invoices"] {
        assert_eq!(host.get(&format!("/billing{path}")).await.status, 401, "{path}");
    }
    // A draft is nobody's but theirs who write it.
    let lines = json!([{ "description": "Draft", "quantity": 1, "unit_price": 1 }]);
    let draft = super::made(&root, "/invoices", json!({ "customer": id(&ada), "lines": lines })).await;
    assert_eq!(own.get(&format!("/billing/invoices/{}", id(&draft))).await.status, 404);
    assert_eq!(
        (
            get(&own, "/invoices").await["total"].as_u64(),
            get(&root, "/invoices").await["total"].as_u64()
        ),
        (Some(1), Some(2))
    );
    // Reading does not let anybody write: a customer may read hers, and not change it.
    let change = super::request(
        axum::http::Method::PATCH,
        &format!("/billing/customers/{}", id(&ada)),
        &[("if-match", "\"1\"")],
        &json!({}),
    );
    assert_eq!(own.request(change).await.status, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn where_the_rules_are_not_known_nothing_is_shown() {
    let host = builder().without_rules().start().await;
    for path in ["/customers", "/subscriptions", "/invoices"] {
        let answer = host.as_user("ada").get(&format!("/billing{path}")).await;
        assert_eq!(answer.status, 503, "{path}: {}", answer.text());
    }
    assert!(!OWN.is_empty());
}

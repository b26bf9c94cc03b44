//! What bookkeepers do, over HTTP and gRPC, while authors who pay by the post publish.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::json;
use wharf_proto::billing::v1 as pb;
use wharf_proto::billing::v1::customers_client::CustomersClient;
use wharf_proto::billing::v1::invoices_client::InvoicesClient;

use super::{Posts, Scene, Traffic, text};

/// What one invoice is about, in cents.
const PRICE: i64 = 500;

/// Customers that were made, with the addresses they must have.
#[derive(Debug, Default)]
pub(crate) struct Customers {
    pub(crate) posts: Posts,
    kept: Mutex<Vec<(String, String)>>,
    issued: AtomicI64,
}

impl Customers {
    /// Makes a customer, gives them another address, and an invoice.
    pub(crate) fn bill(&self, scene: &Scene, node: usize, name: &str) {
        let new = json!({ "name": name, "email": format!("{name}@first.example.org"), "currency": "EUR" });
        let customer = scene.made(node, "/billing/customers", &format!("customer-{name}"), &new);
        let path = format!("/billing/customers/{}", text(&customer, "id"));
        let email = format!("{name}@{}.example.org", &name[name.len() - 1..]);
        let version = format!("\"{}\"", customer["version"]);
        let changed = scene.ask(node, "PATCH", &path, &[("if-match", &version)], &json!({ "email": email }));
        assert_eq!(text(&changed, "email"), email);
        self.kept.lock().unwrap().push((text(&customer, "id").to_owned(), email.clone()));
        let other = (node + 1) % scene.nodes.len();
        assert_eq!(text(&scene.get(other, &path), "email"), email);

        let lines = json!([{ "description": "Setup", "quantity": 1, "unit_price": PRICE }]);
        let draft = json!({ "customer": customer["id"], "lines": lines });
        let draft = scene.made(node, "/billing/invoices", &format!("draft-{name}"), &draft);
        let path = format!("/billing/invoices/{}/finalize", text(&draft, "id"));
        let issued = scene.made(node, &path, &format!("issue-{name}"), &json!({}));
        assert_eq!(issued["total"], PRICE, "{issued}");
        self.issued.fetch_add(1, Ordering::SeqCst);
    }

    /// What was issued was counted once by analytics, and stands in the ledger once.
    pub(crate) fn were_told_once(&self, scene: &Scene) {
        scene.settle();
        let issued = self.issued.load(Ordering::SeqCst);
        assert_eq!(scene.totals(0, "billing.invoice.issued").0, issued);
        assert_eq!(scene.totals(0, "billing.invoice.amount.eur"), (issued, issued * PRICE));
        let check = scene.get(0, "/billing/ledger/check");
        assert_eq!(check, json!({ "balanced": true, "findings": [] }));
        let balance = scene.get(0, "/billing/ledger/trial-balance");
        let accounts = balance["accounts"].as_array().expect("accounts").iter();
        let owed = accounts.filter(|account| account["account"] == "receivable");
        let owed: i64 = owed.filter_map(|of| Some(of["debit"].as_i64()? - of["credit"].as_i64()?)).sum();
        assert_eq!(owed, issued * PRICE, "{balance}");
    }

    fn over_grpc(&self, scene: &Scene, node: usize, name: &str) {
        let new = pb::CreateCustomerRequest {
            name: name.to_owned(),
            email: Some(format!("{name}@grpc.example.org")),
            currency: "EUR".to_owned(),
            ..Default::default()
        };
        let email = new.email.clone();
        let made = scene.call(node, new, async |channel, request| {
            CustomersClient::new(channel).create(request).await
        });
        assert_eq!(made.email, email);
        self.kept.lock().unwrap().push((made.id, email.unwrap()));
        let list = pb::ListCustomersRequest::default();
        let list = scene.call(node, list, async |channel, request| {
            CustomersClient::new(channel).list(request).await
        });
        assert!(!list.customers.is_empty());
        let list = pb::ListInvoicesRequest::default();
        scene.call(node, list, async |channel, request| {
            InvoicesClient::new(channel).list(request).await
        });
    }
}

impl Traffic for Customers {
    fn round(&self, scene: &Scene, node: usize, client: usize, number: usize) {
        if client == 0 {
            return self.posts.publish(scene, node, &format!("Client {client} round {number}"));
        }
        self.bill(scene, node, &format!("c{client}.{number}"));
        self.over_grpc(scene, node, &format!("g{client}.{number}"));
        let list = scene.get(node, "/billing/invoices?page_size=5");
        assert!(list["total"].as_u64() > Some(0), "{list}");
    }

    fn check(&self, scene: &Scene, version: &str) {
        let kept = self.kept.lock().unwrap();
        for (place, (id, email)) in kept.iter().enumerate() {
            let customer = scene.get(place % scene.nodes.len(), &format!("/billing/customers/{id}"));
            assert_eq!(text(&customer, "email"), email);
            if version != "1.0.0" {
                let (_, domain) = email.split_once('@').unwrap();
                assert_eq!(text(&customer, "email_domain"), domain, "{id}");
            }
        }
        self.posts.were_told_once(scene);
        self.were_told_once(scene);
    }
}

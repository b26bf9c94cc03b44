//! Billing, driven as its customers and its bookkeeper do: the same steps whatever the host keeps its things in.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Answer;
use crate::people::{self, Person};
use crate::process::until;
use crate::server::TestServer;
use crate::shared::{Shared, stays};

/// How long work in the background may take on a busy machine, with a lease of whoever was killed.
const SOON: Duration = Duration::from_secs(150);
const JSON: (&str, &str) = ("content-type", "application/json");
/// Play money, and a tax.
const CONFIG: &str = "[modules.billing]\nprovider = \"test\"\ntax_bps = 1900\n";
/// What customers hold on what is theirs.
const OWN: [&str; 7] = [
    "billing.customer.read",
    "billing.subscription.read",
    "billing.subscription.write",
    "billing.invoice.read",
    "billing.invoice.pay",
    "blog.post.write",
    "blog.post.publish",
];
/// Customers of the run that is killed, each with two periods that have ended.
const MANY: usize = 25;

/// A host with the core modules, the blog and billing.
#[must_use]
pub fn host(environment: &[(&str, &str)]) -> TestServer {
    people::host(&["blog", "billing"], CONFIG, environment)
}

/// The same on servers that nodes share.
#[must_use]
pub fn node(shared: &Shared, name: &str) -> TestServer {
    shared.node(name, &["blog", "billing"], CONFIG)
}

/// All of it, with kills in between.
///
/// # Panics
/// When anything is not as it should be.
pub fn drive(server: &mut TestServer) {
    let mut root = people::person(server, "default", "root", &["admin@*"]);
    customer_role(server);
    let mut ada = people::person(server, "default", "ada", &["customer"]);
    let bob = people::person(server, "default", "bob", &["customer"]);
    let plan = plan(server, &root);
    let customer = customer(server, &root, &ada);
    let subscription = subscribe(server, &root, &customer, &plan, 0);
    posts_are_usage(server, &ada, &subscription);

    paid_through_a_kill(server, &mut root, &mut ada, &customer);
    only_hers(server, &ada, &bob);
    run_through_a_kill(server, &mut root, &plan);
    follows_the_account(server, &root, &ada, &subscription);
    balances(server, &root);
    let dead = server.wharf(&["events", "list", "--state", "dead", "--json"]);
    assert_eq!((dead.code, dead.out.trim()), (0, "[]"), "{dead:?}");
}

/// Two nodes are asked for the same run at the same time; one is killed meanwhile.
///
/// # Panics
/// When a period is billed twice or never.
pub fn two_nodes(one: &mut TestServer, two: &TestServer) {
    let mut root = people::person(one, "default", "root", &["admin@*"]);
    let plan = plan(one, &root);
    for number in 0..MANY {
        let customer = unowned(one, &root, number);
        subscribe(one, &root, &customer, &plan, 2);
    }
    for node in [&*one, two] {
        for _ in 0..2 {
            ask_for_run(node, &root);
        }
    }
    one.kill_and_start_again();
    root.sign_in(one);
    billed(two, &root, 2 * MANY);
    billed(one, &root, 2 * MANY);
    balances(two, &root);
}

/// Posts are written on two nodes while the broker of events is killed and started again: each is usage of its author, once, on
/// whichever node it is counted.
///
/// # Panics
/// When a post is not counted, or counted twice.
pub fn across_nodes(shared: &mut Shared) {
    let (one, two) = (node(shared, "one"), node(shared, "two"));
    let root = people::person(&one, "default", "root", &["admin@*"]);
    customer_role(&one);
    let ada = people::person(&one, "default", "ada", &["customer"]);
    wait(&two, "the other node to know the rules", || {
        ada.get(&two, "/billing/customers").status == 200 && root.get(&two, "/billing/ledger/check").status == 200
    });
    let (plan, customer) = (plan(&one, &root), customer(&one, &root, &ada));
    let subscription = subscribe(&two, &root, &customer, &plan, 0);
    let mut posts = 0;
    let mut write = |n: usize| {
        publish(if n.is_multiple_of(2) { &one } else { &two }, &ada, &format!("Post {posts}"));
        posts += 1;
    };
    (0..6).for_each(&mut write);
    let meanwhile = shared.without_broker(&mut write);
    assert!(meanwhile > 0, "nothing was published while the broker was away");
    (0..6).for_each(&mut write);
    let path = format!("/billing/subscriptions/{}/usage", text(&subscription, "id"));
    let wanted = json!({ "features": [{ "feature": "posts", "quantity": posts }] });
    wait(&two, "every post to be usage", || ada.get(&two, &path).json() == wanted);
    assert!(stays(|| ada.get(&one, &path).json() == wanted), "a post was counted twice");
    balances(&one, &root);
    let dead = one.wharf(&["events", "list", "--state", "dead", "--json"]);
    assert_eq!((dead.code, dead.out.trim()), (0, "[]"), "{dead:?}");
}

/// What the database itself refuses to do to the ledger, and what the check says of an entry that somebody added by hand. `sql` runs a
/// statement as the owner of the database: whether it worked, and what was said.
///
/// # Panics
/// When the ledger can be changed, or when it is not found out.
pub fn tampering_is_found(server: &TestServer, sql: impl Fn(&str) -> (bool, String)) {
    let root = people::person(server, "default", "auditor", &["admin@*"]);
    let (_, found) = sql("SELECT table_schema FROM information_schema.tables WHERE table_name = 'ledger_entry'");
    let table = format!("\"{}\".ledger_entry", found.trim());
    for change in [format!("UPDATE {table} SET amount = amount + 1"), format!("DELETE FROM {table}")] {
        let (worked, said) = sql(&change);
        assert!(!worked && said.contains("append-only"), "{change}: {said}");
    }
    balances(server, &root);
    let (worked, said) = sql(&format!(
        "INSERT INTO {table} (tenant, id, posting, kind, account, currency, amount, invoice, source, at) \
         SELECT tenant, 'forged', 'forged', kind, account, currency, 7, invoice, 'forged', at FROM {table} WHERE account = 'revenue' LIMIT 1"
    ));
    assert!(worked, "{said}");
    let check = root.get(server, "/billing/ledger/check").json();
    let wanted = "the entries of posting forged in tenant default sum to 7 EUR, expected 0";
    assert_eq!(check, json!({ "balanced": false, "findings": [wanted] }));
    let ran = server.wharf(&["jobs", "run", "billing", "ledger-check"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    wait(server, "the health of the module to say it", || {
        server.module("billing")["health"] == "degraded"
    });
}

/// Customers see and pay what is theirs.
fn customer_role(server: &TestServer) {
    people::operate(
        server,
        "wharf.authz.v1.Roles/Create",
        &json!({ "name": "customer", "description": "Pays", "tenant": "default" }),
    );
    for permission in OWN {
        let rule = json!({ "subject": "role:customer", "tenant": "default", "permission": permission, "resource": "own" });
        people::operate(server, "wharf.authz.v1.Roles/AddRule", &json!({ "rule": rule }));
    }
}

fn plan(server: &TestServer, root: &Person) -> Value {
    let meters = json!([{ "feature": "posts", "tiers": [{ "price": 50 }] }]);
    let new = json!({ "code": "pro", "name": "Pro", "currency": "EUR", "price": 1000, "interval": "month", "meters": meters });
    made(server, root, "/billing/plans", "plan", &new)
}

fn customer(server: &TestServer, root: &Person, owner: &Person) -> Value {
    let new = json!({ "name": owner.email, "owner": format!("user:{}", owner.id), "email": owner.email, "currency": "EUR" });
    made(server, root, "/billing/customers", &owner.id, &new)
}

fn unowned(server: &TestServer, root: &Person, number: usize) -> Value {
    let new = json!({ "name": format!("Customer {number}"), "currency": "EUR" });
    made(server, root, "/billing/customers", &format!("customer-{number}"), &new)
}

/// From so many months ago on.
fn subscribe(server: &TestServer, root: &Person, customer: &Value, plan: &Value, months: u32) -> Value {
    let mut new = json!({ "customer": customer["id"], "plan": plan["id"] });
    if months > 0 {
        new["start"] = months_before(text(customer, "created"), months).into();
    }
    made(server, root, "/billing/subscriptions", text(customer, "id"), &new)
}

/// A day so many months before that of a time, early enough in its month to be there in every one.
fn months_before(time: &str, months: u32) -> String {
    let number = |from: usize, to: usize| {
        time.get(from..to)
            .and_then(|part| part.parse::<u32>().ok())
            .expect("a number in a time")
    };
    let month = number(0, 4) * 12 + number(5, 7) - 1 - months;
    format!("{:04}-{:02}-{:02}", month / 12, month % 12 + 1, number(8, 10).min(28))
}

/// Published posts of somebody are usage of what they have subscribed to, each once.
fn posts_are_usage(server: &TestServer, ada: &Person, subscription: &Value) {
    for title in ["One", "Two"] {
        publish(server, ada, title);
    }
    let path = format!("/billing/subscriptions/{}/usage", text(subscription, "id"));
    let wanted = json!({ "features": [{ "feature": "posts", "quantity": 2 }] });
    wait(server, "the posts to be usage", || ada.get(server, &path).json() == wanted);
}

fn publish(server: &TestServer, author: &Person, title: &str) {
    let new = json!({ "title": title, "body": "Text", "tags": [] });
    let post = made(server, author, "/blog/posts", &title.replace(' ', "-"), &new);
    let path = format!("/blog/drafts/{}/publish", text(&post, "id"));
    let version = format!("\"{}\"", post["version"]);
    let answer = author.send(server, "POST", &path, &[JSON, ("if-match", &version)], b"null");
    assert_eq!(answer.status, 200, "{}\nwharf printed:\n{}", answer.body, server.process().output());
}

/// A payment under way when the host is killed is made once, and can be given back.
fn paid_through_a_kill(server: &mut TestServer, root: &mut Person, ada: &mut Person, customer: &Value) {
    let lines = json!([{ "description": "Setup", "quantity": 2, "unit_price": 500 }]);
    let draft = made(
        server,
        root,
        "/billing/invoices",
        "draft",
        &json!({ "customer": customer["id"], "lines": lines }),
    );
    let path = format!("/billing/invoices/{}", text(&draft, "id"));
    made(server, root, &format!("{path}/finalize"), "issue", &json!({}));
    let payment = made(server, ada, &format!("{path}/pay"), "pay", &json!({ "token": "tok_slow" }));
    server.kill_and_start_again();
    root.sign_in(server);
    ada.sign_in(server);
    // The answer got lost: the same request again is the same payment.
    let again = made(server, ada, &format!("{path}/pay"), "pay", &json!({ "token": "tok_slow" }));
    assert_eq!(again["id"], payment["id"]);
    let path = format!("/billing/payments/{}", text(&payment, "id"));
    wait(server, "the payment to be settled", || {
        ada.get(server, &path).json()["state"] == "succeeded"
    });
    assert_eq!(held(server, root, "cash"), 1190);

    let refund = made(server, root, &format!("{path}/refunds"), "refund", &json!({ "amount": 595 }));
    let path = format!("/billing/refunds/{}", text(&refund, "id"));
    wait(server, "the refund to be settled", || {
        ada.get(server, &path).json()["state"] == "succeeded"
    });
    assert_eq!((held(server, root, "cash"), held(server, root, "tax")), (595, -95));
}

fn only_hers(server: &TestServer, ada: &Person, bob: &Person) {
    for list in [
        "/billing/customers",
        "/billing/subscriptions",
        "/billing/invoices",
        "/billing/me/invoices",
    ] {
        let (hers, his) = (ada.get(server, list).json(), bob.get(server, list).json());
        assert_eq!((&hers["total"], &his["total"]), (&json!(1), &json!(0)), "{list}: {hers} {his}");
    }
    assert_eq!(ada.get(server, "/billing/ledger/trial-balance").status, 403);
}

/// A run that is killed goes on, and bills each period once.
fn run_through_a_kill(server: &mut TestServer, root: &mut Person, plan: &Value) {
    let before = count(server, root);
    for number in 0..MANY {
        let customer = unowned(server, root, number);
        subscribe(server, root, &customer, plan, 2);
    }
    let run = ask_for_run(server, root);
    wait(server, "the run to have begun", || count(server, root) > before);
    server.kill_and_start_again();
    root.sign_in(server);
    let path = format!("/billing/invoice-runs/{}", text(&run, "id"));
    wait(server, "the run to be finished", || {
        root.get(server, &path).json()["state"] == "finished"
    });
    assert_eq!(root.get(server, &path).json()["issued"], 2 * MANY);
    billed(server, root, before + 2 * MANY);
    let again = ask_for_run(server, root);
    let path = format!("/billing/invoice-runs/{}", text(&again, "id"));
    wait(server, "the second run to be finished", || {
        root.get(server, &path).json()["state"] == "finished"
    });
    assert_eq!(count(server, root), before + 2 * MANY);
}

/// Somebody who is suspended pays nothing; somebody who is gone has no subscription.
fn follows_the_account(server: &TestServer, root: &Person, ada: &Person, subscription: &Value) {
    let path = format!("/billing/subscriptions/{}", text(subscription, "id"));
    let becomes = |status: &str| wait(server, status, || root.get(server, &path).json()["status"] == status);
    let set = |status: &str| {
        people::operate(
            server,
            "wharf.identity.v1.Users/SetStatus",
            &json!({ "id": ada.id, "status": status }),
        )
    };
    set("suspended");
    becomes("paused");
    set("active");
    becomes("active");
    people::operate(server, "wharf.identity.v1.Users/Delete", &json!({ "id": ada.id }));
    becomes("cancelled");
}

fn ask_for_run(server: &TestServer, root: &Person) -> Value {
    let key = format!("run-{}", count(server, root));
    let key = format!("{key}-{:?}", std::time::SystemTime::now()).replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    made(server, root, "/billing/invoice-runs", &key, &json!({}))
}

/// Waits until there are so many invoices, with the numbers from 1 on, without gaps.
fn billed(server: &TestServer, root: &Person, expected: usize) {
    wait(server, "the invoices", || count(server, root) >= expected);
    let mut numbers = Vec::new();
    let mut token = String::new();
    loop {
        let page = root.get(server, &format!("/billing/invoices?page_size=20{token}")).json();
        let items = page["items"].as_array().expect("a list").iter();
        numbers.extend(items.filter_map(|invoice| invoice["number"].as_u64()));
        match text(&page, "next_page_token") {
            "" => break,
            next => token = format!("&page_token={next}"),
        }
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=expected as u64).collect::<Vec<_>>());
}

fn count(server: &TestServer, root: &Person) -> usize {
    let list = root.get(server, "/billing/invoices?page_size=1").json();
    usize::try_from(list["total"].as_u64().unwrap_or_default()).unwrap_or_default()
}

/// Debits less credits of an account.
fn held(server: &TestServer, root: &Person, account: &str) -> i64 {
    let balance = root.get(server, "/billing/ledger/trial-balance").json();
    let accounts = balance["accounts"].as_array().expect("accounts").iter();
    let of = accounts.filter(|of| of["account"] == account);
    of.filter_map(|of| Some(of["debit"].as_i64()? - of["credit"].as_i64()?)).sum()
}

/// The ledger balances, by the API and by the job, which says it in the module's health.
fn balances(server: &TestServer, root: &Person) {
    let check = root.get(server, "/billing/ledger/check").json();
    assert_eq!(check, json!({ "balanced": true, "findings": [] }));
    let ran = server.wharf(&["jobs", "run", "billing", "ledger-check"]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

/// What must work, with a key for retries: its answer.
fn made(server: &TestServer, who: &Person, path: &str, key: &str, body: &Value) -> Value {
    let headers = [JSON, ("idempotency-key", key)];
    let answer: Answer = who.send(server, "POST", path, &headers, body.to_string().as_bytes());
    assert!(
        (200..300).contains(&answer.status),
        "{path}: {} {}\nwharf printed:\n{}",
        answer.status,
        answer.body,
        server.process().output()
    );
    answer.json()
}

fn wait(server: &TestServer, what: &str, mut is_so: impl FnMut() -> bool) {
    let seen = until(SOON, || is_so().then_some(()));
    assert!(
        seen.is_some(),
        "waited for {what} for {SOON:?}; wharf printed:\n{}",
        server.process().output()
    );
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

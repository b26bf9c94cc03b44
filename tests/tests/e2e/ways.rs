//! The two ways through the whole of it. One request: listener, authentication, authorization, rate limit, handler, cache, database,
//! event, audit, answer. One event: from the blog to billing and analytics, with the host killed in every gap.

use std::time::Duration;

use serde_json::{Value, json};
use wharf_tests::people::{self, Person};
use wharf_tests::{TestServer, until};

const SOON: Duration = Duration::from_secs(60);
const JSON: (&str, &str) = ("content-type", "application/json");
/// As in W3C trace context, chosen by the caller.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
/// Every place between the publishing of an event and the end of its handlers.
const GAPS: &[&str] = &[
    "events.publish",
    "events.outbox.committed",
    "events.relay.written",
    "events.relay.marked",
    "events.handle.before",
    "events.handle.effects",
    "events.inbox.committed",
];

fn host(environment: &[(&str, &str)]) -> TestServer {
    let config = "[log]\nformat = \"json\"\nlevel = \"info,blog=debug,billing=debug,analytics=debug\"\n";
    people::host(&["blog", "billing", "analytics"], config, environment)
}

/// Roles as an operator gives them, an author, and a manager.
fn cast(server: &TestServer) -> (Person, Person) {
    people::operate(
        server,
        "wharf.authz.v1.Roles/Create",
        &json!({ "tenant": "default", "name": "author" }),
    );
    for permission in ["blog.post.write", "blog.post.publish"] {
        let rule = json!({ "subject": "role:author", "tenant": "default", "permission": permission, "resource": "own" });
        people::operate(server, "wharf.authz.v1.Roles/AddRule", &json!({ "rule": rule }));
    }
    let manager = people::person(server, "default", "grace", &["admin@*"]);
    (people::person(server, "default", "ada", &["author"]), manager)
}

fn call(server: &TestServer, who: &Person, method: &str, path: &str, body: &Value, fields: &[(&str, &str)]) -> Value {
    let bearer = format!("Bearer {}", who.token);
    let all = [&[JSON, ("authorization", bearer.as_str())], fields].concat();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = server.send(method, path, &all, body.as_bytes());
    assert!(
        (200..300).contains(&answer.status),
        "{method} {path}: {} {}",
        answer.status,
        answer.body
    );
    if answer.body.is_empty() { Value::Null } else { answer.json() }
}

/// Rules hold on the node within a second.
fn write_post(server: &TestServer, who: &Person, title: &str) -> Value {
    let post = json!({ "title": title, "summary": "", "body": "*text*", "tags": ["news"] });
    let bearer = format!("Bearer {}", who.token);
    let made = until(SOON, || {
        let answer = server.send(
            "POST",
            "/blog/posts",
            &[
                JSON,
                ("authorization", bearer.as_str()),
                ("idempotency-key", &title.replace(' ', "-")),
            ],
            post.to_string().as_bytes(),
        );
        (answer.status != 403).then_some(answer)
    });
    let made = made.expect("the rules hold");
    assert_eq!(made.status, 201, "{}", made.body);
    made.json()
}

fn metric(server: &TestServer, name: &str, labels: &[&str]) -> f64 {
    let page = wharf_tests::send(server.management(), "GET", "/metrics", &[], &[]).unwrap().body;
    let rows = page
        .lines()
        .filter(|line| line.starts_with(name) && labels.iter().all(|label| line.contains(label)));
    rows.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}

#[test]
fn one_request_goes_the_whole_way_and_one_trace_shows_it() {
    let server = host(&[]);
    let (ada, grace) = cast(&server);
    let eve = people::person(&server, "default", "eve", &[]);

    let post = write_post(&server, &ada, "On the way");
    let path = format!("/blog/drafts/{}/publish", post["id"].as_str().unwrap());
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");

    // Who is not known, and who may not, is turned away before the module sees anything.
    assert_eq!(server.send("POST", &path, &[JSON, ("if-match", "*")], b"").status, 401);
    let bearer = format!("Bearer {}", eve.token);
    let refused = server.send("POST", &path, &[JSON, ("if-match", "*"), ("authorization", &bearer)], b"");
    assert!(matches!(refused.status, 403 | 404), "{}", refused.body);

    // The way in: one answer, with the id under which everything else is found.
    let bearer = format!("Bearer {}", ada.token);
    let fields = [
        JSON,
        ("if-match", "*"),
        ("authorization", bearer.as_str()),
        ("traceparent", parent.as_str()),
    ];
    let published = server.send("POST", &path, &fields, b"");
    assert_eq!(published.status, 200, "{}", published.body);
    let slug = published.json()["slug"].as_str().unwrap().to_owned();
    assert!(published.body.contains("published"), "{}", published.body);

    // A miss that is filled from the database, then a hit.
    let (hits, misses) = (
        || metric(&server, "wharf_cache_reads_total", &["module=\"blog\"", "outcome=\"hit\""]),
        || metric(&server, "wharf_cache_reads_total", &["module=\"blog\"", "outcome=\"miss\""]),
    );
    let before = (hits(), misses());
    let shown = server.get(&format!("/blog/posts/{slug}"));
    assert_eq!(shown.status, 200, "{}", shown.body);
    assert!(misses() > before.1, "the first reader found the post in the cache");
    let between = hits();
    assert_eq!(server.get(&format!("/blog/posts/{slug}")).body, shown.body);
    assert!(hits() > between, "the second reader did not find the post in the cache");

    // The event has come to the others.
    let counted = until(SOON, || (published_posts(&server, &grace) == 1).then_some(()));
    assert!(counted.is_some(), "analytics did not count: {}", server.process().output());

    // The record has it, with the caller.
    let recorded = until(SOON, || {
        let listed = server.wharf(&["audit", "list", "--json", "--limit", "200"]);
        let rows: Value = serde_json::from_str(&listed.out).ok()?;
        let actor = format!("user:{}", ada.id);
        rows.as_array()?
            .iter()
            .find(|row| row.to_string().contains("blog.post.publish") && row.to_string().contains(&actor))
            .cloned()
    });
    assert!(recorded.is_some(), "{}", server.wharf(&["audit", "list", "--json"]).out);

    // One trace: the request, and what the event caused in the other modules.
    let event = published_event(&server);
    assert!(event.to_string().contains(TRACE), "the event does not carry the trace: {event}");
}

/// None so far, when analytics has not heard of any: then it does not know the metric.
fn published_posts(server: &TestServer, who: &Person) -> i64 {
    let known = call(server, who, "GET", "/analytics/metrics", &Value::Null, &[]);
    if !known.to_string().contains("\"blog.post.published\"") {
        return 0;
    }
    let totals = call(
        server,
        who,
        "GET",
        "/analytics/totals?metric=blog.post.published",
        &Value::Null,
        &[],
    );
    totals["count"].as_i64().unwrap()
}

/// The event of the publication, as the host keeps it.
fn published_event(server: &TestServer) -> Value {
    let listed = server.wharf(&["events", "list", "--published", "--json"]);
    let rows: Value = serde_json::from_str(&listed.out).unwrap_or_else(|error| panic!("{error}: {}", listed.out));
    let row = rows
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row.to_string().contains("blog.post.published.v1"));
    let id = row
        .and_then(|row| row["id"].as_str().or_else(|| row["event"].as_str()))
        .expect("the event is kept")
        .to_owned();
    let shown = server.wharf(&["events", "show", &id, "--json"]);
    serde_json::from_str(&shown.out).unwrap_or_else(|error| panic!("{error}: {} {}", shown.out, shown.err))
}

#[test]
fn one_event_reaches_billing_and_analytics_once_wherever_the_host_is_killed() {
    for gap in GAPS {
        let mut server = host(&[]);
        let (ada, mut grace) = cast(&server);
        let subscription = subscribe(&server, &grace, &ada);
        let post = write_post(&server, &ada, "Told once");
        let settled = until(SOON, || {
            (server.wharf(&["events", "list", "--json"]).out.trim() == "[]").then_some(())
        });
        assert!(settled.is_some(), "{gap}: {}", server.wharf(&["events", "list"]).out);
        server.process().signal("KILL");
        // From now on the first one to come by the gap ends the host.
        let failpoint = format!("{gap}=1*kill");
        server.restart_killed(&[people::CORE, ("WHARF_FAILPOINT", &failpoint)], SOON);
        let bearer = format!("Bearer {}", ada.token);
        let path = format!("/blog/drafts/{}/publish", post["id"].as_str().unwrap());
        let fields = [JSON, ("if-match", "*"), ("authorization", bearer.as_str())];
        let answered = wharf_tests::send(server.http(), "POST", &path, &fields, b"").is_ok_and(|answer| answer.status == 200);
        server.restart_killed(&[people::CORE], SOON);
        grace.sign_in(&server);
        if !answered {
            // It may have been committed or not: the author tries again, and may hear that it is published.
            let again = server.send("POST", &path, &fields, b"");
            assert!(matches!(again.status, 200 | 409), "{gap}: {} {}", again.status, again.body);
        }
        let told = until(SOON, || {
            let (used, counted) = (used(&server, &grace, &subscription), published_posts(&server, &grace));
            assert!(used <= 1 && counted <= 1, "{gap}: told {used} and {counted} times");
            (used == 1 && counted == 1).then_some(())
        });
        assert!(told.is_some(), "{gap}: not told within {SOON:?}\n{}", server.process().output());
        let check = call(&server, &grace, "GET", "/billing/ledger/check", &Value::Null, &[]);
        assert!(!check.to_string().contains("false"), "{gap}: {check}");
        let waiting = server.wharf(&["events", "list", "--state", "dead", "--json"]);
        assert_eq!(waiting.out.trim(), "[]", "{gap}");
    }
}

/// The author is a customer who pays by the post.
fn subscribe(server: &TestServer, manager: &Person, author: &Person) -> String {
    let plan = json!({
        "code": "berth", "name": "Berth", "currency": "EUR", "price": 1900, "interval": "month",
        "meters": [{ "feature": "posts", "per": 1, "tiers": [{ "price": 25 }] }],
    });
    let plan = call(server, manager, "POST", "/billing/plans", &plan, &[("idempotency-key", "plan")]);
    let customer = json!({ "name": "Ada", "owner": format!("user:{}", author.id), "currency": "EUR" });
    let customer = call(
        server,
        manager,
        "POST",
        "/billing/customers",
        &customer,
        &[("idempotency-key", "customer")],
    );
    let asked = json!({ "customer": customer["id"], "plan": plan["id"] });
    let made = call(
        server,
        manager,
        "POST",
        "/billing/subscriptions",
        &asked,
        &[("idempotency-key", "subscription")],
    );
    made["id"].as_str().unwrap().to_owned()
}

fn used(server: &TestServer, manager: &Person, subscription: &str) -> i64 {
    let path = format!("/billing/subscriptions/{subscription}/usage");
    let summary = call(server, manager, "GET", &path, &Value::Null, &[]);
    let features = summary["features"].as_array().cloned().unwrap_or_default();
    features
        .iter()
        .filter(|row| row["feature"] == "posts")
        .filter_map(|row| row["quantity"].as_i64())
        .sum()
}

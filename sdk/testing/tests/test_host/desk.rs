//! Who calls, what they may, and what is recorded of it.

use serde_json::{Value, json};
use wharf_testing::{Builder, TestHost};

fn desk() -> Builder {
    TestHost::builder().module(desk_module::root())
}

async fn make(host: &TestHost, user: &str, name: &str) -> i64 {
    let answer = host.as_user(user).post("/desk/docs", &json!(name)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// What a user sees of the documents: rows, counts, and what the scope says row by row.
async fn sees(host: &TestHost, user: &str) -> Vec<i64> {
    let found: Value = host.as_user(user).get("/desk/docs").await.json();
    let ids: Vec<i64> = serde_json::from_value(found["ids"].clone()).unwrap();
    assert_eq!(
        (&found["ids"], found["count"].as_u64()),
        (&found["covered"], Some(ids.len() as u64)),
        "{user}"
    );
    ids
}

#[tokio::test]
async fn a_handler_is_told_who_calls() {
    let host = desk().start().await;
    let nobody: Value = host.get("/desk/who").await.json();
    assert_eq!(nobody["subject"], Value::Null);
    let ada = host.as_user("ada").of_tenant("acme").with_scopes(&["desk.*"]);
    let found: Value = ada.get("/desk/who").await.json();
    assert_eq!(
        found,
        json!({ "subject": "user:ada", "tenant": "acme", "scopes": ["desk.*"], "call": "user:ada" })
    );
    assert_eq!(host.as_service("robot").get("/desk/known").await.text(), "service:robot true");
    let answer = host.get("/desk/known").await;
    assert_eq!((answer.status.as_u16(), answer.header("www-authenticate")), (401, Some("Bearer")));
    assert_eq!(answer.json::<Value>()["code"], "unauthenticated");
}

#[tokio::test]
async fn routes_follow_the_rules_of_the_test_and_deny_by_default() {
    let host = desk()
        .allow("user:ada", "desk.doc.*")
        .allow("user:*", "desk.charge.*")
        .start()
        .await;
    assert_eq!(host.as_user("ada").get("/desk/all").await.status, 200);
    assert_eq!(host.as_user("bob").get("/desk/all").await.status, 403);
    assert_eq!(host.get("/desk/all").await.status, 401);
    assert_eq!(host.get("/desk/docs").await.status, 401);
    let narrow = host.as_user("ada").with_scopes(&["desk.doc.write"]);
    assert_eq!(narrow.get("/desk/all").await.status, 403, "the token is restricted to less");
    let host = desk().without_rules().start().await;
    assert_eq!(host.as_user("ada").get("/desk/all").await.status, 503);
    assert_eq!(host.as_user("ada").get("/desk/who").await.status, 200);
}

#[tokio::test]
async fn a_scope_restricts_rows_and_counts_exactly() {
    let host = desk()
        .allow("user:root", "desk.doc.read")
        .allow_on("user:ada", "desk.doc.read", "own")
        .allow_on("user:bob", "desk.doc.read", "doc/2")
        .allow_on("user:bob", "desk.doc.read", "doc/1*")
        .allow("user:eve", "desk.doc.read")
        .deny_on("user:eve", "desk.doc.read", "own")
        .allow("user:kim", "desk.doc.read")
        .deny_on("user:kim", "desk.doc.read", "D?c/[1]*")
        .deny_on("user:kim", "desk.doc.read", "doc/1*")
        .start()
        .await;
    for number in 1..=11 {
        let (user, name) = match number {
            1 => ("ada", "x"),
            3 => ("eve", "x"),
            5 => ("eve", "stray"),
            _ => ("zoe", "x"),
        };
        assert_eq!(make(&host, user, name).await, number);
    }
    let all: Vec<i64> = (1..=11).collect();
    let without = |gone: &[i64]| all.iter().copied().filter(|id| !gone.contains(id)).collect::<Vec<_>>();
    for (user, expected) in [
        ("root", all.clone()),
        ("ada", vec![1]),
        ("bob", vec![1, 2, 10, 11]),
        ("eve", without(&[3])),
        ("kim", without(&[1, 10, 11])),
        ("zoe", vec![]),
    ] {
        assert_eq!(sees(&host, user).await, expected, "{user}");
    }
    let ada = host.as_user("ada");
    assert_eq!(
        (ada.get("/desk/docs/1").await.status, ada.get("/desk/docs/2").await.status.as_u16()),
        (http::StatusCode::OK, 403)
    );
    let why: Value = host.as_user("eve").get("/desk/why/3").await.json();
    assert_eq!(
        (&why["allowed"], &why["rule"]),
        (&json!(false), &json!("deny user:eve desk.doc.read own"))
    );
}

#[tokio::test]
async fn what_is_not_declared_or_asked_for_nobody_is_refused() {
    let host = desk().allow("user:ada", "*").start().await;
    let said = host.get("/desk/undeclared").await.text();
    assert!(
        said.contains("add a [[permissions]] with `name = \"blog.post.write\"` to wharf.toml"),
        "{said}"
    );
    let said = host.as_user("ada").get("/desk/spawned").await.text();
    assert!(said.starts_with("invalid(5) None: no call runs on this thread"), "{said}");
    let said = host.post("/desk/wrong", &Value::Null).await.text();
    assert!(said.contains("expected dotted words"), "{said}");
    let host = desk().without_rules().start().await;
    let answer = host.as_user("ada").get("/desk/docs").await;
    assert_eq!(answer.status, 500, "the handler passes the fault on");
    make(&host, "ada", "x").await;
    assert_eq!(host.as_user("ada").get("/desk/docs/1").await.status, 503);
}

#[tokio::test]
async fn events_say_who_caused_them_and_handlers_run_as_the_module() {
    let host = desk().start().await;
    let answer = host.as_user("ada").of_tenant("acme").post("/desk/docs", &json!("x")).await;
    assert_eq!(answer.status, 200);
    host.settle_events().await;
    host.run_job("desk", "tidy").await;
    let notes: Vec<Value> = host.get("/desk/notes").await.json();
    assert_eq!(
        notes,
        [
            json!({ "doc": 1, "actor": "user:ada", "tenant": "acme", "as": "module:desk", "may": true, "call": false }),
            json!({ "as": "module:desk", "may": true }),
        ]
    );
}

#[tokio::test]
async fn what_was_done_is_recorded_with_it_and_reaches_who_keeps_it() {
    let host = TestHost::builder()
        .module(keeper_module::root())
        .module(desk_module::root())
        .allow("user:ada", "desk.doc.read")
        .start()
        .await;
    let ada = host.as_user("ada").of_tenant("acme").in_session("s-1");
    let request = http::Request::post("/desk/docs")
        .header("content-type", "application/json")
        .body(wharf_testing::Body::full("\"x\""))
        .unwrap();
    let request_id = ada.request(request).await.header("x-request-id").unwrap().to_owned();
    assert_eq!(ada.post("/desk/docs", &json!("doomed")).await.status, 409);
    assert_eq!(ada.delete("/desk/docs/1").await.status, 403);
    host.settle_events().await;
    let records: Vec<Value> = host.get("/keeper/records").await.json();
    let found: Vec<_> = records
        .iter()
        .map(|record| {
            (
                record["action"].as_str().unwrap(),
                record["actor"].as_str().unwrap(),
                record["outcome"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("desk.doc.make", "user:ada", "OUTCOME_SUCCESS"),
            ("desk.doc.remove", "user:ada", "OUTCOME_DENIED"),
            ("desk.doc.note", "module:desk", "OUTCOME_SUCCESS"),
        ],
        "what was rolled back was not recorded"
    );
    let made = &records[0];
    for (field, expected) in [
        ("tenant", "acme"),
        ("session", "s-1"),
        ("object", "doc/1"),
        ("recorder", "desk"),
        ("node", "test"),
        ("request_id", &request_id),
    ] {
        assert_eq!(made[field], expected, "{field}");
    }
    assert!(made["at"].as_str().is_some_and(|at| at.len() == 27 && at.ends_with('Z')), "{made}");
    assert_eq!(
        made["changes"],
        json!([{ "field": "name", "after": "\"x\"" }, { "field": "password", "after": "\"***\"" }])
    );
    let everything = format!("{records:?} {:?}", host.logs().lines());
    assert!(!everything.contains("canary"), "{everything}");
}

#[tokio::test]
async fn records_wait_for_whoever_keeps_them() {
    let first = desk().start().await;
    make(&first, "ada", "x").await;
    first.settle_events().await;
    let host = TestHost::builder()
        .module(desk_module::root())
        .module(keeper_module::root())
        .beside(&first, "second")
        .start()
        .await;
    make(&first, "bob", "y").await;
    host.settle_events().await;
    let records: Vec<Value> = host.get("/keeper/records").await.json();
    let mut actors: Vec<_> = records
        .iter()
        .filter(|r| r["action"] == "desk.doc.make")
        .map(|r| r["actor"].clone())
        .collect();
    actors.sort_by_key(ToString::to_string);
    assert_eq!(actors, ["user:ada", "user:bob"]);
}

#[tokio::test]
async fn a_hidden_route_shows_to_whoever_may_call_it_alone() {
    let host = desk().allow("user:ada", "desk.doc.*").start().await;
    assert_eq!(host.as_user("ada").get("/desk/drawer").await.status, 200);
    assert_eq!(host.as_user("eve").get("/desk/all").await.status, 403);
    for caller in [host.get("/desk/drawer").await, host.as_user("eve").get("/desk/drawer").await] {
        assert_eq!(
            (caller.status.as_u16(), caller.header("www-authenticate")),
            (404, None),
            "{}",
            caller.text()
        );
    }
}

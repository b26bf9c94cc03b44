//! The admin API from somewhere else: under permissions, and in the record.

use std::time::Duration;

use serde_json::{Value, json};
use wharf_tests::people::{Person, host, person};
use wharf_tests::{TestServer, until};

use super::desk::Desk;

const SOON: Duration = Duration::from_secs(20);
/// Exit code of whoever may not.
const MAY_NOT: i32 = 5;

/// Somebody's API key.
fn key_of(person: &Person, server: &TestServer) -> String {
    let made = person.call(server, "wharf.auth.v1.ApiKeys/Create", &json!({ "name": "remote" }));
    assert_eq!(made.status, 200, "{}", made.body);
    made.json()["key"].as_str().unwrap().to_owned()
}

/// Entries of the record, of one action, as soon as there is one that fits.
fn recorded(server: &TestServer, action: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let found = until(SOON, || {
        let listed = server.wharf(&["audit", "list", "--action", action, "--json"]);
        let entries: Vec<Value> = serde_json::from_str(&listed.out).ok()?;
        entries.into_iter().map(|sealed| sealed["entry"].clone()).find(|entry| fits(entry))
    });
    found.unwrap_or_else(|| panic!("no such {action}: {:?}", server.wharf(&["audit", "list", "--json"])))
}

#[test]
fn whoever_may_administers_from_afar_and_everything_they_do_or_try_is_recorded() {
    let mut server = host(&["greeter", "hello_module"], "", &[("WHARF_ADMIN__REMOTE", "true")]);
    let ada = person(&server, "default", "ada", &["admin@*"]);
    let bob = person(&server, "default", "bob", &["admin"]);
    let seen = until(SOON, || (ada.get(&server, "/admin/v1/status").status == 200).then_some(()));
    assert!(seen.is_some(), "{:?}", ada.get(&server, "/admin/v1/status"));
    {
        let desk = Desk::at(&server);
        desk.log_in(&ada.email);
        let modules = desk.json(&["modules", "list"]).to_string();
        assert!(modules.contains("\"id\":\"hello\""), "{modules}");
        desk.json(&["modules", "disable", "hello"]);
        assert_eq!(server.get("/hello/Ada").status, 404);
        desk.json(&["modules", "enable", "hello"]);
        assert_eq!(server.get("/hello/Ada").status, 200);
        let user = desk.json(&["users", "create", "eve@example.org", "--name", "Eve"]);
        assert_eq!(user["email"], "eve@example.org", "{user}");

        // With a key, and as the administrator of a tenant, who administers no host.
        let key = key_of(&bob, &server);
        let run = |arguments: &[&str]| {
            let output = desk.command(arguments).env("WHARF_API_KEY", &key).output().unwrap();
            (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
        };
        let (code, said) = run(&["modules", "disable", "hello"]);
        assert_eq!(code, Some(MAY_NOT), "{said}");
        assert!(said.contains("wharf.module.write"), "{said}");
        assert_eq!(server.get("/hello/Ada").status, 200);
        assert_eq!(server.send("GET", "/admin/v1/modules", &[], &[]).status, 401);
    }
    let done = recorded(&server, "wharf.admin.post", |entry| {
        entry["object"] == "/admin/v1/modules/hello/disable"
    });
    assert_eq!(
        (done["actor"].as_str(), done["outcome"].as_str(), done["from"].as_str()),
        (
            Some(format!("user:{}", ada.id).as_str()),
            Some("OUTCOME_SUCCESS"),
            Some("127.0.0.1")
        ),
        "{done}"
    );
    assert!(done["session"].as_str().is_some_and(|session| !session.is_empty()), "{done}");
    // Over the socket the host acts; that it was asked to is recorded too, and reading is not.
    let called = recorded(&server, "wharf.admin.call", |entry| {
        entry["object"] == "wharf.identity.v1.Users/Create"
    });
    assert_eq!(called["actor"], "host", "{called}");
    assert!(called["from"].as_str().unwrap().starts_with("admin socket, uid "), "{called}");
    let calls = server.wharf(&["audit", "list", "--action", "wharf.admin.call", "--json"]).out;
    assert!(!calls.contains("Records/List"), "{calls}");

    // Refused calls are written by the minute, and when the host ends.
    server.restart();
    let refused = recorded(&server, "wharf.call.forbidden", |entry| {
        entry["object"] == "POST /admin/v1/modules/{id}/disable"
    });
    assert_eq!(
        (refused["actor"].as_str(), refused["outcome"].as_str()),
        (Some(format!("user:{}", bob.id).as_str()), Some("OUTCOME_DENIED")),
        "{refused}"
    );
    recorded(&server, "wharf.call.unauthenticated", |entry| {
        entry["object"] == "GET /admin/v1/modules"
    });
    let verified = server.wharf(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
}

#[test]
fn without_leave_there_is_no_admin_api_on_the_public_listener() {
    let server = host(&["hello_module"], "", &[("WHARF_ADMIN__REMOTE", "false")]);
    let ada = person(&server, "default", "ada", &["admin@*"]);
    let ready = until(SOON, || {
        (ada.call(&server, "wharf.authz.v1.Roles/List", &json!({})).status == 200).then_some(())
    });
    assert!(ready.is_some(), "the role does not count");
    assert_eq!(ada.get(&server, "/admin/v1/modules").status, 404);
}

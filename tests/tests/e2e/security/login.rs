//! `wharf login` at a host as if it were somewhere else: through the login page, with an API key, and what works then.

use std::time::Duration;

use serde_json::{Value, json};
use wharf_tests::people::{host, person};
use wharf_tests::until;

use super::desk::Desk;

const SOON: Duration = Duration::from_secs(20);

#[test]
fn somebody_logs_in_from_the_command_line_makes_a_key_and_logs_out() {
    let server = host(&["greeter"], "", &[]);
    let ada = person(&server, "default", "ada", &["admin@*"]);
    let desk = Desk::at(&server);
    let (code, _, err) = desk.run(&["whoami"]);
    assert_eq!(code, 5, "nobody is logged in yet: {err}");
    desk.log_in(&ada.email);
    let who = desk.json(&["whoami"]);
    assert_eq!(
        (who["subject"].as_str().unwrap(), &who["tenant"]),
        (format!("user:{}", ada.id).as_str(), &json!("default"))
    );
    let sessions = desk.json(&["sessions", "list"]);
    let sessions = sessions.as_array().unwrap();
    assert!(
        sessions
            .iter()
            .any(|session| session["current"] == true && session["client_id"] == "wharf-cli"),
        "{sessions:?}"
    );

    let made = desk.json(&["api-keys", "create", "ci", "--scope", "greeter.*", "--days", "1"]);
    let key = made["key"].as_str().unwrap().to_owned();
    let with_key = || {
        server
            .send("GET", "/greeter/statistics", &[("authorization", &format!("Bearer {key}"))], b"")
            .status
    };
    assert!(
        until(SOON, || (with_key() == 200).then_some(())).is_some(),
        "the key is answered with {}",
        with_key()
    );
    let id = made["about"]["id"].as_str().unwrap();
    let (_, listed, _) = desk.run(&["api-keys", "list"]);
    assert!(listed.contains(id) && !listed.contains(&key), "{listed}");
    desk.json(&["api-keys", "revoke", id]);
    assert!(
        until(SOON, || (with_key() == 401).then_some(())).is_some(),
        "a revoked key is answered with {}",
        with_key()
    );

    desk.json(&["logout"]);
    assert_eq!(desk.run(&["whoami"]).0, 5);
}

#[test]
fn an_api_key_from_the_environment_needs_no_login() {
    let server = host(&["greeter"], "", &[]);
    let ada = person(&server, "default", "ada", &["admin@*"]);
    let made = ada.call(&server, "wharf.auth.v1.ApiKeys/Create", &json!({ "name": "ci" }));
    let key = made.json()["key"].as_str().unwrap().to_owned();
    let desk = Desk::at(&server);
    let output = desk.command(&["whoami", "--json"]).env("WHARF_API_KEY", &key).output().unwrap();
    let who: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(who["subject"], format!("user:{}", ada.id));
    assert!(
        std::fs::read_dir(desk.folder.path()).unwrap().next().is_none(),
        "something was kept"
    );
}

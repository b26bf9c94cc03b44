//! What an operator does first: an administrator, a user, a role, a protected route with and without it, and why.

use std::time::Duration;

use serde_json::{Value, json};
use wharf_tests::people::{self, PASSWORD, host, operate, person};
use wharf_tests::{TestServer, until};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn an_operator_becomes_administrator_and_gives_somebody_a_role() {
    drive(&host(&["greeter"], "", &[]));
}

#[test]
fn the_same_with_every_call_between_modules_over_a_socket() {
    drive(&host(&["greeter"], "", &[("WHARF_CHANNEL__MODE", "loopback")]));
}

#[test]
fn the_same_with_the_core_modules_as_libraries() {
    let modules = ["greeter", "wharf_identity", "wharf_auth", "wharf_authz", "wharf_audit"];
    let server = host(&modules, "", &[("WHARF_SECURITY__CORE_MODULES", "[]")]);
    for module in ["identity", "auth", "authz", "audit"] {
        assert_eq!(server.module(module)["linkage"], "dynamic", "{module}");
    }
    drive(&server);
}

fn drive(server: &TestServer) {
    let link = operate(server, "wharf.identity.v1.Bootstrap/InviteAdministrator", &json!({}));
    let url = link["url"].as_str().unwrap();
    let here = format!("http://{}/identity/invitations/", server.http());
    assert!(url.starts_with(&here), "the link {url} does not lead here, {here}");
    let token = url.rsplit('/').next().unwrap();
    let accept = |token: &str| {
        let request = json!({ "token": token, "password": PASSWORD, "name": "Ada", "email": "ada@example.org" });
        let body = request.to_string();
        server.send(
            "POST",
            "/wharf.identity.v1.Registration/AcceptInvitation",
            &[("content-type", "application/json")],
            body.as_bytes(),
        )
    };
    let accepted = accept(token);
    assert_eq!(accepted.status, 200, "{}\n{}", accepted.body, server.process().output());
    assert_ne!(accept(token).status, 200, "the link counted twice");

    let mut ada = people::Person {
        id: accepted.json()["userId"].as_str().unwrap().to_owned(),
        email: "ada@example.org".to_owned(),
        tenant: "default".to_owned(),
        token: String::new(),
        refresh: String::new(),
    };
    ada.sign_in(server);
    let seen = until(SOON, || (ada.get(server, "/greeter/statistics").status == 200).then_some(()));
    assert!(
        seen.is_some(),
        "an administrator may not: {:?}",
        ada.get(server, "/greeter/statistics")
    );

    // Ada makes an account for Bob, who may nothing yet.
    let bob = json!({ "email": "bob@example.org", "name": "Bob", "password": PASSWORD, "emailVerified": true });
    let made = ada.call(server, "wharf.identity.v1.Users/Create", &bob);
    assert_eq!(made.status, 200, "{}", made.body);
    let mut bob = people::Person {
        id: made.json()["id"].as_str().unwrap().to_owned(),
        email: "bob@example.org".to_owned(),
        ..ada.clone()
    };
    bob.sign_in(server);
    assert_eq!(bob.get(server, "/greeter/statistics").status, 403);
    let why = server.wharf(&["authz", "why", &format!("user:{}", bob.id), "greeter.admin", "--json"]);
    assert_eq!(why.code, 3, "a denial has an exit code of its own: {why:?}");
    let why: Value = serde_json::from_str(&why.out).unwrap();
    assert_ne!(why["allowed"], json!(true), "{why}");

    // A role of his.
    let role = json!({ "name": "greeters", "description": "May greet" });
    let made = ada.call(server, "wharf.authz.v1.Roles/Create", &role);
    assert_eq!(made.status, 200, "{}", made.body);
    let rule = json!({ "rule": { "subject": "role:greeters", "tenant": "default", "permission": "greeter.admin", "resource": "*" } });
    assert_eq!(ada.call(server, "wharf.authz.v1.Roles/AddRule", &rule).status, 200);
    let binding = json!({ "binding": { "member": format!("user:{}", bob.id), "role": "role:greeters", "tenant": "default" } });
    assert_eq!(ada.call(server, "wharf.authz.v1.Bindings/Grant", &binding).status, 200);
    wait_for(server, &bob, 200);
    assert_eq!(ada.call(server, "wharf.authz.v1.Bindings/Revoke", &binding).status, 200);
    wait_for(server, &bob, 403);

    // What modules did of each other's says where the request came from.
    let granted = until(SOON, || {
        let listed = server.wharf(&["audit", "list", "--action", "authz.role.grant", "--json"]);
        let entries: Vec<Value> = serde_json::from_str(&listed.out).ok()?;
        entries
            .into_iter()
            .map(|sealed| sealed["entry"].clone())
            .find(|entry| entry["actor"] == "module:identity")
    });
    let granted = granted.expect("identity made an administrator");
    assert_eq!(granted["from"], "127.0.0.1", "{granted}");

    // It is all in the record, and the record is whole.
    let recorded = until(SOON, || {
        let listed = server.wharf(&["audit", "list", "--json"]);
        (listed.code == 0 && listed.out.contains("authz.") && listed.out.contains("identity.")).then_some(())
    });
    assert!(recorded.is_some(), "{:?}", server.wharf(&["audit", "list", "--json"]));
    let verified = server.wharf(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
}

#[test]
fn nobody_finds_a_password_or_a_token_in_what_the_host_prints_and_records() {
    let server = host(&["greeter"], "", &[("WHARF_LOG__LEVEL", "trace")]);
    let ada = person(&server, "default", "ada", &["admin@*"]);
    assert_eq!(
        people::sign_in(&server, "default", &ada.email, "wrong-canary-password-7").status,
        401
    );
    let key = ada.call(&server, "wharf.auth.v1.ApiKeys/Create", &json!({ "name": "ci" }));
    assert_eq!(key.status, 200, "{}", key.body);
    let key = key.json()["key"].as_str().unwrap().to_owned();
    let with_key = people::Person {
        token: key.clone(),
        ..ada.clone()
    };
    let seen = until(SOON, || (with_key.get(&server, "/greeter/statistics").status == 200).then_some(()));
    assert!(seen.is_some(), "{:?}", with_key.get(&server, "/greeter/statistics"));
    let recorded = until(SOON, || {
        let listed = server.wharf(&["audit", "list", "--json"]);
        listed.out.contains("auth.").then_some(listed.out)
    });
    let everything = format!("{}{}", server.process().output(), recorded.expect("logins are recorded"));
    for secret in [PASSWORD, "wrong-canary-password-7", &ada.token, &ada.refresh, &key] {
        assert!(!everything.contains(secret), "a secret was shown:\n{}", around(&everything, secret));
    }
}

fn around(text: &str, what: &str) -> String {
    let lines = text.lines().filter(|line| line.contains(what));
    lines
        .take(3)
        .map(|line| line.replace(what, "<here>"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn wait_for(server: &TestServer, who: &people::Person, status: u16) {
    let seen = until(SOON, || (who.get(server, "/greeter/statistics").status == status).then_some(()));
    assert!(seen.is_some(), "expected {status}: {:?}", who.get(server, "/greeter/statistics"));
}

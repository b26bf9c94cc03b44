//! Two hosts of one installation, on PostgreSQL and Redis: what is done to people, tokens and rules on one holds on the other.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use wharf_tests::backends::Backend;
use wharf_tests::people::{self, PASSWORD, Person, operate, person, sign_in};
use wharf_tests::{TestServer, until};

const SECOND: Duration = Duration::from_secs(1);
/// For what comes as an event.
const SOON: Duration = Duration::from_secs(10);
const PROTECTED: &str = "/greeter/statistics";

/// Servers, and two hosts on them.
struct Installation {
    one: TestServer,
    two: TestServer,
    _servers: Vec<Backend>,
    _key: tempfile::TempDir,
}

impl Installation {
    fn start() -> Self {
        let servers = Backend::start_all(&["postgres", "redis"]).unwrap();
        let variables: Vec<_> = servers.iter().flat_map(Backend::variables).collect();
        let of = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.clone()).unwrap()
        };
        let (database, redis) = (of("WHARF_TEST_POSTGRES_URL"), of("WHARF_TEST_REDIS_URL"));
        let key = wharf_tests::scratch("key");
        let file = key.path().join("master.key");
        std::fs::write(&file, format!("{}\n", "5a".repeat(32))).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let node = |name: &str| {
            let environment = [
                ("WHARF_NODE__NAME", name),
                ("WHARF_DATABASE__URL", database.as_str()),
                ("WHARF_CACHE__URL", redis.as_str()),
                ("WHARF_SIGNALS__REDIS_URL", redis.as_str()),
                ("WHARF_MASTER_KEY_FILE", file.to_str().unwrap()),
                // One issuer for all nodes.
                ("WHARF_HTTP__PUBLIC_URL", "http://wharf.test"),
            ];
            people::host(&["greeter"], "", &environment)
        };
        Self {
            one: node("one"),
            two: node("two"),
            _servers: servers,
            _key: key,
        }
    }
}

fn status(server: &TestServer, token: &str) -> u16 {
    let bearer = format!("Bearer {token}");
    server.send("GET", PROTECTED, &[("authorization", &bearer)], &[]).status
}

/// Waits until a token is answered with this status.
fn becomes(server: &TestServer, token: &str, expected: u16, within: Duration, what: &str) {
    let mut last = 0;
    let seen = until(within, || {
        last = status(server, token);
        (last == expected).then_some(())
    });
    let output = server.process().output();
    assert!(
        seen.is_some(),
        "{what}: expected {expected} within {within:?}, found {last}; wharf printed:\n{output}"
    );
}

fn made_key(person: &Person, server: &TestServer) -> (String, String) {
    let made = person.call(server, "wharf.auth.v1.ApiKeys/Create", &json!({ "name": "nightly" }));
    assert_eq!(made.status, 200, "{}", made.body);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made.json()["key"]), text(&made.json()["about"]["id"]))
}

#[test]
fn what_is_done_on_one_node_holds_on_the_other_within_a_second() {
    let Installation { one, two, _servers, _key } = Installation::start();
    let mut ada = person(&one, "default", "ada", &["admin@*"]);

    // Logged in on one, used on the other.
    becomes(&two, &ada.token, 200, SOON, "the role reaches the other node");
    let again = sign_in(&two, "default", &ada.email, PASSWORD);
    assert_eq!(again.status, 201, "{}", again.body);
    let again = again.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(status(&one, &again), 200);

    // Revoked on one, refused on the other.
    let out = ada.call(&one, "wharf.auth.v1.Sessions/LogOutEverywhere", &json!({}));
    assert_eq!(out.status, 200, "{}", out.body);
    becomes(&two, &ada.token, 401, SECOND, "a session that ended on one node");
    becomes(&two, &again, 401, SECOND, "a session of the other node that ended on one");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", ada.refresh.as_str())];
    let form = refresh.map(|(name, value)| format!("{name}={value}")).join("&");
    let refreshed = two.send(
        "POST",
        "/auth/v1/token",
        &[("content-type", "application/x-www-form-urlencoded")],
        form.as_bytes(),
    );
    assert_eq!(refreshed.status, 400, "{}", refreshed.body);
    ada.sign_in(&two);
    assert_eq!(
        status(&one, &ada.token),
        200,
        "a token of the second after a revocation does not count"
    );

    // Rules.
    let bob = person(&two, "default", "bob", &[]);
    assert_eq!(status(&one, &bob.token), 403);
    let role = json!({ "name": "greeters", "description": "May greet" });
    operate(&one, "wharf.authz.v1.Roles/Create", &role);
    let rule = json!({ "rule": { "subject": "role:greeters", "tenant": "default", "permission": "greeter.admin" } });
    operate(&one, "wharf.authz.v1.Roles/AddRule", &rule);
    let binding = json!({ "binding": { "member": format!("user:{}", bob.id), "role": "role:greeters", "tenant": "default" } });
    for _ in 0..3 {
        operate(&one, "wharf.authz.v1.Bindings/Grant", &binding);
        becomes(&two, &bob.token, 200, SECOND, "a role that was granted");
        operate(&two, "wharf.authz.v1.Bindings/Revoke", &binding);
        becomes(&one, &bob.token, 403, SECOND, "a role that was taken away");
    }

    // API keys.
    let (key, id) = made_key(&ada, &one);
    becomes(&two, &key, 200, SECOND, "a new key");
    assert_eq!(status(&one, &key), 200);
    let revoked = ada.call(&one, "wharf.auth.v1.ApiKeys/RevokeMine", &json!({ "id": id }));
    assert_eq!(revoked.status, 200, "{}", revoked.body);
    becomes(&two, &key, 401, SECOND, "a key that was revoked");
    assert_eq!(status(&one, &key), 401);
}

#[test]
fn what_happens_to_an_account_holds_on_both_nodes_and_both_keep_a_record() {
    let Installation {
        mut one,
        two,
        _servers,
        _key,
    } = Installation::start();
    let mut ada = person(&one, "default", "ada", &["admin@*"]);
    let (key, _) = made_key(&ada, &one);
    becomes(&two, &key, 200, SOON, "a new key");
    let other = sign_in(&two, "default", &ada.email, PASSWORD).json();
    let other = other["access_token"].as_str().unwrap().to_owned();

    // A changed password ends what was opened with the old one, and not the session it was changed in.
    let change = json!({ "oldPassword": PASSWORD, "newPassword": "another-horse-canary-42" });
    let changed = ada.call(&one, "wharf.identity.v1.Users/SetPassword", &change);
    assert_eq!(changed.status, 200, "{}", changed.body);
    for server in [&one, &two] {
        becomes(server, &other, 401, SOON, "a session of the old password");
        assert_eq!(status(server, &ada.token), 200, "the session that changed the password");
    }
    let back = json!({ "oldPassword": "another-horse-canary-42", "newPassword": PASSWORD });
    assert_eq!(ada.call(&two, "wharf.identity.v1.Users/SetPassword", &back).status, 200);

    // Suspended on one, out on both; active again, in again, keys and all.
    let id = ada.id.clone();
    let set = |server: &TestServer, status: &str| {
        operate(server, "wharf.identity.v1.Users/SetStatus", &json!({ "id": id, "status": status }));
    };
    set(&one, "suspended");
    for server in [&two, &one] {
        becomes(server, &ada.token, 401, SOON, "a token of somebody who is suspended");
        becomes(server, &key, 401, SOON, "a key of somebody who is suspended");
    }
    set(&two, "active");
    ada.sign_in(&one);
    for server in [&one, &two] {
        becomes(server, &ada.token, 200, SECOND, "a login after that");
        becomes(server, &key, 200, SECOND, "the key of somebody who is active again");
    }

    // The record says on which node something happened, whichever sealed it.
    let nodes = until(SOON, || {
        let listed = two.wharf(&["audit", "list", "--action", "identity.user.set_status", "--json"]);
        let entries: Vec<Value> = serde_json::from_str(&listed.out).ok()?;
        let nodes: BTreeSet<_> = entries.iter().filter_map(|sealed| sealed["entry"]["node"].as_str()).collect();
        (nodes == BTreeSet::from(["one", "two"])).then_some(())
    });
    assert!(nodes.is_some(), "{:?}", two.wharf(&["audit", "list", "--json"]));
    // Who is alone seals into a chain of its own, and what the other one sealed stays whole.
    one.terminate(Duration::from_secs(30));
    set(&two, "suspended");
    let chains = until(SOON, || {
        let listed = two.wharf(&["audit", "verify", "--json"]);
        (listed.code == 0 && listed.out.contains("\"two\"")).then_some(())
    });
    assert!(chains.is_some(), "{:?}", two.wharf(&["audit", "verify", "--json"]));
}

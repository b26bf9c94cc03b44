//! What belongs to one tenant is not there for another: neither rows, nor lists, nor numbers of them.

use std::time::Duration;

use serde_json::{Value, json};
use wharf_tests::people::{host, operate, person};
use wharf_tests::until;

const SOON: Duration = Duration::from_secs(10);

#[test]
fn an_administrator_of_one_tenant_sees_and_changes_nothing_of_another() {
    let server = host(&[], "", &[]);
    operate(
        &server,
        "wharf.identity.v1.Tenants/Create",
        &json!({ "id": "acme", "name": "Acme" }),
    );
    operate(
        &server,
        "wharf.identity.v1.Tenants/Create",
        &json!({ "id": "zenith", "name": "Zenith" }),
    );
    let anna = person(&server, "acme", "anna", &["admin"]);
    let zoe = person(&server, "zenith", "zoe", &["admin"]);
    let list = |who: &wharf_tests::people::Person, request: Value| who.call(&server, "wharf.identity.v1.Users/List", &request);
    let seen = until(SOON, || (list(&anna, json!({})).status == 200).then_some(()));
    assert!(seen.is_some(), "{:?}", list(&anna, json!({})));

    let own = list(&anna, json!({})).json();
    let emails: Vec<_> = own["users"].as_array().unwrap().iter().map(|user| user["email"].clone()).collect();
    assert_eq!(emails, ["anna@example.org"]);
    let other = list(&anna, json!({ "tenant": "zenith" }));
    assert_eq!(other.status, 403, "{}", other.body);
    for (method, request) in [
        ("Get", json!({ "id": zoe.id })),
        ("Get", json!({ "email": zoe.email, "tenant": "zenith" })),
        ("Update", json!({ "id": zoe.id, "name": "mine" })),
        ("SetStatus", json!({ "id": zoe.id, "status": "suspended" })),
        ("Delete", json!({ "id": zoe.id })),
    ] {
        let answer = anna.call(&server, &format!("wharf.identity.v1.Users/{method}"), &request);
        assert!(matches!(answer.status, 403 | 404), "{method}: {answer:?}");
    }
    let create = json!({ "tenant": "zenith", "email": "spy@example.org", "name": "Spy" });
    assert_eq!(anna.call(&server, "wharf.identity.v1.Users/Create", &create).status, 403);
    let key = anna.call(
        &server,
        "wharf.auth.v1.ApiKeys/CreateFor",
        &json!({ "account": zoe.id, "key": { "name": "theirs" } }),
    );
    assert!(matches!(key.status, 403 | 404), "{}", key.head);
    // Roles reach no further than whoever gives them.
    let escalate = json!({ "binding": { "member": format!("user:{}", anna.id), "role": "role:admin", "tenant": "*" } });
    assert_eq!(anna.call(&server, "wharf.authz.v1.Bindings/Grant", &escalate).status, 403);
    let into_other = json!({ "binding": { "member": format!("user:{}", anna.id), "role": "role:admin", "tenant": "zenith" } });
    assert_eq!(anna.call(&server, "wharf.authz.v1.Bindings/Grant", &into_other).status, 403);
    // Neither the record nor the sessions.
    let recorded = until(SOON, || {
        let entries = anna.call(&server, "wharf.audit.v1.Records/List", &json!({}));
        (entries.status == 200 && entries.body.contains("acme")).then_some(entries.body)
    });
    let recorded = recorded.expect("what happened in the tenant is recorded");
    assert!(!recorded.contains("zenith") && !recorded.contains(&zoe.id), "{recorded}");
    assert_eq!(
        anna.call(&server, "wharf.audit.v1.Records/List", &json!({ "tenant": "zenith" }))
            .status,
        403
    );
    let sessions = anna.call(&server, "wharf.auth.v1.Sessions/List", &json!({}));
    assert_eq!(sessions.status, 200, "{}", sessions.body);
    assert!(!sessions.body.contains(&zoe.id), "{}", sessions.body);
    // Zoe is as she was.
    let still = zoe.call(&server, "wharf.identity.v1.Users/Me", &json!({}));
    assert_eq!((still.status, &still.json()["name"]), (200, &json!("zoe")), "{}", still.body);
}

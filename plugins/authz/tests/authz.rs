//! The module in a host that follows its rules.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wharf_testing::TestHost;

async fn host() -> TestHost {
    TestHost::builder().module(wharf_authz::root()).start().await
}

async fn call(host: &TestHost, method: &str, message: Value) -> Value {
    match host.call(&format!("/wharf.authz.v1.{method}"), &message).await {
        Ok(answer) => answer,
        Err(failed) => panic!("{method} {message}: {failed}"),
    }
}

async fn refused(host: &TestHost, method: &str, message: Value) -> &'static str {
    match host.call(&format!("/wharf.authz.v1.{method}"), &message).await {
        Ok(answer) => panic!("{method} {message} was done: {answer}"),
        Err(failed) => failed.name,
    }
}

fn rule(subject: &str, tenant: &str, permission: &str, resource: &str) -> Value {
    json!({ "rule": { "subject": subject, "tenant": tenant, "permission": permission, "resource": resource } })
}

fn binding(member: &str, role: &str, tenant: &str) -> Value {
    json!({ "binding": { "member": member, "role": role, "tenant": tenant } })
}

async fn why(host: &TestHost, subject: &str, tenant: &str, permission: &str, resource: &str) -> Value {
    let asked = json!({ "subject": subject, "tenant": tenant, "permission": permission, "resource": resource });
    call(host, "Decisions/Why", asked).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_that_come_with_the_host_are_there_and_stay() {
    let host = host().await;
    let roles = call(&host, "Roles/List", json!({})).await;
    let names: Vec<&str> = roles["roles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|role| role["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["admin", "auditor", "member"]);
    let admin = call(&host, "Roles/Get", json!({ "name": "admin" })).await;
    assert_eq!(admin["rules"][0]["permission"], "*");
    assert_eq!(refused(&host, "Roles/Delete", json!({ "name": "admin" })).await, "aborted");
    assert_eq!(
        refused(&host, "Roles/RemoveRule", rule("role:admin", "*", "*", "*")).await,
        "aborted"
    );
    assert!(host.stop().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_is_made_given_used_explained_and_taken_away() {
    let host = host().await;
    call(
        &host,
        "Roles/Create",
        json!({ "name": "editor", "description": "Writes", "tenant": "acme" }),
    )
    .await;
    assert_eq!(
        refused(&host, "Roles/Create", json!({ "name": "editor", "tenant": "other" })).await,
        "already_exists"
    );
    assert_eq!(
        refused(&host, "Roles/Create", json!({ "name": "An Editor" })).await,
        "invalid_argument"
    );
    let added = call(&host, "Roles/AddRule", rule("role:editor", "acme", "blog.post.*", "post/*")).await;
    assert!(added["warnings"][0].as_str().unwrap().contains("blog.post.*"), "{added}");
    let known = call(&host, "Roles/AddRule", rule("role:editor", "acme", "authz.*.read", "*")).await;
    assert!(
        known.get("warnings").is_none() || known["warnings"].as_array().unwrap().is_empty(),
        "{known}"
    );
    call(&host, "Bindings/Grant", binding("user:ann", "role:editor", "acme")).await;

    let yes = why(&host, "user:ann", "acme", "blog.post.write", "post/1").await;
    assert_eq!(yes["allowed"], true, "{yes}");
    assert_eq!(yes["rule"]["permission"], "blog.post.*");
    assert_eq!(yes["path"][0]["role"], "role:editor");
    let no = why(&host, "user:ann", "other", "blog.post.write", "post/1").await;
    assert!(no.get("allowed").is_none_or(|allowed| allowed == false), "{no}");
    assert!(no["because"].as_str().unwrap().contains("holds no role"), "{no}");
    let mut deny = rule("user:ann", "acme", "blog.post.write", "post/1");
    deny["rule"]["deny"] = json!(true);
    call(&host, "Roles/AddRule", deny.clone()).await;
    let no = why(&host, "user:ann", "acme", "blog.post.write", "post/1").await;
    assert!(no["because"].as_str().unwrap().contains("denies"), "{no}");
    call(&host, "Roles/RemoveRule", deny.clone()).await;
    assert_eq!(refused(&host, "Roles/RemoveRule", deny).await, "not_found");

    call(&host, "Bindings/Revoke", binding("user:ann", "role:editor", "acme")).await;
    let no = why(&host, "user:ann", "acme", "blog.post.write", "post/1").await;
    assert!(no.get("allowed").is_none_or(|allowed| allowed == false), "{no}");
    call(&host, "Roles/Delete", json!({ "name": "editor" })).await;
    assert_eq!(
        refused(&host, "Bindings/Grant", binding("user:ann", "role:editor", "acme")).await,
        "not_found"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_reaches_beyond_a_tenant_only_rules_for_all_tenants_give_and_why_says_so() {
    let host = host().await;
    let found = declared(&host, "authz.policy.watch").await;
    assert_eq!(found["installation"], true, "{found}");
    call(&host, "Bindings/Grant", binding("user:chief", "role:admin", "acme")).await;
    for permission in ["authz.policy.watch", "wharf.modules.write"] {
        let no = why(&host, "user:chief", "acme", permission, "").await;
        assert!(no.get("allowed").is_none_or(|allowed| allowed == false), "{no}");
        assert_eq!(no["tenant"], "*", "{no}");
        let because = no["because"].as_str().unwrap();
        assert!(because.starts_with(&format!("{permission} reaches beyond a tenant")), "{because}");
        let asked = json!({ "subject": "user:chief", "tenant": "acme", "permission": permission });
        let checked = call(&host, "Decisions/Check", asked).await;
        assert!(checked.get("allowed").is_none_or(|allowed| allowed == false), "{checked}");
        for deny in [false, true] {
            let mut useless = rule("role:member", "acme", permission, "*");
            useless["rule"]["deny"] = json!(deny);
            assert_eq!(refused(&host, "Roles/AddRule", useless).await, "invalid_argument");
        }
    }
    let yes = why(&host, "user:chief", "acme", "authz.policy.write", "").await;
    assert_eq!((&yes["allowed"], &yes["tenant"]), (&json!(true), &json!("acme")), "{yes}");
    call(&host, "Bindings/Grant", binding("user:chief", "role:admin", "*")).await;
    let yes = why(&host, "user:chief", "acme", "authz.policy.watch", "").await;
    assert_eq!(yes["allowed"], true, "{yes}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn circles_unknown_roles_and_the_last_administrator_are_refused() {
    let host = host().await;
    for name in ["a", "b", "c"] {
        call(&host, "Roles/Create", json!({ "name": name, "tenant": "*" })).await;
    }
    call(&host, "Bindings/Grant", binding("role:a", "role:b", "acme")).await;
    call(&host, "Bindings/Grant", binding("role:b", "role:c", "*")).await;
    assert_eq!(
        refused(&host, "Bindings/Grant", binding("role:c", "role:a", "acme")).await,
        "aborted"
    );
    assert_eq!(refused(&host, "Bindings/Grant", binding("role:c", "role:a", "*")).await, "aborted");
    call(&host, "Bindings/Grant", binding("role:c", "role:a", "other")).await;
    assert_eq!(
        refused(&host, "Bindings/Grant", binding("user:x", "role:nobody", "acme")).await,
        "not_found"
    );
    assert_eq!(
        refused(&host, "Bindings/Grant", binding("x", "role:a", "acme")).await,
        "invalid_argument"
    );
    assert_eq!(
        refused(&host, "Roles/AddRule", rule("role:nobody", "acme", "x.y", "*")).await,
        "not_found"
    );
    call(&host, "Bindings/Revoke", binding("role:a", "role:b", "acme")).await;
    call(&host, "Bindings/Grant", binding("role:c", "role:a", "acme")).await;

    call(&host, "Bindings/Grant", binding("user:first", "role:admin", "*")).await;
    assert_eq!(
        refused(&host, "Bindings/Revoke", binding("user:first", "role:admin", "*")).await,
        "aborted"
    );
    call(&host, "Bindings/Grant", binding("user:second", "role:admin", "*")).await;
    call(&host, "Bindings/Revoke", binding("user:first", "role:admin", "*")).await;
}

/// All permissions there are, read in pages of this size.
async fn permissions(host: &TestHost, size: u32) -> Vec<String> {
    let (mut token, mut found) = (String::new(), Vec::new());
    loop {
        let page = call(host, "Permissions/List", json!({ "pageSize": size, "pageToken": token })).await;
        let rows = page["permissions"].as_array().cloned().unwrap_or_default();
        assert!(rows.len() <= size as usize, "{page}");
        found.extend(rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()));
        match page["nextPageToken"].as_str() {
            Some(next) if !next.is_empty() => token = next.to_owned(),
            _ => return found,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_come_in_pages() {
    let host = host().await;
    declared(&host, "authz.policy.write").await;
    for number in 0..7 {
        call(&host, "Bindings/Grant", binding(&format!("user:{number}"), "role:member", "acme")).await;
    }
    let (mut token, mut found) = (String::new(), Vec::new());
    loop {
        let page = call(
            &host,
            "Bindings/List",
            json!({ "tenant": "acme", "pageSize": 3, "pageToken": token }),
        )
        .await;
        found.extend(
            page["bindings"]
                .as_array()
                .unwrap()
                .iter()
                .map(|line| line["member"].as_str().unwrap().to_owned()),
        );
        match page["nextPageToken"].as_str() {
            Some(next) if !next.is_empty() => token = next.to_owned(),
            _ => break,
        }
    }
    assert_eq!(found, (0..7).map(|number| format!("user:{number}")).collect::<Vec<_>>());
    assert_eq!(
        refused(&host, "Bindings/List", json!({ "pageToken": "?" })).await,
        "invalid_argument"
    );
    let rules = call(&host, "Roles/ListRules", json!({ "subject": "role:auditor" })).await;
    assert_eq!(rules["rules"].as_array().unwrap().len(), 3);
    let all = permissions(&host, 500).await;
    assert!(all.len() > 5 && all.is_sorted(), "{all:?}");
    assert_eq!(permissions(&host, 2).await, all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_in_force_on_every_node_within_a_second() {
    let first = host().await;
    let second = TestHost::builder()
        .beside(&first, "second")
        .module(wharf_authz::root())
        .start()
        .await;
    call(&first, "Roles/Create", json!({ "name": "editor", "tenant": "default" })).await;
    call(&first, "Roles/AddRule", rule("role:editor", "default", "blog.post.write", "*")).await;
    for (granted, method) in [(true, "Bindings/Grant"), (false, "Bindings/Revoke")] {
        call(&first, method, binding("user:ann", "role:editor", "default")).await;
        let begun = Instant::now();
        for node in [&first, &second] {
            loop {
                let answer = why(node, "user:ann", "default", "blog.post.write", "").await;
                if answer.get("allowed").is_some_and(|allowed| *allowed == true) == granted {
                    break;
                }
                assert!(begun.elapsed() < Duration::from_secs(5), "{answer}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_modules_declare_is_listed() {
    let host = host().await;
    let found = declared(&host, "authz.policy.write").await;
    assert_eq!(found["module"], "authz", "{found}");
}

/// Waits until a permission is listed.
async fn declared(host: &TestHost, name: &str) -> Value {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let found = call(host, "Permissions/List", json!({ "pageSize": 500 })).await;
        let listed = found["permissions"].as_array().cloned().unwrap_or_default();
        if let Some(found) = listed.into_iter().find(|permission| permission["name"] == name) {
            return found;
        }
        assert!(Instant::now() < until, "{found}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A call in somebody's own name: the code in JSON when it was refused.
async fn as_user(host: &TestHost, id: &str, method: &str, message: &Value) -> (u16, String) {
    let caller = host.as_user(id).of_tenant("acme");
    let answer = caller.post(&format!("/wharf.authz.v1.{method}"), message).await;
    (answer.status.as_u16(), answer.text().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_of_one_tenant_gives_rights_there_alone_and_none_that_reach_beyond_it() {
    let host = TestHost::builder().module(wharf_authz::root()).start().await;
    declared(&host, "authz.policy.watch").await;
    call(&host, "Bindings/Grant", binding("user:chief", "role:admin", "acme")).await;
    let until = Instant::now() + Duration::from_secs(10);
    while as_user(&host, "chief", "Roles/List", &json!({})).await.0 != 200 {
        assert!(Instant::now() < until, "the role does not count");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    call(&host, "Roles/Create", json!({ "name": "everywhere", "tenant": "*" })).await;
    call(&host, "Roles/AddRule", rule("role:everywhere", "*", "wharf.module.write", "*")).await;
    for (method, message, expected) in [
        ("Roles/Create", json!({ "name": "writer" }), 200),
        ("Roles/AddRule", rule("role:writer", "acme", "blog.post.*", "*"), 200),
        ("Roles/AddRule", rule("role:writer", "", "blog.post.*", "*"), 200),
        ("Bindings/Grant", binding("user:ann", "role:writer", "acme"), 200),
        ("Bindings/Grant", binding("user:ann", "role:admin", "acme"), 200),
        // Elsewhere, and everywhere.
        ("Roles/Create", json!({ "name": "spy", "tenant": "other" }), 403),
        ("Roles/Create", json!({ "name": "spy", "tenant": "*" }), 403),
        ("Roles/AddRule", rule("role:writer", "other", "blog.post.*", "*"), 403),
        ("Roles/AddRule", rule("role:writer", "*", "blog.post.*", "*"), 403),
        ("Roles/AddRule", rule("role:member", "*", "blog.post.*", "*"), 403),
        ("Roles/RemoveRule", rule("role:auditor", "*", "audit.*.read", "*"), 403),
        ("Roles/Delete", json!({ "name": "everywhere" }), 403),
        ("Bindings/Grant", binding("user:chief", "role:admin", "other"), 403),
        ("Bindings/Grant", binding("user:chief", "role:admin", "*"), 403),
        ("Bindings/Grant", binding("role:member", "role:admin", "*"), 403),
        ("Bindings/Revoke", binding("user:root", "role:admin", "*"), 403),
        ("Bindings/List", json!({ "tenant": "other" }), 403),
        ("Bindings/List", json!({ "tenant": "*" }), 403),
        (
            "Decisions/Why",
            json!({ "subject": "user:ann", "tenant": "other", "permission": "blog.post.write" }),
            403,
        ),
        // What reaches beyond a tenant is given for all tenants alone.
        ("Roles/AddRule", rule("role:writer", "acme", "authz.policy.watch", "*"), 400),
        ("Roles/AddRule", rule("role:writer", "acme", "wharf.module.write", "*"), 400),
        ("Roles/AddRule", rule("role:writer", "*", "authz.policy.watch", "*"), 403),
    ] {
        let (status, text) = as_user(&host, "chief", method, &message).await;
        assert_eq!(status, expected, "{method} {message}: {text}");
    }
    // A glob that takes them in gives none of them.
    assert_eq!(
        as_user(&host, "chief", "Roles/AddRule", &rule("role:writer", "acme", "authz.*", "*"))
            .await
            .0,
        200
    );
    let no = why(&host, "user:ann", "acme", "authz.policy.watch", "").await;
    assert!(no.get("allowed").is_none_or(|allowed| allowed == false), "{no}");
}

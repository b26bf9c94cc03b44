//! What the compiled rules answer.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use wharf_proto::authz::v1::{self, PolicyUpdate};

use super::super::principal::{About, Kind};
use super::*;

fn rule(line: &str) -> v1::Rule {
    let words: Vec<&str> = line.split_whitespace().collect();
    v1::Rule {
        subject: words[0].to_owned(),
        tenant: words[1].to_owned(),
        permission: words[2].to_owned(),
        resource: words[3].to_owned(),
        deny: words.get(4) == Some(&"deny"),
    }
}

fn binding(line: &str) -> v1::Binding {
    let words: Vec<&str> = line.split_whitespace().collect();
    v1::Binding {
        member: words[0].to_owned(),
        role: words[1].to_owned(),
        tenant: words[2].to_owned(),
    }
}

fn update(epoch: u64, rules: &[&str], bindings: &[&str]) -> PolicyUpdate {
    PolicyUpdate {
        epoch,
        rules_added: rules.iter().map(|line| rule(line)).collect(),
        bindings_added: bindings.iter().map(|line| binding(line)).collect(),
        ..PolicyUpdate::default()
    }
}

fn rules() -> Rules {
    let rules = Rules::unknown();
    let snapshot = PolicyUpdate {
        snapshot: true,
        ..update(
            7,
            &[
                "role:editor acme blog.post.write own",
                "role:editor acme blog.post.read *",
                "role:chief acme blog.post.write post/*",
                "role:chief acme blog.post.write post/secret deny",
                "role:admin * * *",
                "user:eve * blog.* * deny",
                "module:sweeper * blog.post.delete *",
                "user:ann acme blog.picture.show picture/*/small",
            ],
            &[
                "user:ann role:editor acme",
                "group:board role:chief acme",
                "role:chief role:editor acme",
                "user:bob group:board acme",
                "user:eve role:admin *",
                "user:root role:admin *",
                "role:x role:y acme",
                "role:y role:x acme",
                "user:loop role:x acme",
            ],
        )
    };
    assert_eq!(rules.apply(snapshot), Ok(7));
    rules
}

fn user(id: &str, tenant: &str) -> Principal {
    let tenant = tenant.to_owned();
    Principal::known(
        Kind::User,
        id,
        About {
            tenant,
            ..About::default()
        },
    )
}

fn on(name: &str) -> Resource<'_> {
    Resource { name, owner: None }
}

#[test]
fn roles_groups_tenants_owners_globs_and_denies_decide() {
    let rules = rules();
    let owned = |name, owner| Resource { name, owner: Some(owner) };
    for (who, tenant, permission, resource, allowed) in [
        ("ann", "acme", "blog.post.read", on("post/1"), true),
        ("ann", "acme", "blog.post.read", on(""), true),
        ("ann", "other", "blog.post.read", on("post/1"), false),
        ("ann", "acme", "blog.post.write", on("post/1"), false),
        ("ann", "acme", "blog.post.write", owned("post/1", "user:ann"), true),
        ("ann", "acme", "blog.post.write", owned("post/1", "user:bob"), false),
        ("ann", "acme", "blog.picture.show", on("picture/7/small"), true),
        ("ann", "acme", "blog.picture.show", on("picture/7/large"), false),
        ("bob", "acme", "blog.post.write", on("post/1"), true),
        ("bob", "acme", "blog.post.write", on("page/1"), false),
        ("bob", "acme", "blog.post.write", on("post/secret"), false),
        ("bob", "acme", "blog.post.write", owned("post/secret", "user:bob"), false),
        ("bob", "acme", "blog.post.read", on("post/1"), true),
        ("root", "anywhere", "what.ever.it", on("x"), true),
        ("eve", "anywhere", "what.ever.it", on("x"), true),
        ("eve", "anywhere", "blog.post.read", on("x"), false),
        ("loop", "acme", "blog.post.read", on("x"), false),
        ("nobody", "acme", "blog.post.read", on("x"), false),
    ] {
        let expected = if allowed { Decision::Allow } else { Decision::Deny };
        let who = user(who, tenant);
        for _ in 0..2 {
            assert_eq!(
                rules.check(&who, permission, resource),
                expected,
                "{who:?} {permission} {resource:?}"
            );
        }
        assert_eq!(
            rules.explain(&who, permission, resource).decision,
            expected,
            "{who:?} {permission} {resource:?}"
        );
    }
}

#[test]
fn what_is_built_in_goes_before_the_rules_and_nothing_is_known_without_them() {
    let none = Rules::unknown();
    assert_eq!(none.check(&Principal::host(), "x.y", on("")), Decision::Allow);
    assert_eq!(none.check(&Principal::Anonymous, "x.y", on("")), Decision::Deny);
    assert_eq!(none.check(&user("ann", "acme"), "x.y", on("")), Decision::Unknown);
    assert_eq!(none.scope(&user("ann", "acme"), "x.y"), None);
    let rules = rules();
    assert_eq!(
        rules.check(&Principal::module("sweeper", vec![]), "blog.post.delete", on("post/1")),
        Decision::Allow
    );
    assert_eq!(
        rules.check(&Principal::module("sweeper", vec![]), "blog.post.write", on("post/1")),
        Decision::Deny
    );
    let scopes = Some(vec!["other.*".to_owned()]);
    let narrow = Principal::known(
        Kind::User,
        "root",
        About {
            tenant: "acme".to_owned(),
            scopes,
            ..About::default()
        },
    );
    assert_eq!(rules.check(&narrow, "blog.post.read", on("")), Decision::Deny);
    assert!(
        rules
            .explain(&narrow, "blog.post.read", on(""))
            .because
            .contains("restricted to other.*")
    );
    rules.forget();
    assert_eq!(rules.check(&user("root", "acme"), "blog.post.read", on("")), Decision::Unknown);
}

#[test]
fn scope_says_which_rows() {
    let rules = rules();
    let scope = rules.scope(&user("bob", "acme"), "blog.post.write").unwrap();
    assert!(scope.allow.own && !scope.allow.all);
    assert_eq!(scope.allow.globs, ["post/*"]);
    assert_eq!(scope.deny.names, ["post/secret"]);
    let all = rules.scope(&user("root", "acme"), "blog.post.write").unwrap();
    assert!(all.allow.all);
    assert!(rules.scope(&user("eve", "acme"), "blog.post.write").unwrap().deny.all);
    let set = rules.load().unwrap();
    for (who, permission, expected) in [
        ("user:ann", "blog.post.write", true),
        ("user:ann", "blog.post.delete", false),
        ("user:eve", "blog.post.write", false),
        ("user:eve", "mail.read", true),
    ] {
        assert_eq!(set.holds(who, "acme", permission), expected, "{who} {permission}");
    }
}

#[test]
fn explain_names_the_rule_and_the_way_to_it() {
    let rules = rules();
    let why = rules.explain(&user("bob", "acme"), "blog.post.read", on("post/1"));
    assert_eq!(why.rule.as_deref(), Some("p, role:editor, acme, blog.post.read, *, allow"));
    assert_eq!(
        why.path,
        [
            "g, user:bob, group:board, acme",
            "g, group:board, role:chief, acme",
            "g, role:chief, role:editor, acme"
        ]
    );
    let why = rules.explain(&user("bob", "acme"), "blog.post.write", on("post/secret"));
    assert_eq!(why.rule.as_deref(), Some("p, role:chief, acme, blog.post.write, post/secret, deny"));
    let why = rules.explain(&user("ann", "acme"), "blog.post.write", on("post/1"));
    assert!(why.because.contains("p, role:editor, acme, blog.post.write, own, allow"), "{why:?}");
    let why = rules.explain(&user("nobody", "acme"), "blog.post.write", on("post/1"));
    assert!(why.because.contains("holds no role"), "{why:?}");
}

#[test]
fn changes_follow_their_epoch_or_are_refused() {
    let rules = rules();
    let ann = user("ann", "acme");
    assert_eq!(rules.check(&ann, "blog.post.read", on("")), Decision::Allow);
    assert_eq!(rules.apply(update(9, &[], &[])), Err(ApplyError::Gap { found: 9, expected: 8 }));
    assert_eq!(
        rules.apply(update(7, &["user:x * x.y *"], &[])),
        Err(ApplyError::Gap { found: 7, expected: 8 })
    );
    let before = rules.load().unwrap();
    assert_eq!(rules.apply(update(7, &[], &[])), Ok(7), "a message without changes");
    assert!(Arc::ptr_eq(&before, &rules.load().unwrap()));
    let mut removal = update(8, &["user:ann acme blog.post.write post/1"], &[]);
    removal.rules_removed = vec![rule("role:editor acme blog.post.read *")];
    removal.bindings_removed = vec![binding("user:bob group:board acme")];
    assert_eq!(rules.apply(removal), Ok(8));
    assert_eq!(rules.check(&ann, "blog.post.read", on("")), Decision::Deny);
    assert_eq!(rules.check(&ann, "blog.post.write", on("post/1")), Decision::Allow);
    assert_eq!(rules.check(&user("bob", "acme"), "blog.post.write", on("post/1")), Decision::Deny);
    assert_eq!(
        before.check("user:ann", "acme", "blog.post.read", on("")),
        Decision::Allow,
        "the old epoch is as it was"
    );
    assert_eq!((rules.load().unwrap().rules(), rules.load().unwrap().bindings()), (8, 8));
    let empty = Rules::unknown();
    assert_eq!(empty.apply(update(1, &[], &[])), Err(ApplyError::NoSnapshot(1)));
}

#[test]
fn an_explanation_says_when_only_rules_for_all_tenants_count() {
    let rules = rules();
    let user = |id: &str| {
        let about = About {
            tenant: "acme".to_owned(),
            ..About::default()
        };
        Principal::known(Kind::User, id, about)
    };
    let why = |id: &str, permission: &str| rules.explain(&user(id), permission, Resource::default());
    let before = why("ann", "blog.site.move");
    assert!(!before.because.contains("beyond"), "{before:?}");
    rules.reach_everywhere(&["blog.site.move"]);
    for permission in ["blog.site.move", "wharf.module.write"] {
        let no = why("ann", permission);
        assert_eq!(no.decision, Decision::Deny);
        let expected = format!("{permission} reaches beyond a tenant, so only rules for all tenants (*) give it: no rule allows user:ann");
        assert!(no.because.starts_with(&expected), "{no:?}");
        let yes = why("root", permission);
        assert!(yes.decision == Decision::Allow && !yes.because.contains("beyond"), "{yes:?}");
    }
}

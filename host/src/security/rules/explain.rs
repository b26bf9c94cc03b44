//! Why the answer is what it is.

use super::super::authorizer::{Decision, Explanation, Resource};
use super::super::principal::{Kind, Principal};
use super::closure::Closure;
use super::rule::Rule;

/// The rule that decides: the first deny that matches, else the first allow, nearest to the caller.
pub(super) fn explain(closure: &Closure, caller: &str, tenant: &str, permission: &str, resource: Resource<'_>) -> Explanation {
    let about = |place: usize, rule: &Rule| (place, rule.to_string());
    let (mut allow, mut elsewhere) = (None::<(usize, String)>, None::<(usize, String)>);
    for (place, member) in closure.0.iter().enumerate() {
        let Some(rules) = &member.rules else { continue };
        for rule in rules.about(tenant, permission) {
            match (rule.is_about(caller, resource), rule.deny) {
                (true, true) => {
                    let because = format!("a rule denies it to {}, and a deny goes before every allow", member.subject);
                    return decided(Decision::Deny, because, closure, about(place, rule));
                }
                (true, false) => allow = allow.or_else(|| Some(about(place, rule))),
                (false, false) => elsewhere = elsewhere.or_else(|| Some(about(place, rule))),
                (false, true) => {}
            }
        }
    }
    if let Some((place, rule)) = allow {
        let subject = closure.0.get(place).map_or(caller, |member| &member.subject);
        let how = if place == 0 {
            "a rule allows it".to_owned()
        } else {
            format!("a rule allows it to {subject}, which {caller} holds")
        };
        return decided(Decision::Allow, how, closure, (place, rule));
    }
    Explanation {
        decision: Decision::Deny,
        because: nothing(closure, caller, tenant, permission, resource, elsewhere),
        rule: None,
        path: Vec::new(),
    }
}

/// No rule had to be looked at.
pub(super) fn built_in(who: &Principal, permission: &str, decision: Decision) -> Explanation {
    let because = match who.identity() {
        None => "nobody knows who is calling".to_owned(),
        Some(who) if who.kind == Kind::Host => "the host may do everything".to_owned(),
        Some(who) if decision == Decision::Allow => {
            format!(
                "the manifest of {} asks for {permission}, and whoever lets it run grants that",
                who.subject()
            )
        }
        Some(who) => format!(
            "the token or key of {} is restricted to {}",
            who.subject(),
            who.scopes.as_deref().unwrap_or_default().join(" ")
        ),
    };
    Explanation {
        decision,
        because,
        rule: None,
        path: Vec::new(),
    }
}

/// The permission reaches beyond the tenant of whoever asks, so that what holds only there did not count.
pub(super) fn everywhere(explained: Explanation, permission: &str) -> Explanation {
    match explained.rule {
        Some(_) => explained,
        None => Explanation {
            because: format!(
                "{permission} reaches beyond a tenant, so only rules for all tenants (*) give it: {}",
                explained.because
            ),
            ..explained
        },
    }
}

/// There are no rules to look at.
pub(super) fn unknown() -> Explanation {
    Explanation {
        decision: Decision::Unknown,
        because: "the rules are not known on this node, or too old to go by".to_owned(),
        rule: None,
        path: Vec::new(),
    }
}

fn decided(decision: Decision, because: String, closure: &Closure, (place, rule): (usize, String)) -> Explanation {
    Explanation {
        decision,
        because,
        rule: Some(rule),
        path: closure.path(place),
    }
}

/// Says what there is instead, so that the next step is clear.
fn nothing(
    closure: &Closure,
    caller: &str,
    tenant: &str,
    permission: &str,
    resource: Resource<'_>,
    elsewhere: Option<(usize, String)>,
) -> String {
    let place = if tenant.is_empty() {
        "in all tenants".to_owned()
    } else {
        format!("in tenant {tenant}")
    };
    if let Some((_, rule)) = elsewhere {
        let on = if resource.name.is_empty() {
            "every resource"
        } else {
            resource.name
        };
        return format!("no rule allows {caller} {permission} on {on} {place}; on others this one does: {rule}");
    }
    let roles: Vec<&str> = closure.0.iter().skip(1).map(|member| &*member.subject).collect();
    if roles.is_empty() {
        return format!("no rule allows {caller} {permission} {place}, where it holds no role");
    }
    format!("no rule allows {caller} {permission} {place}, where it holds {}", roles.join(", "))
}

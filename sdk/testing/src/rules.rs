//! Rules of a test: who may do what, without the module `authz`.

use std::sync::Arc;

use http::request::Parts;
use wharf_host::domain::route::Policy;
use wharf_host::security::authorizer::{built_in, matches};
use wharf_host::security::{Admission, Authorizer, Decision, Denial, Explanation, Gatekeeper, Principal, Resource, Scope};

/// Fixed rules. What none of them allows is denied, and one that denies counts more than any that allow.
#[derive(Clone, Debug, Default)]
pub(crate) struct FixedRules {
    rules: Vec<Rule>,
    is_silent: bool,
}

#[derive(Clone, Debug)]
struct Rule {
    is_deny: bool,
    subject: String,
    permission: String,
    resource: String,
}

/// Lets in whom the test says is calling; asks the other one about everybody else.
pub(crate) struct AsTold {
    pub(crate) otherwise: Arc<dyn Gatekeeper>,
    pub(crate) authorizer: Arc<dyn Authorizer>,
}

impl FixedRules {
    pub(crate) fn add(&mut self, is_deny: bool, subject: &str, permission: &str, resource: &str) {
        self.rules.push(Rule {
            is_deny,
            subject: subject.to_owned(),
            permission: permission.to_owned(),
            resource: resource.to_owned(),
        });
    }

    /// From now on nobody knows the rules.
    pub(crate) fn silence(&mut self) {
        self.is_silent = true;
    }

    /// Whether the test has said anything about rules.
    pub(crate) fn is_given(&self) -> bool {
        self.is_silent || !self.rules.is_empty()
    }

    fn of(&self, who: &Principal, permission: &str) -> Vec<&Rule> {
        self.rules
            .iter()
            .filter(|rule| matches(&rule.subject, who.subject()) && matches(&rule.permission, permission))
            .collect()
    }

    /// The rule that decides, if one does.
    fn decides(&self, who: &Principal, permission: &str, resource: Resource<'_>) -> Option<&Rule> {
        let mut found = self.of(who, permission);
        found.retain(|rule| rule.covers(who.subject(), resource));
        found.sort_by_key(|rule| !rule.is_deny);
        found.first().copied()
    }
}

impl Rule {
    fn covers(&self, subject: &str, resource: Resource<'_>) -> bool {
        match self.resource.as_str() {
            "*" => true,
            "own" => resource.owner == Some(subject),
            _ if resource.name.is_empty() => false,
            glob => matches(glob, resource.name),
        }
    }
}

impl Authorizer for FixedRules {
    fn check(&self, who: &Principal, permission: &str, resource: Resource<'_>) -> Decision {
        if let Some(decision) = built_in(who, permission) {
            return decision;
        }
        if self.is_silent {
            return Decision::Unknown;
        }
        match self.decides(who, permission, resource) {
            Some(rule) if !rule.is_deny => Decision::Allow,
            _ => Decision::Deny,
        }
    }

    fn scope(&self, who: &Principal, permission: &str) -> Option<Scope> {
        let mut scope = Scope::default();
        match built_in(who, permission) {
            Some(decision) => {
                scope.allow.all = decision == Decision::Allow;
                return Some(scope);
            }
            None if self.is_silent => return None,
            None => {}
        }
        for rule in self.of(who, permission) {
            let rows = if rule.is_deny { &mut scope.deny } else { &mut scope.allow };
            match rule.resource.as_str() {
                "*" => rows.all = true,
                "own" => rows.own = true,
                glob if glob.contains('*') => rows.globs.push(glob.to_owned()),
                name => rows.names.push(name.to_owned()),
            }
        }
        Some(scope)
    }

    fn explain(&self, who: &Principal, permission: &str, resource: Resource<'_>) -> Explanation {
        let rule = self.decides(who, permission, resource).map(|rule| {
            let effect = if rule.is_deny { "deny" } else { "allow" };
            format!("{effect} {} {} {}", rule.subject, rule.permission, rule.resource)
        });
        Explanation {
            decision: self.check(who, permission, resource),
            because: match &rule {
                Some(_) => "a rule of the test decides".to_owned(),
                None => "no rule of the test allows it".to_owned(),
            },
            rule,
            path: Vec::new(),
        }
    }
}

impl Gatekeeper for AsTold {
    fn admit(&self, head: &Parts, policy: &Policy) -> Admission {
        let Some(who) = head.extensions.get::<Principal>() else {
            return self.otherwise.admit(head, policy);
        };
        Admission::Now(match policy {
            Policy::Public | Policy::Authenticated => Ok(who.clone()),
            Policy::Require(permission) => match self.authorizer.check(who, permission, Resource::default()) {
                Decision::Allow => Ok(who.clone()),
                Decision::Deny => Err(Denial::Forbidden {
                    who: who.clone(),
                    detail: format!("this needs the permission {permission}"),
                }),
                Decision::Unknown => Err(Denial::Unknown {
                    detail: "the rules are not known at this moment".to_owned(),
                }),
            },
        })
    }

    fn keeps_tokens(&self) -> bool {
        self.otherwise.keeps_tokens()
    }
}

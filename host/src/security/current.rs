//! The rules in force: what a source said last, as long as that is not too old.

use std::fmt;
use std::sync::Arc;

use super::authorizer::{Authorizer, Decision, Explanation, NoRules, Resource, Scope, built_in};
use super::freshness::{Freshness, Source, Standing};
use super::principal::Principal;
use super::rules::Rules;

/// Answers [`Decision::Unknown`] once the rules are too old, except for what holds whatever the rules say.
pub struct Current {
    rules: Arc<Rules>,
    freshness: Arc<Freshness>,
}

impl Current {
    /// Over these rules.
    #[must_use]
    pub fn new(rules: Arc<Rules>, freshness: Arc<Freshness>) -> Self {
        Self { rules, freshness }
    }

    /// Whoever answers now; none when the rules are not known.
    fn now(&self) -> Option<&dyn Authorizer> {
        match self.freshness.standing(Source::Policy) {
            Standing::Fresh => Some(&*self.rules),
            // Where there is no such module there are no rules, and that is known.
            Standing::Absent => Some(&NoRules),
            Standing::Silent => None,
        }
    }
}

impl Authorizer for Current {
    fn reach_everywhere(&self, permissions: &[&str]) {
        self.rules.reach_everywhere(permissions);
    }

    fn check(&self, who: &Principal, permission: &str, resource: Resource<'_>) -> Decision {
        match self.now() {
            Some(now) => now.check(who, permission, resource),
            None => built_in(who, permission).unwrap_or(Decision::Unknown),
        }
    }

    fn scope(&self, who: &Principal, permission: &str) -> Option<Scope> {
        match self.now() {
            Some(now) => now.scope(who, permission),
            None => built_in(who, permission).and_then(|_| NoRules.scope(who, permission)),
        }
    }

    fn holds(&self, who: &Principal, permission: &str) -> Decision {
        match self.now() {
            Some(now) => now.holds(who, permission),
            None => built_in(who, permission).unwrap_or(Decision::Unknown),
        }
    }

    fn explain(&self, who: &Principal, permission: &str, resource: Resource<'_>) -> Explanation {
        match self.now() {
            Some(now) => now.explain(who, permission, resource),
            None => Explanation {
                decision: self.check(who, permission, resource),
                because: "the rules are not known: module authz has been silent for too long".to_owned(),
                rule: None,
                path: Vec::new(),
            },
        }
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::time::Duration;

    use super::*;
    use crate::security::principal::{About, Kind};

    #[test]
    fn old_rules_decide_nothing_but_what_holds_without_rules() {
        let freshness = Arc::new(Freshness::new(Duration::from_secs(60)));
        let current = Current::new(Arc::new(Rules::unknown()), freshness.clone());
        let user = Principal::known(Kind::User, "1", About::default());
        assert_eq!(current.holds(&user, "a.b"), Decision::Deny, "no module authz: no rules");
        freshness.runs(Source::Policy, true);
        assert_eq!(current.holds(&user, "a.b"), Decision::Unknown);
        assert_eq!(current.scope(&user, "a.b"), None);
        assert_eq!(current.holds(&Principal::host(), "a.b"), Decision::Allow);
        freshness.heard(Source::Policy);
        current
            .rules
            .apply(wharf_proto::authz::v1::PolicyUpdate {
                epoch: 1,
                snapshot: true,
                ..Default::default()
            })
            .unwrap();
        assert_eq!(current.holds(&user, "a.b"), Decision::Deny);
    }
}

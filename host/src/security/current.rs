//! The rules in force: what a source said last, as long as that is not too old.

use std::fmt;
use std::sync::Arc;

use wharf_proto::authz::v1::PolicyUpdate;

use super::authorizer::{Authorizer, Decision, Explanation, NoRules, Resource, Scope, built_in};
use super::freshness::{Freshness, Source, Standing};
use super::principal::Principal;
use super::rules::Rules;

/// Rules that follow a source.
pub trait Followed: Authorizer {
    /// Takes a snapshot, or what changed since.
    ///
    /// # Errors
    /// [`Gap`] when something is missing in between: a snapshot is needed.
    fn apply(&self, update: PolicyUpdate) -> Result<(), Gap>;
}

/// Updates do not follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found epoch {found} of the rules, expected {expected} or a snapshot")]
pub struct Gap {
    /// Epoch of the update.
    pub found: u64,
    /// Epoch that would follow.
    pub expected: u64,
}

/// Answers [`Decision::Unknown`] once the rules are too old, except for what holds whatever the rules say.
pub struct Current {
    rules: Arc<dyn Followed>,
    freshness: Arc<Freshness>,
}

impl Current {
    /// Over these rules.
    #[must_use]
    pub fn new(rules: Arc<dyn Followed>, freshness: Arc<Freshness>) -> Self {
        Self { rules, freshness }
    }

    /// Rules of a module that runs and is silent are not known; where there is no such module there are none.
    fn in_force(&self) -> Option<&dyn Authorizer> {
        match self.freshness.standing(Source::Policy) {
            Standing::Fresh => Some(&*self.rules),
            Standing::Absent => Some(&NoRules),
            Standing::Silent => None,
        }
    }
}

impl Authorizer for Current {
    fn check(&self, who: &Principal, permission: &str, resource: Resource<'_>) -> Decision {
        let by_rules = || self.in_force().map(|rules| rules.check(who, permission, resource));
        built_in(who, permission).or_else(by_rules).unwrap_or(Decision::Unknown)
    }

    fn scope(&self, who: &Principal, permission: &str) -> Option<Scope> {
        if built_in(who, permission).is_some() {
            return NoRules.scope(who, permission);
        }
        self.in_force()?.scope(who, permission)
    }

    fn holds(&self, who: &Principal, permission: &str) -> Decision {
        let by_rules = || self.in_force().map(|rules| rules.holds(who, permission));
        built_in(who, permission).or_else(by_rules).unwrap_or(Decision::Unknown)
    }

    fn explain(&self, who: &Principal, permission: &str, resource: Resource<'_>) -> Explanation {
        if let Some(rules) = self.in_force() {
            return rules.explain(who, permission, resource);
        }
        Explanation {
            decision: self.check(who, permission, resource),
            because: "the rules are not known: module authz has been silent for too long".to_owned(),
            rule: None,
            path: Vec::new(),
        }
    }
}

impl Followed for NoRules {
    fn apply(&self, _: PolicyUpdate) -> Result<(), Gap> {
        Ok(())
    }
}

impl Followed for Rules {
    fn apply(&self, update: PolicyUpdate) -> Result<(), Gap> {
        let found = update.epoch;
        Self::apply(self, update).map(drop).map_err(|_| Gap {
            found,
            expected: self.load().map_or(0, |set| set.epoch() + 1),
        })
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::security::principal::{About, Kind};

    #[test]
    fn old_rules_decide_nothing_but_what_holds_without_rules() {
        let freshness = Arc::new(Freshness::new(Duration::from_secs(60)));
        let current = Current::new(Arc::new(NoRules), freshness.clone());
        let user = Principal::known(Kind::User, "1", About::default());
        assert_eq!(current.holds(&user, "a.b"), Decision::Deny, "no module authz: no rules");
        freshness.runs(Source::Policy, true);
        assert_eq!(current.holds(&user, "a.b"), Decision::Unknown);
        assert_eq!(current.scope(&user, "a.b"), None);
        assert_eq!(current.holds(&Principal::host(), "a.b"), Decision::Allow);
        freshness.heard(Source::Policy);
        assert_eq!(current.holds(&user, "a.b"), Decision::Deny);
    }
}

//! Nobody gives away more than they hold.

use wharf_proto::authz::matches;

use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::line::{BindingLine, EVERYWHERE, RuleLine, holds_in};
use crate::policy::{Policy, Where};

/// Needed to change anything, in the tenant of the change.
pub(crate) const WRITE: &str = "authz.policy.write";
/// Needed to read, in the tenant that is asked about.
pub(crate) const READ: &str = "authz.policy.read";

impl Caller {
    /// Refuses who does not hold a permission in a tenant; `*` is what they hold in all.
    pub(crate) fn needs(&self, policy: &Policy, permission: &str, tenant: &str) -> Result<()> {
        if self.trusted || policy.allows(&self.subject, tenant, permission) {
            return Ok(());
        }
        Err(Error::Denied(format!(
            "{} does not hold {permission} in tenant {tenant}",
            self.subject
        )))
    }

    /// Refuses a rule that gives more than the caller holds. A deny gives nothing.
    pub(crate) fn may_add(&self, policy: &Policy, rule: &RuleLine) -> Result<()> {
        self.needs(policy, WRITE, &rule.tenant)?;
        if rule.deny { Ok(()) } else { self.covers(policy, rule) }
    }

    /// Refuses to take a deny away from whoever does not hold what it denies.
    pub(crate) fn may_remove(&self, policy: &Policy, rule: &RuleLine) -> Result<()> {
        self.needs(policy, WRITE, &rule.tenant)?;
        if rule.deny { self.covers(policy, rule) } else { Ok(()) }
    }

    /// Refuses a binding to a role that allows more than the caller holds.
    pub(crate) fn may_grant(&self, policy: &Policy, binding: &BindingLine) -> Result<()> {
        self.may_bind(policy, binding, false)
    }

    /// Refuses to take a role away that denies what the caller does not hold.
    pub(crate) fn may_revoke(&self, policy: &Policy, binding: &BindingLine) -> Result<()> {
        self.may_bind(policy, binding, true)
    }

    fn may_bind(&self, policy: &Policy, binding: &BindingLine, deny: bool) -> Result<()> {
        self.needs(policy, WRITE, &binding.tenant)?;
        if self.trusted {
            return Ok(());
        }
        let (tenants, tenant) = match binding.tenant.as_str() {
            EVERYWHERE => (Where::Anywhere, None),
            tenant => (Where::In(tenant), Some(tenant)),
        };
        for (subject, _) in policy.closure(&binding.role, tenants) {
            let holding = |rule: &&RuleLine| rule.deny == deny && tenant.is_none_or(|tenant| holds_in(&rule.tenant, tenant));
            for rule in policy.rules_of(&subject).filter(holding) {
                // In this tenant is all that the binding makes of a rule for all tenants.
                let effect = RuleLine {
                    tenant: tenant.unwrap_or(&rule.tenant).to_owned(),
                    ..rule.clone()
                };
                self.covers(policy, &effect)?;
            }
        }
        Ok(())
    }

    /// Refuses what the caller does not hold as widely: the permission on all these resources in this tenant, and no deny that
    /// touches it.
    fn covers(&self, policy: &Policy, given: &RuleLine) -> Result<()> {
        if self.trusted {
            return Ok(());
        }
        let beyond = |why: &str| {
            Err(Error::Denied(format!(
                "{} cannot pass on {} on {} in tenant {}: {why}",
                self.subject, given.permission, given.resource, given.tenant
            )))
        };
        if let Some(scopes) = &self.scopes
            && !scopes.iter().any(|scope| matches(scope, &given.permission))
        {
            return beyond("the token is restricted to other permissions");
        }
        let held = policy.closure(&self.subject, Where::In(&given.tenant));
        let mut rules = held.iter().flat_map(|(subject, _)| policy.rules_of(subject));
        let allows = |rule: &RuleLine| {
            !rule.deny
                && holds_in(&rule.tenant, &given.tenant)
                && matches(&rule.permission, &given.permission)
                && takes_in(&rule.resource, &given.resource)
        };
        if !rules.any(allows) {
            return beyond("no rule allows them all of that");
        }
        // What is given for all tenants also holds where the caller is denied it.
        let (tenants, anywhere) = match given.tenant.as_str() {
            EVERYWHERE => (Where::Anywhere, true),
            tenant => (Where::In(tenant), false),
        };
        let held = policy.closure(&self.subject, tenants);
        let mut rules = held.iter().flat_map(|(subject, _)| policy.rules_of(subject));
        let denies = |rule: &RuleLine| {
            rule.deny
                && (anywhere || holds_in(&rule.tenant, &given.tenant))
                && meet(&rule.permission, &given.permission)
                && (rule.resource == "own" || given.resource == "own" || meet(&rule.resource, &given.resource))
        };
        if rules.any(denies) {
            return beyond("a rule denies them some of that");
        }
        Ok(())
    }
}

/// Whether all resources of `given` are among those of `held`. A glob that matches another one's text matches all of it.
fn takes_in(held: &str, given: &str) -> bool {
    match (held, given) {
        ("own", _) | (_, "own") => held == given || held == "*",
        _ => matches(held, given),
    }
}

/// Whether there is a text that both globs match.
pub(crate) fn meet(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // Row by row: whether what is left of `a` from here meets what is left of `b`.
    let mut below = vec![false; b.len() + 1];
    for at in (0..=a.len()).rev() {
        let mut row = vec![false; b.len() + 1];
        for bt in (0..=b.len()).rev() {
            let (x, y) = (a.get(at), b.get(bt));
            let get = |row: &[bool], place: usize| row.get(place).copied().unwrap_or(false);
            let meets = match (x, y) {
                (None, None) => true,
                (Some('*'), _) => get(&below, bt) || (y.is_some() && get(&row, bt + 1)),
                (_, Some('*')) => get(&row, bt + 1) || (x.is_some() && get(&below, bt)),
                (Some(x), Some(y)) => x == y && get(&below, bt + 1),
                _ => false,
            };
            if let Some(place) = row.get_mut(bt) {
                *place = meets;
            }
        }
        below = row;
    }
    below.first().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_meet_where_one_text_matches_both() {
        for (a, b, expected) in [
            ("", "", true),
            ("a", "a", true),
            ("a", "b", false),
            ("*", "", true),
            ("*", "a.b", true),
            ("a.*", "*.b", true),
            ("a.*", "b.*", false),
            ("a*c", "ab*", true),
            ("a*c", "ab", false),
            ("*x*", "a*b", true),
            ("x*", "*", true),
        ] {
            assert_eq!((meet(a, b), meet(b, a)), (expected, expected), "{a} {b}");
        }
    }

    #[test]
    fn own_rows_are_taken_in_by_all_rows_only() {
        for (held, given, expected) in [
            ("*", "own", true),
            ("own", "own", true),
            ("o*", "own", false),
            ("own", "*", false),
            ("post/*", "post/1*", true),
            ("post/1*", "post/*", false),
        ] {
            assert_eq!(takes_in(held, given), expected, "{held} {given}");
        }
    }
}

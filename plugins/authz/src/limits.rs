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
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn rule(line: &str) -> RuleLine {
        let words: Vec<&str> = line.split_whitespace().collect();
        RuleLine {
            subject: words[0].to_owned(),
            tenant: words[1].to_owned(),
            permission: words[2].to_owned(),
            resource: words[3].to_owned(),
            deny: words.get(4) == Some(&"deny"),
        }
    }

    fn binding(line: &str) -> BindingLine {
        let words: Vec<&str> = line.split_whitespace().collect();
        BindingLine {
            member: words[0].to_owned(),
            role: words[1].to_owned(),
            tenant: words[2].to_owned(),
        }
    }

    fn policy() -> Policy {
        let rules = [
            "role:admin * * *",
            "role:chief * authz.policy.write *",
            "role:chief * blog.* *",
            "role:reader * blog.post.read *",
            "role:writer * blog.post.write own",
            "role:mailer * mail.send *",
            "role:leader * blog.post.read *",
            "role:quiet * blog.post.write post/1 deny",
            "user:narrow acme blog.post.delete * deny",
        ];
        let bindings = [
            "user:root role:admin *",
            "user:boss role:chief acme",
            "user:wide role:chief *",
            "user:narrow role:chief acme",
            "user:split role:chief *",
            "user:split role:quiet other",
            "role:leader role:mailer acme",
        ];
        Policy {
            rules: rules.into_iter().map(rule).collect(),
            bindings: bindings.into_iter().map(binding).collect(),
            ..Policy::default()
        }
    }

    fn caller(id: &str) -> Caller {
        Caller {
            subject: format!("user:{id}"),
            tenant: "acme".to_owned(),
            trusted: false,
            scopes: None,
        }
    }

    #[test]
    fn roles_are_granted_up_to_what_one_holds_oneself() {
        let policy = policy();
        for (who, line, expected) in [
            ("root", "user:x role:admin *", true),
            ("root", "user:x role:admin acme", true),
            ("boss", "user:x role:reader acme", true),
            ("boss", "user:x role:writer acme", true),
            ("boss", "user:x role:chief acme", true),
            ("boss", "user:x role:admin acme", false),
            ("boss", "user:boss role:admin acme", false),
            ("boss", "user:x role:mailer acme", false),
            // What the role holds in turn counts, where it holds it.
            ("boss", "user:x role:leader acme", false),
            ("wide", "user:x role:leader other", true),
            ("wide", "user:x role:leader *", false),
            // Other tenants, and all tenants, are for those who hold it there.
            ("boss", "user:x role:reader other", false),
            ("boss", "user:x role:reader *", false),
            ("wide", "user:x role:reader *", true),
            // What one is denied cannot be passed on.
            ("narrow", "user:x role:chief acme", false),
            ("narrow", "user:x role:reader acme", true),
            ("split", "user:x role:writer acme", true),
            ("split", "user:x role:writer *", false),
            ("nobody", "user:x role:reader acme", false),
        ] {
            let found = caller(who).may_grant(&policy, &binding(line));
            assert_eq!(found.is_ok(), expected, "{who}: {line}: {found:?}");
        }
    }

    #[test]
    fn rules_are_added_up_to_what_one_holds_and_denies_taken_away_likewise() {
        let policy = policy();
        for (who, line, added, removed) in [
            ("boss", "role:reader acme blog.post.* *", true, true),
            ("boss", "user:boss acme * *", false, true),
            ("boss", "role:reader acme *.read *", false, true),
            ("boss", "role:reader * blog.post.read *", false, false),
            ("boss", "role:reader other blog.post.read *", false, false),
            ("boss", "role:reader acme mail.send * deny", true, false),
            ("boss", "role:reader acme blog.post.read post/1 deny", true, true),
            ("root", "role:reader * mail.send * deny", true, true),
        ] {
            let line = rule(line);
            assert_eq!(caller(who).may_add(&policy, &line).is_ok(), added, "{who} adds {line}");
            assert_eq!(caller(who).may_remove(&policy, &line).is_ok(), removed, "{who} removes {line}");
        }
    }

    #[test]
    fn a_role_that_denies_is_revoked_by_those_who_hold_what_it_denies() {
        let policy = policy();
        let quiet = binding("user:split role:quiet other");
        assert!(caller("root").may_revoke(&policy, &quiet).is_ok());
        assert!(caller("split").may_revoke(&policy, &quiet).is_err());
        assert!(caller("boss").may_revoke(&policy, &binding("user:boss role:chief acme")).is_ok());
    }

    #[test]
    fn a_token_passes_on_no_more_than_it_is_restricted_to() {
        let policy = policy();
        let mut root = caller("root");
        root.scopes = Some(vec!["authz.*".to_owned(), "blog.*".to_owned()]);
        assert!(root.may_grant(&policy, &binding("user:x role:reader acme")).is_ok());
        assert!(root.may_grant(&policy, &binding("user:x role:admin acme")).is_err());
    }

    #[test]
    fn the_host_may_edit_everything() {
        let mut host = caller("anybody");
        host.trusted = true;
        assert!(host.may_grant(&policy(), &binding("user:x role:admin *")).is_ok());
    }

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

//! The rules of all tenants, compiled: what the module authz edits, in the form that is asked on every request.
//!
//! A [`RuleSet`] is one epoch of them, never changed; [`RuleSet::apply`] makes the next one and shares with it what stayed.
//! [`Rules`] holds the one in force. Nothing here waits, and nothing walks over all rules: who somebody is in a tenant, and
//! what that gives for one permission, is worked out at the first question and kept, within limits, as long as the epoch.

mod closure;
mod compiled;
mod explain;
mod rule;
mod set;
mod shards;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use wharf_proto::authz::v1::PolicyUpdate;

pub use rule::{Edge, Rule};
pub use set::{ApplyError, RuleSet};

use super::authorizer::{Authorizer, Decision, Explanation, Resource, Scope, built_in};
use super::principal::{Identity, Principal};

/// The rules in force, read with one atomic load.
#[derive(Debug, Default)]
pub struct Rules {
    set: ArcSwapOption<RuleSet>,
    /// Permissions that only rules for all tenants give.
    everywhere: ArcSwap<HashSet<Box<str>>>,
}

/// What permissions of the host itself begin with: none of them belongs to a tenant.
const OF_THE_HOST: &str = "wharf.";

impl Rules {
    /// No rules are known yet: every question that they would decide is answered with [`Decision::Unknown`].
    #[must_use]
    pub fn unknown() -> Self {
        Self::default()
    }

    /// The epoch in force, if one is.
    #[must_use]
    pub fn load(&self) -> Option<Arc<RuleSet>> {
        self.set.load_full()
    }

    /// Takes a snapshot, or what changed since the epoch in force. Only one task may call it at a time.
    ///
    /// # Errors
    /// [`ApplyError`] when it does not follow what is in force: nothing is taken then, and the source is to be watched anew.
    pub fn apply(&self, update: PolicyUpdate) -> Result<u64, ApplyError> {
        let next = match self.load() {
            Some(set) if update.is_heartbeat_of(set.epoch()) => return Ok(set.epoch()),
            Some(set) => set.apply(update)?,
            None => RuleSet::default().apply(update)?,
        };
        let epoch = next.epoch();
        self.set.store(Some(Arc::new(next)));
        Ok(epoch)
    }

    /// Forgets everything: the rules are too old to go by.
    pub fn forget(&self) {
        self.set.store(None);
    }
}

impl Rules {
    /// The tenant whose rules count beside those for all. None has an empty name.
    fn tenant_of<'a>(&self, who: &'a Identity, permission: &str) -> &'a str {
        let is_everywhere = permission.starts_with(OF_THE_HOST) || self.everywhere.load().contains(permission);
        if is_everywhere { "" } else { &who.tenant }
    }
}

impl Authorizer for Rules {
    fn reach_everywhere(&self, permissions: &[&str]) {
        if permissions.is_empty() {
            return;
        }
        self.everywhere.rcu(|known| {
            let mut more = HashSet::clone(known);
            more.extend(permissions.iter().map(|permission| Box::from(*permission)));
            more
        });
    }

    fn check(&self, who: &Principal, permission: &str, resource: Resource<'_>) -> Decision {
        if let Some(decision) = built_in(who, permission) {
            return decision;
        }
        match (&*self.set.load(), who.identity()) {
            (Some(set), Some(who)) => set.check(who.subject(), self.tenant_of(who, permission), permission, resource),
            _ => Decision::Unknown,
        }
    }

    fn scope(&self, who: &Principal, permission: &str) -> Option<Scope> {
        match built_in(who, permission) {
            Some(Decision::Allow) => return Some(set::everything()),
            Some(_) => return Some(Scope::default()),
            None => {}
        }
        let set = self.set.load();
        let who = who.identity()?;
        Some(set.as_ref()?.scope(who.subject(), self.tenant_of(who, permission), permission))
    }

    fn holds(&self, who: &Principal, permission: &str) -> Decision {
        if let Some(decision) = built_in(who, permission) {
            return decision;
        }
        match (&*self.set.load(), who.identity()) {
            (Some(set), Some(who)) if set.holds(who.subject(), self.tenant_of(who, permission), permission) => Decision::Allow,
            (Some(_), Some(_)) => Decision::Deny,
            _ => Decision::Unknown,
        }
    }

    fn explain(&self, who: &Principal, permission: &str, resource: Resource<'_>) -> Explanation {
        if let Some(decision) = built_in(who, permission) {
            return explain::built_in(who, permission, decision);
        }
        match (&*self.set.load(), who.identity()) {
            (Some(set), Some(who)) => {
                let tenant = self.tenant_of(who, permission);
                let explained = set.explain(who.subject(), tenant, permission, resource);
                match tenant.is_empty() && !who.tenant.is_empty() {
                    true => explain::everywhere(explained, permission),
                    false => explained,
                }
            }
            _ => explain::unknown(),
        }
    }
}

/// What a source says.
trait Update {
    /// Whether it says no more than that the source lives.
    fn is_heartbeat_of(&self, epoch: u64) -> bool;
}

impl Update for PolicyUpdate {
    fn is_heartbeat_of(&self, epoch: u64) -> bool {
        let empty = self.rules_added.is_empty()
            && self.rules_removed.is_empty()
            && self.bindings_added.is_empty()
            && self.bindings_removed.is_empty();
        !self.snapshot && empty && self.epoch == epoch
    }
}

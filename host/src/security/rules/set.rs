//! One epoch of the rules.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};
use wharf_proto::authz::v1::PolicyUpdate;

use super::super::authorizer::{Decision, Explanation, Resource, Rows, Scope};
use super::closure::Closure;
use super::compiled::{Part, Resolved};
use super::explain;
use super::rule::{Edge, Rule, SubjectRules};
use super::shards::Shards;

/// How many callers' roles are kept.
const CLOSURES: usize = 50_000;
/// How much of what permissions come to is kept: about 100 bytes each.
const RESOLVED: u64 = 500_000;
/// Tables grow; this is where they begin.
const EXPECTED: usize = 1_024;

/// All rules and bindings of one epoch. Never changed: what is worked out from them at a question is kept beside them.
pub struct RuleSet {
    epoch: u64,
    rules: Shards<Arc<SubjectRules>>,
    bindings: Shards<Arc<[Edge]>>,
    closures: Cache<Key<2>, Arc<Closure>>,
    parts: Cache<Key<3>, Arc<Part>, Weight>,
    resolved: Cache<Key<3>, Arc<Resolved>, Weight>,
}

/// Why an update was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// Changes are missing in between, or came twice.
    #[error("found changes to epoch {found} of the rules, expected to epoch {expected}; watch the source anew")]
    Gap {
        /// The epoch of the update.
        found: u64,
        /// The one that follows.
        expected: u64,
    },
    /// Something is changed that nobody was told of.
    #[error("found changes to epoch {0} of the rules before any snapshot; watch the source anew")]
    NoSnapshot(u64),
}

/// Names that are looked up together.
#[derive(PartialEq, Eq, Hash)]
struct Key<const N: usize>([Box<str>; N]);

/// The same, borrowed.
#[derive(PartialEq, Eq, Hash)]
struct KeyRef<'a, const N: usize>([&'a str; N]);

/// How much an entry counts.
#[derive(Clone, Copy)]
struct Weight;

impl RuleSet {
    /// The next epoch: the snapshot, or this one with the changes. It shares what stayed.
    ///
    /// # Errors
    /// [`ApplyError`] when the changes do not follow this epoch.
    pub fn apply(&self, update: PolicyUpdate) -> Result<Self, ApplyError> {
        let epoch = update.epoch;
        if update.snapshot {
            return Ok(Self::default().with(epoch, update));
        }
        if self.epoch == 0 {
            return Err(ApplyError::NoSnapshot(epoch));
        }
        if epoch != self.epoch + 1 {
            return Err(ApplyError::Gap {
                found: epoch,
                expected: self.epoch + 1,
            });
        }
        Ok(self.with(epoch, update))
    }

    /// Which epoch it is.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many rules there are.
    #[must_use]
    pub fn rules(&self) -> usize {
        self.rules.values().map(|rules| rules.len()).sum()
    }

    /// How many bindings there are.
    #[must_use]
    pub fn bindings(&self) -> usize {
        self.bindings.values().map(|edges| edges.len()).sum()
    }

    /// Whether `caller` may, by these rules alone.
    #[must_use]
    pub fn check(&self, caller: &str, tenant: &str, permission: &str, resource: Resource<'_>) -> Decision {
        self.resolve(caller, tenant, permission).decide(caller, resource)
    }

    /// Whether `caller` may on some resource, by these rules alone.
    #[must_use]
    pub fn holds(&self, caller: &str, tenant: &str, permission: &str) -> bool {
        self.resolve(caller, tenant, permission).holds()
    }

    /// On which rows `caller` may, by these rules alone.
    #[must_use]
    pub fn scope(&self, caller: &str, tenant: &str, permission: &str) -> Scope {
        self.resolve(caller, tenant, permission).scope()
    }

    /// Which rule decides, and how the caller comes to it.
    #[must_use]
    pub fn explain(&self, caller: &str, tenant: &str, permission: &str, resource: Resource<'_>) -> Explanation {
        let closure = self.closure(caller, tenant);
        explain::explain(&closure, caller, tenant, permission, resource)
    }

    fn with(&self, epoch: u64, update: PolicyUpdate) -> Self {
        let (mut rules, mut bindings) = (self.rules.clone(), self.bindings.clone());
        let mut changes: HashMap<Arc<str>, (Vec<Rule>, Vec<Rule>)> = HashMap::new();
        for rule in update.rules_removed.into_iter().map(Rule::new) {
            changes.entry(rule.subject.clone()).or_default().0.push(rule);
        }
        for rule in update.rules_added.into_iter().map(Rule::new) {
            changes.entry(rule.subject.clone()).or_default().1.push(rule);
        }
        for (subject, (removed, added)) in changes {
            rules.change(&subject, |before| {
                let after = before.map_or_else(
                    || SubjectRules::default().changed(&[], added.clone()),
                    |before| before.changed(&removed, added.clone()),
                );
                (after.len() > 0).then(|| Arc::new(after))
            });
        }
        let mut changes: HashMap<Arc<str>, (Vec<Edge>, Vec<Edge>)> = HashMap::new();
        for mut binding in update.bindings_removed {
            let member: Arc<str> = std::mem::take(&mut binding.member).into();
            changes.entry(member).or_default().0.push(Edge::new(binding));
        }
        for mut binding in update.bindings_added {
            let member: Arc<str> = std::mem::take(&mut binding.member).into();
            changes.entry(member).or_default().1.push(Edge::new(binding));
        }
        for (member, (removed, added)) in changes {
            bindings.change(&member, |before| edges(before, &removed, &added));
        }
        Self::of(epoch, rules, bindings)
    }

    fn of(epoch: u64, rules: Shards<Arc<SubjectRules>>, bindings: Shards<Arc<[Edge]>>) -> Self {
        Self {
            epoch,
            rules,
            bindings,
            closures: Cache::with_weighter(EXPECTED, CLOSURES as u64, quick_cache::UnitWeighter),
            parts: Cache::with_weighter(EXPECTED, RESOLVED, Weight),
            resolved: Cache::with_weighter(EXPECTED, RESOLVED, Weight),
        }
    }

    fn closure(&self, caller: &str, tenant: &str) -> Arc<Closure> {
        let key = KeyRef([caller, tenant]);
        if let Some(kept) = self.closures.get(&key) {
            return kept;
        }
        let made = Arc::new(Closure::of(caller, tenant, &self.bindings, &self.rules));
        self.closures.insert(key.owned(), made.clone());
        made
    }

    #[inline]
    fn resolve(&self, caller: &str, tenant: &str, permission: &str) -> Arc<Resolved> {
        match self.resolved.get(&KeyRef([caller, tenant, permission])) {
            Some(kept) => kept,
            None => self.work_out(caller, tenant, permission),
        }
    }

    #[cold]
    fn work_out(&self, caller: &str, tenant: &str, permission: &str) -> Arc<Resolved> {
        let closure = self.closure(caller, tenant);
        let members = closure.0.iter().filter_map(|member| {
            let rules = member.rules.as_deref()?;
            Some(self.part(&member.subject, rules, tenant, permission))
        });
        let parts = members.filter(|part| !part.is_empty()).collect();
        let made = Arc::new(Resolved::of(parts));
        self.resolved.insert(KeyRef([caller, tenant, permission]).owned(), made.clone());
        made
    }

    fn part(&self, subject: &str, rules: &SubjectRules, tenant: &str, permission: &str) -> Arc<Part> {
        let key = KeyRef([subject, tenant, permission]);
        if let Some(kept) = self.parts.get(&key) {
            return kept;
        }
        let made = Arc::new(Part::of(rules.about(tenant, permission)));
        self.parts.insert(key.owned(), made.clone());
        made
    }
}

impl Default for RuleSet {
    fn default() -> Self {
        Self::of(0, Shards::default(), Shards::default())
    }
}

impl<const N: usize> KeyRef<'_, N> {
    fn owned(&self) -> Key<N> {
        Key(self.0.map(Into::into))
    }
}

impl<const N: usize> Equivalent<Key<N>> for KeyRef<'_, N> {
    fn equivalent(&self, key: &Key<N>) -> bool {
        self.0.iter().zip(&key.0).all(|(a, b)| **a == **b)
    }
}

impl Weighter<Key<3>, Arc<Part>> for Weight {
    fn weight(&self, _: &Key<3>, part: &Arc<Part>) -> u64 {
        part.weight()
    }
}

impl Weighter<Key<3>, Arc<Resolved>> for Weight {
    fn weight(&self, _: &Key<3>, resolved: &Arc<Resolved>) -> u64 {
        resolved.weight()
    }
}

impl fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuleSet")
            .field("epoch", &self.epoch)
            .field("rules", &self.rules())
            .field("bindings", &self.bindings())
            .finish_non_exhaustive()
    }
}

/// Every row.
pub(super) fn everything() -> Scope {
    let allow = Rows {
        all: true,
        ..Rows::default()
    };
    Scope { allow, ..Scope::default() }
}

/// The bindings of one member after a change; none when none is left.
fn edges(before: Option<&Arc<[Edge]>>, removed: &[Edge], added: &[Edge]) -> Option<Arc<[Edge]>> {
    let mut after: Vec<Edge> = before.map(|before| before.to_vec()).unwrap_or_default();
    after.retain(|edge| !removed.contains(edge));
    for edge in added {
        if !after.contains(edge) {
            after.push(edge.clone());
        }
    }
    (!after.is_empty()).then(|| after.into())
}

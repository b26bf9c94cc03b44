//! Rules and bindings as the host keeps them.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, OnceLock};

use wharf_proto::authz::v1;

use super::super::authorizer::{Resource, matches};

/// The resource that stands for whatever belongs to the caller.
const OWN: &str = "own";

/// One rule of one subject.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// `role:editor`, `user:01J...`.
    pub subject: Arc<str>,
    /// Tenant, or `*`.
    pub tenant: Box<str>,
    /// Permission, a glob.
    pub permission: Box<str>,
    /// Resource, a glob, or `own`.
    pub resource: Box<str>,
    /// Whether it takes away.
    pub deny: bool,
}

/// What a member holds in a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Edge {
    /// `role:editor` or `group:01J...`.
    pub role: Arc<str>,
    /// Tenant, or `*`.
    pub tenant: Box<str>,
}

/// The rules of one subject.
#[derive(Debug, Default)]
pub(super) struct SubjectRules {
    rules: HashSet<Arc<Rule>>,
    index: OnceLock<Index>,
}

/// Rules by permission.
#[derive(Debug, Default)]
struct Index {
    exact: HashMap<Box<str>, Vec<Arc<Rule>>>,
    globs: Vec<(Box<str>, Vec<Arc<Rule>>)>,
}

impl Rule {
    /// From the wire.
    #[must_use]
    pub fn new(rule: v1::Rule) -> Self {
        Self {
            subject: rule.subject.into(),
            tenant: rule.tenant.into(),
            permission: rule.permission.into(),
            resource: rule.resource.into(),
            deny: rule.deny,
        }
    }

    pub(super) fn is_own(&self) -> bool {
        &*self.resource == OWN
    }

    /// Whether it is about this resource, when `caller` asks.
    pub(super) fn is_about(&self, caller: &str, resource: Resource<'_>) -> bool {
        if self.is_own() {
            resource.owner == Some(caller)
        } else {
            matches(&self.resource, resource.name)
        }
    }
}

impl Edge {
    /// From the wire.
    #[must_use]
    pub fn new(binding: v1::Binding) -> Self {
        Self {
            role: binding.role.into(),
            tenant: binding.tenant.into(),
        }
    }
}

impl SubjectRules {
    /// The same with some taken away and others added.
    pub(super) fn changed(&self, removed: &[Rule], added: Vec<Rule>) -> Self {
        let mut rules = self.rules.clone();
        for rule in removed {
            rules.remove(rule);
        }
        rules.extend(added.into_iter().map(Arc::new));
        Self {
            rules,
            index: OnceLock::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rules.len()
    }

    /// Those that name this permission, and hold in this tenant.
    pub(super) fn about<'a>(&'a self, tenant: &'a str, permission: &'a str) -> impl Iterator<Item = &'a Arc<Rule>> {
        let index = self.index.get_or_init(|| Index::of(&self.rules));
        let exact = index.exact.get(permission).into_iter();
        let globs = index.globs.iter().filter(move |(glob, _)| matches(glob, permission));
        exact
            .chain(globs.map(|(_, rules)| rules))
            .flatten()
            .filter(move |rule| holds_in(&rule.tenant, tenant))
    }
}

impl Index {
    fn of(rules: &HashSet<Arc<Rule>>) -> Self {
        let mut exact: HashMap<Box<str>, Vec<Arc<Rule>>> = HashMap::new();
        for rule in rules {
            exact.entry(rule.permission.clone()).or_default().push(rule.clone());
        }
        let (globs, exact) = exact.into_iter().partition::<HashMap<_, _>, _>(|(name, _)| name.contains('*'));
        Self {
            exact,
            globs: globs.into_iter().collect(),
        }
    }
}

/// Whether what is said for `stated` holds in `tenant`. Modules have no tenant: for them only what holds in all.
pub(super) fn holds_in(stated: &str, tenant: &str) -> bool {
    stated == "*" || stated == tenant
}

/// A policy line of casbin.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let effect = if self.deny { "deny" } else { "allow" };
        write!(
            f,
            "p, {}, {}, {}, {}, {effect}",
            self.subject, self.tenant, self.permission, self.resource
        )
    }
}

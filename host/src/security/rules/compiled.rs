//! What is said about one permission, in the form that is asked.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::super::authorizer::{Decision, Resource, Rows, Scope, matches};
use super::rule::Rule;

/// What one subject's rules say about one permission in one tenant. Whoever holds the subject shares it.
#[derive(Debug, Default)]
pub(super) struct Part {
    allow: Resources,
    deny: Resources,
}

/// What all that a caller is says about one permission in one tenant.
#[derive(Debug, Default)]
pub(super) struct Resolved(Vec<Arc<Part>>);

/// A set of resources.
#[derive(Debug, Default)]
struct Resources {
    all: bool,
    own: bool,
    names: HashSet<Box<str>>,
    /// Of globs with one `*` at the end, what comes before it.
    prefixes: HashSet<Box<str>>,
    /// The lengths that these have.
    lengths: Vec<usize>,
    /// All other globs: the only ones that are tried one by one.
    globs: Vec<Box<str>>,
}

impl Part {
    pub(super) fn of<'a>(rules: impl Iterator<Item = &'a Arc<Rule>>) -> Self {
        let mut part = Self::default();
        for rule in rules {
            let resources = if rule.deny { &mut part.deny } else { &mut part.allow };
            resources.add(rule);
        }
        part
    }

    pub(super) fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty()
    }

    /// How much memory it takes, roughly, in resources.
    pub(super) fn weight(&self) -> u64 {
        let of = |resources: &Resources| resources.names.len() + resources.prefixes.len() + resources.globs.len();
        (1 + of(&self.allow) + of(&self.deny)) as u64
    }
}

impl Resolved {
    pub(super) fn of(parts: Vec<Arc<Part>>) -> Self {
        Self(parts)
    }

    pub(super) fn weight(&self) -> u64 {
        1 + self.0.len() as u64
    }

    /// A deny that matches goes before every allow.
    #[inline]
    pub(super) fn decide(&self, caller: &str, resource: Resource<'_>) -> Decision {
        let Self(parts) = self;
        if parts.iter().any(|part| part.deny.contain(caller, resource)) {
            return Decision::Deny;
        }
        if parts.iter().any(|part| part.allow.contain(caller, resource)) {
            return Decision::Allow;
        }
        Decision::Deny
    }

    /// Whether there may be a resource for which the answer is yes.
    #[inline]
    pub(super) fn holds(&self) -> bool {
        let Self(parts) = self;
        parts.iter().any(|part| !part.allow.is_empty()) && !parts.iter().any(|part| part.deny.all)
    }

    pub(super) fn scope(&self) -> Scope {
        Scope {
            allow: rows(self.0.iter().map(|part| &part.allow)),
            deny: rows(self.0.iter().map(|part| &part.deny)),
        }
    }
}

impl Resources {
    fn add(&mut self, rule: &Rule) {
        let resource = &rule.resource;
        let prefix = resource.strip_suffix('*').filter(|prefix| !prefix.contains('*'));
        match prefix {
            _ if rule.is_own() => self.own = true,
            Some("") => self.all = true,
            Some(prefix) => {
                self.prefixes.insert(prefix.into());
                if !self.lengths.contains(&prefix.len()) {
                    self.lengths.push(prefix.len());
                }
            }
            None if resource.contains('*') => self.globs.push(resource.clone()),
            None => {
                self.names.insert(resource.clone());
            }
        }
    }

    fn is_empty(&self) -> bool {
        !self.all && !self.own && self.names.is_empty() && self.prefixes.is_empty() && self.globs.is_empty()
    }

    #[inline]
    fn contain(&self, caller: &str, resource: Resource<'_>) -> bool {
        let Resource { name, owner } = resource;
        self.all
            || (self.own && owner == Some(caller))
            || (!self.names.is_empty() && self.names.contains(name))
            || self
                .lengths
                .iter()
                .any(|length| name.get(..*length).is_some_and(|start| self.prefixes.contains(start)))
            || self.globs.iter().any(|glob| matches(glob, name))
    }
}

/// All of them together, in an order that does not depend on chance. What `*` covers is left out.
fn rows<'a>(of: impl Iterator<Item = &'a Resources> + Clone) -> Rows {
    if of.clone().any(|resources| resources.all) {
        return Rows {
            all: true,
            ..Rows::default()
        };
    }
    let (mut own, mut names, mut globs) = (false, BTreeSet::new(), BTreeSet::new());
    for resources in of {
        own |= resources.own;
        names.extend(resources.names.iter().map(ToString::to_string));
        globs.extend(resources.prefixes.iter().map(|prefix| format!("{prefix}*")));
        globs.extend(resources.globs.iter().map(ToString::to_string));
    }
    Rows {
        all: false,
        own,
        names: names.into_iter().collect(),
        globs: globs.into_iter().collect(),
    }
}

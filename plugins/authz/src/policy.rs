//! The rules in memory: found by subject, walked along the bindings, and told as pages.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;

use wharf_proto::authz::matches;
use wharf_proto::authz::v1;

use crate::line::{BindingLine, Change, RoleLine, RuleLine, holds_in};
use crate::model::DEEPEST;

/// All rules, bindings and roles of one epoch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    pub(crate) epoch: u64,
    pub(crate) rules: BTreeSet<RuleLine>,
    pub(crate) bindings: BTreeSet<BindingLine>,
    pub(crate) roles: BTreeMap<String, RoleLine>,
}

/// In which tenants bindings are followed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Where<'a> {
    /// In one; `*` is what holds in all.
    In(&'a str),
    /// In each: what may hold somewhere.
    Anywhere,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) subject: &'a str,
    pub(crate) tenant: &'a str,
    pub(crate) permission: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) owner: &'a str,
}

/// The rule that decides, and how the subject comes to it.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) rule: RuleLine,
    pub(crate) path: Vec<BindingLine>,
}

impl Where<'_> {
    fn takes(self, stated: &str) -> bool {
        match self {
            Self::In(tenant) => holds_in(stated, tenant),
            Self::Anywhere => true,
        }
    }
}

impl Policy {
    /// What a subject is: itself, then what it holds, nearest first, with the bindings that lead there.
    pub(crate) fn closure(&self, subject: &str, tenants: Where<'_>) -> Vec<(String, Vec<BindingLine>)> {
        let mut all = vec![(subject.to_owned(), Vec::new())];
        let mut seen = BTreeSet::from([subject.to_owned()]);
        let mut queue = VecDeque::from([(subject.to_owned(), Vec::new())]);
        while let Some((holder, path)) = queue.pop_front() {
            for binding in self.held_by(&holder).filter(|binding| tenants.takes(&binding.tenant)) {
                if seen.insert(binding.role.clone()) {
                    let mut path = path.clone();
                    path.push(binding.clone());
                    all.push((binding.role.clone(), path.clone()));
                    queue.push_back((binding.role.clone(), path));
                }
            }
        }
        all
    }

    /// The rules of one subject.
    pub(crate) fn rules_of<'a>(&'a self, subject: &'a str) -> impl Iterator<Item = &'a RuleLine> {
        let from = RuleLine {
            subject: subject.to_owned(),
            tenant: String::new(),
            permission: String::new(),
            resource: String::new(),
            deny: false,
        };
        self.rules.range(from..).take_while(move |rule| rule.subject == subject)
    }

    /// What one member holds itself.
    pub(crate) fn held_by<'a>(&'a self, member: &'a str) -> impl Iterator<Item = &'a BindingLine> {
        let from = BindingLine {
            member: member.to_owned(),
            role: String::new(),
            tenant: String::new(),
        };
        self.bindings.range(from..).take_while(move |binding| binding.member == member)
    }

    /// The rule that decides, if one matches: a deny, or the nearest allow.
    pub(crate) fn decide(&self, asked: &Question<'_>) -> Option<Verdict> {
        let mut allow = None;
        for (subject, path) in self.closure(asked.subject, Where::In(asked.tenant)) {
            for rule in self.rules_of(&subject).filter(|rule| rule.is_about(asked)) {
                let verdict = || Verdict {
                    rule: rule.clone(),
                    path: path.clone(),
                };
                if rule.deny {
                    return Some(verdict());
                }
                allow = allow.or_else(|| Some(verdict()));
            }
        }
        allow
    }

    /// Whether somebody may, as such.
    pub(crate) fn allows(&self, subject: &str, tenant: &str, permission: &str) -> bool {
        let asked = Question {
            subject,
            tenant,
            permission,
            resource: "",
            owner: "",
        };
        self.decide(&asked).is_some_and(|verdict| !verdict.rule.deny)
    }

    /// Links of the longest chain that a new binding would make; more than [`DEEPEST`] when there is a circle.
    pub(crate) fn depth_with(&self, new: &BindingLine) -> usize {
        let overlaps = |tenant: &str| new.tenant == "*" || holds_in(tenant, &new.tenant);
        let up = self.longest(&new.member, 0, &|name| {
            let found = self
                .bindings
                .iter()
                .filter(|binding| binding.role == name && overlaps(&binding.tenant));
            found.map(|binding| binding.member.clone()).collect()
        });
        let down = self.longest(&new.role, 0, &|name| {
            let found = self.held_by(name).filter(|binding| overlaps(&binding.tenant));
            found.map(|binding| binding.role.clone()).collect()
        });
        up + 1 + down
    }

    fn longest(&self, from: &str, depth: usize, next: &dyn Fn(&str) -> Vec<String>) -> usize {
        if depth > DEEPEST {
            return depth;
        }
        let deeper = next(from).into_iter().map(|name| self.longest(&name, depth + 1, next));
        deeper.max().unwrap_or(depth)
    }

    /// Follows a change that was written.
    pub(crate) fn follow(&mut self, epoch: u64, change: &Change) {
        self.epoch = epoch;
        for line in &change.rules_removed {
            self.rules.remove(line);
        }
        self.rules.extend(change.rules_added.iter().cloned());
        for line in &change.bindings_removed {
            self.bindings.remove(line);
        }
        self.bindings.extend(change.bindings_added.iter().cloned());
        for name in &change.roles_removed {
            self.roles.remove(name);
        }
        for role in &change.roles_added {
            self.roles.insert(role.name.clone(), role.clone());
        }
    }

    /// All of it, for whoever begins to watch.
    pub(crate) fn snapshot(&self) -> v1::PolicyUpdate {
        v1::PolicyUpdate {
            epoch: self.epoch,
            snapshot: true,
            rules_added: self.rules.iter().map(Into::into).collect(),
            bindings_added: self.bindings.iter().map(Into::into).collect(),
            ..v1::PolicyUpdate::default()
        }
    }
}

impl RuleLine {
    fn is_about(&self, asked: &Question<'_>) -> bool {
        let on = if self.resource == "own" {
            asked.owner == asked.subject
        } else {
            matches(&self.resource, asked.resource)
        };
        on && holds_in(&self.tenant, asked.tenant) && matches(&self.permission, asked.permission)
    }
}

/// Those after a line, at most `limit`, and whether there are more.
pub(crate) fn page<T: Ord + Clone>(set: &BTreeSet<T>, after: Option<T>, limit: usize, wanted: impl Fn(&T) -> bool) -> (Vec<T>, bool) {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let mut found = set.range((from, Bound::Unbounded)).filter(|line| wanted(line));
    let lines: Vec<T> = found.by_ref().take(limit).cloned().collect();
    (lines, found.next().is_some())
}

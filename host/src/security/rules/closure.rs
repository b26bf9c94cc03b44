//! Who somebody is in a tenant: itself, and every role and group it holds there, however it comes to them.

use std::collections::HashSet;
use std::sync::Arc;

use super::rule::{Edge, SubjectRules, holds_in};
use super::shards::Shards;

/// All that one caller is in one tenant, nearest first.
#[derive(Debug, Default)]
pub(super) struct Closure(pub(super) Vec<Member>);

/// One thing a caller is.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) subject: Arc<str>,
    /// What is said about it, if anything.
    pub(super) rules: Option<Arc<SubjectRules>>,
    /// The place in the closure of whoever holds it, and in which tenant; none for the caller itself.
    via: Option<(usize, Box<str>)>,
}

impl Closure {
    /// Follows the bindings, each role once: cycles end.
    pub(super) fn of(caller: &str, tenant: &str, bindings: &Shards<Arc<[Edge]>>, rules: &Shards<Arc<SubjectRules>>) -> Self {
        let mut members = vec![Member {
            subject: caller.into(),
            rules: rules.get(caller).cloned(),
            via: None,
        }];
        let mut seen = HashSet::from([Arc::<str>::from(caller)]);
        let mut next = 0;
        while let Some(holder) = members.get(next) {
            let edges = bindings.get(&holder.subject).cloned().unwrap_or_default();
            for edge in edges.iter().filter(|edge| holds_in(&edge.tenant, tenant)) {
                if seen.insert(edge.role.clone()) {
                    members.push(Member {
                        subject: edge.role.clone(),
                        rules: rules.get(&edge.role).cloned(),
                        via: Some((next, edge.tenant.clone())),
                    });
                }
            }
            next += 1;
        }
        Self(members)
    }

    /// Each binding from the caller to the member at this place.
    pub(super) fn path(&self, mut place: usize) -> Vec<String> {
        let mut path = Vec::new();
        while let Some(member) = self.0.get(place)
            && let Some((holder, tenant)) = &member.via
        {
            let name = self.0.get(*holder).map_or("", |holder| &holder.subject);
            path.push(format!("g, {name}, {}, {tenant}", member.subject));
            place = *holder;
        }
        path.reverse();
        path
    }
}

//! The order in which modules start.

use std::collections::{BTreeMap, BTreeSet};

use super::Resolver;
use crate::domain::finding::kind;

/// What a module still waits for: place of the other module, and whether it can do without.
type Waiting = BTreeMap<usize, bool>;

impl Resolver<'_> {
    /// Every module that was not refused, each after what it uses; among those that could come next, by id.
    ///
    /// Optional requirements count too. Where they close a circle, one is dropped and said so; circles of real
    /// requirements were refused before.
    pub(super) fn order(&mut self) -> Vec<usize> {
        let mut waiting = self.waiting();
        let mut order = Vec::with_capacity(waiting.len());
        while !waiting.is_empty() {
            let index = self.first(&waiting, BTreeMap::is_empty).or_else(|| {
                let index = self.first(&waiting, |left| left.values().all(|optional| *optional))?;
                self.tell_dropped(index, waiting.get(&index)?);
                Some(index)
            });
            // There is always one, or else a circle of real requirements would be left.
            let Some(index) = index else {
                break;
            };
            waiting.remove(&index);
            for left in waiting.values_mut() {
                left.remove(&index);
            }
            order.push(index);
        }
        order
    }

    fn waiting(&self) -> BTreeMap<usize, Waiting> {
        let accepted: BTreeSet<usize> = self.by_id.values().copied().filter(|index| !self.refused.contains(index)).collect();
        let waits = |index: usize| {
            let requires = self.node(index).map(|node| &node.requires);
            requires
                .into_iter()
                .flatten()
                .filter_map(|(id, requirement)| self.provider(id).map(|(provider, node)| (provider, node, requirement)))
                .filter(|(provider, node, requirement)| accepted.contains(provider) && requirement.version.matches(&node.version))
                .map(|(provider, _, requirement)| (provider, requirement.optional))
                .collect()
        };
        accepted.iter().map(|index| (*index, waits(*index))).collect()
    }

    /// The module with the first id among those that wait for what `ready` accepts.
    fn first(&self, waiting: &BTreeMap<usize, Waiting>, ready: impl Fn(&Waiting) -> bool) -> Option<usize> {
        let candidates = waiting.iter().filter(|(_, left)| ready(left)).map(|(index, _)| *index);
        candidates.min_by_key(|index| self.node(*index).map(|node| node.id.as_str()))
    }

    fn tell_dropped(&mut self, index: usize, left: &Waiting) {
        let names: Vec<&str> = left
            .keys()
            .filter_map(|other| self.node(*other))
            .map(|node| node.id.as_str())
            .collect();
        let what = format!(
            "it starts before {}, which it can use and which in the end requires it",
            names.join(" and ")
        );
        self.warn(index, &kind::OPTIONAL_CYCLE, what);
    }
}

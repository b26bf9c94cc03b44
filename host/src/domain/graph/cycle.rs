//! Modules that require each other in a circle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Resolver, Standing};
use crate::domain::finding::kind;

impl Resolver<'_> {
    /// Refuses every module that is part of a circle of requirements, and names the circle.
    pub(super) fn refuse_cycles(&mut self) {
        for (index, node) in self.nodes.iter().enumerate() {
            if node.standing == Standing::Running || !self.by_id.values().any(|known| *known == index) {
                continue;
            }
            if let Some(circle) = self.circle_through(index) {
                self.refuse(
                    index,
                    &kind::CYCLE,
                    format!("modules require each other in a circle: {}", circle.join(" -> ")),
                );
            }
        }
    }

    /// The shortest way from a module back to itself along requirements that are not optional.
    fn circle_through(&self, start: usize) -> Option<Vec<String>> {
        let mut came_from: BTreeMap<usize, usize> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let mut queue = VecDeque::from([start]);
        while let Some(here) = queue.pop_front() {
            for next in self.required_by(here) {
                if next == start {
                    return Some(self.path(start, here, &came_from));
                }
                if seen.insert(next) {
                    came_from.insert(next, here);
                    queue.push_back(next);
                }
            }
        }
        None
    }

    /// The nodes a node requires, without those that run already: they need not start again.
    fn required_by(&self, index: usize) -> Vec<usize> {
        let requires = self.node(index).map(|node| &node.requires);
        let needed = requires.into_iter().flatten().filter(|(_, requirement)| !requirement.optional);
        let providers = needed.filter_map(|(id, _)| self.provider(id));
        providers
            .filter(|(_, node)| node.standing != Standing::Running)
            .map(|(index, _)| index)
            .collect()
    }

    fn path(&self, start: usize, end: usize, came_from: &BTreeMap<usize, usize>) -> Vec<String> {
        let mut path = vec![start, end];
        let mut here = end;
        while let Some(before) = came_from.get(&here).filter(|_| here != start) {
            path.push(*before);
            here = *before;
        }
        path.iter()
            .rev()
            .filter_map(|index| self.node(*index))
            .map(|node| node.id.clone())
            .collect()
    }
}

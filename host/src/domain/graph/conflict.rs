//! Two modules that claim the same thing.

use super::{Node, Resolver, Standing};
use crate::domain::finding::kind::{self, Kind};

impl Resolver<'_> {
    /// Leaves at most one node of each id: the one that stands firmest, or none when several stand equally firm.
    pub(super) fn refuse_duplicates(&mut self) {
        for (index, node) in self.nodes.iter().enumerate() {
            let rivals = self
                .nodes
                .iter()
                .enumerate()
                .filter(|(other, rival)| *other != index && rival.id == node.id);
            let firmer: Vec<String> = rivals
                .filter(|(_, rival)| rival.standing >= node.standing)
                .map(|(_, rival)| rival.title())
                .collect();
            if firmer.is_empty() {
                self.by_id.insert(&node.id, index);
            } else {
                self.refuse(
                    index,
                    &kind::DUPLICATE_ID,
                    format!("module {:?} is also {}", node.id, firmer.join(" and ")),
                );
            }
        }
    }

    /// Refuses whoever claims what a firmer or equally firm module claims too.
    pub(super) fn refuse_conflicts(&mut self) {
        for (index, node) in self.nodes.iter().enumerate() {
            for rival in self.nodes {
                let loses = rival.id != node.id && rival.standing >= node.standing && node.standing != Standing::Running;
                if loses {
                    self.refuse_claims(index, node, rival);
                }
            }
        }
    }

    fn refuse_claims(&mut self, index: usize, node: &Node, rival: &Node) {
        if overlap(&node.prefix, &rival.prefix) {
            let what = format!("prefix {:?} overlaps with {:?} of {}", node.prefix, rival.prefix, rival.title());
            self.refuse(index, &kind::PREFIX_CONFLICT, what);
        }
        let lists: [(&'static Kind, &str, &[String], &[String]); 3] = [
            (&kind::GRPC_CONFLICT, "gRPC service", &node.grpc_services, &rival.grpc_services),
            (&kind::PERMISSION_CONFLICT, "permission", &node.permissions, &rival.permissions),
            (&kind::SUBJECT_CONFLICT, "subject", &node.subjects, &rival.subjects),
        ];
        for (kind, word, mine, theirs) in lists {
            for name in mine.iter().filter(|name| theirs.contains(name)) {
                self.refuse(index, kind, format!("{word} {name:?} is also claimed by {}", rival.title()));
            }
        }
    }
}

/// Whether a request could be under both prefixes.
fn overlap(a: &str, b: &str) -> bool {
    let inside = |inner: &str, outer: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    inside(a, b) || inside(b, a)
}

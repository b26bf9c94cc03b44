//! A map of which a changed copy costs little: it shares all but the parts that changed.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// A change copies one of them: with 100,000 keys about 400.
const SHARDS: usize = 256;

/// From names to values. A clone shares everything.
#[derive(Clone, Debug)]
pub(super) struct Shards<V> {
    parts: Vec<Arc<HashMap<Arc<str>, V>>>,
    hasher: RandomState,
}

impl<V: Clone> Shards<V> {
    pub(super) fn get(&self, name: &str) -> Option<&V> {
        self.parts.get(self.part(name))?.get(name)
    }

    /// Makes of the value, if there is one, another one, or none.
    pub(super) fn change(&mut self, name: &Arc<str>, change: impl FnOnce(Option<&V>) -> Option<V>) {
        let part = self.part(name);
        let Some(part) = self.parts.get_mut(part) else { return };
        let next = change(part.get(name));
        let part = Arc::make_mut(part);
        match next {
            Some(value) => part.insert(name.clone(), value),
            None => part.remove(name),
        };
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.parts.iter().flat_map(|part| part.values())
    }

    fn part(&self, name: &str) -> usize {
        (self.hasher.hash_one(name) % SHARDS as u64) as usize
    }
}

impl<V> Default for Shards<V> {
    fn default() -> Self {
        Self {
            parts: (0..SHARDS).map(|_| Arc::default()).collect(),
            hasher: RandomState::new(),
        }
    }
}

//! What is different between two readings of the configuration.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::explain::{flatten, shown};
use super::{Config, Plugins};

/// Keys that take effect without a restart; prefixes end with a dot.
const LIVE: &[&str] = &["log.level", "plugins.", "http.max_in_flight_per_module", "modules."];
/// Exceptions: the folder is opened and watched once.
const FIXED: &[&str] = &["plugins.dir", "plugins.watch"];

/// What is different.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Changes {
    /// Keys of the host, sorted.
    pub host: Vec<Change>,
    /// Ids of the modules whose section was added, changed or removed, sorted.
    pub modules: Vec<String>,
}

/// One key of the host.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Dotted path.
    pub path: String,
    /// Value before; `None` when it was not set. Secrets are `***`.
    pub old: Option<Value>,
    /// Value now.
    pub new: Option<Value>,
    /// Whether only a restart makes it count.
    pub restart_needed: bool,
}

impl Changes {
    /// Nothing is different.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.host.is_empty() && self.modules.is_empty()
    }
}

pub(super) fn between(old: &Config, new: &Config) -> Changes {
    let (before, after) = (leaves(old), leaves(new));
    let paths: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let host = paths
        .into_iter()
        .filter(|path| before.get(*path) != after.get(*path))
        .map(|path| change(path, &before, &after))
        .collect();
    let ids: BTreeSet<_> = old.modules.keys().chain(new.modules.keys()).collect();
    let modules = ids
        .into_iter()
        .filter(|id| old.modules.get(*id) != new.modules.get(*id))
        .cloned()
        .collect();
    Changes { host, modules }
}

/// What is in force once `newer` was read by a host that runs with `old`.
pub(super) fn taking(old: &Config, newer: &Config) -> Config {
    let mut taken = old.clone();
    taken.log.level.clone_from(&newer.log.level);
    taken.http.max_in_flight_per_module = newer.http.max_in_flight_per_module;
    taken.plugins = Plugins {
        dir: old.plugins.dir.clone(),
        watch: old.plugins.watch,
        ..newer.plugins.clone()
    };
    taken.modules.clone_from(&newer.modules);
    let staying = old.explain().into_iter().filter(|setting| !is_live(&setting.path));
    let taking = newer.explain().into_iter().filter(|setting| is_live(&setting.path));
    taken.settings = staying.chain(taking).collect();
    taken.settings.sort_by(|a, b| a.path.cmp(&b.path));
    taken
}

fn is_live(path: &str) -> bool {
    let live = |key: &&str| path == *key || (key.ends_with('.') && path.starts_with(*key));
    LIVE.iter().any(live) && !FIXED.contains(&path)
}

fn leaves(config: &Config) -> BTreeMap<Vec<String>, Value> {
    let mut tree = serde_json::to_value(config).unwrap_or_default();
    if let Value::Object(sections) = &mut tree {
        sections.remove("modules");
    }
    let mut leaves = BTreeMap::new();
    flatten(&tree, &mut Vec::new(), &mut |path, value| {
        leaves.insert(path.to_vec(), value.clone());
    });
    leaves
}

fn change(path: &[String], before: &BTreeMap<Vec<String>, Value>, after: &BTreeMap<Vec<String>, Value>) -> Change {
    let dotted = path.join(".");
    let value = |side: &BTreeMap<Vec<String>, Value>| side.get(path).map(|value| shown(path, value.clone(), false));
    let restart_needed = !is_live(&dotted);
    Change {
        old: value(before),
        new: value(after),
        path: dotted,
        restart_needed,
    }
}

//! The dependency graph: which modules of a set can run together, in which order, and why the others cannot.
//!
//! Pure: it knows what manifests say and nothing else. One module's fault refuses that module and those that
//! require it; all others go on.

mod conflict;
mod cycle;
mod order;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use semver::Version;
use wharf_manifest::{Manifest, ModuleRequirement};

use super::finding::Finding;
use super::finding::kind::{self, Kind};

/// How firmly a module stands. In a conflict the firmer one stays; between equals both are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// A library that would be loaded.
    Candidate,
    /// Linked into the program, not started yet.
    Linked,
    /// Running now. It is never refused: losing a dependency degrades it and does not stop it.
    Running,
}

/// What the graph needs to know of a module.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Module id.
    pub id: String,
    /// Module version.
    pub version: Version,
    /// How firmly it stands.
    pub standing: Standing,
    /// The file it comes from, for findings.
    pub file: Option<PathBuf>,
    /// Modules it requires.
    pub requires: BTreeMap<String, ModuleRequirement>,
    /// HTTP prefix.
    pub prefix: String,
    /// gRPC services it serves.
    pub grpc_services: Vec<String>,
    /// Permissions it defines.
    pub permissions: Vec<String>,
    /// Subjects it publishes.
    pub subjects: Vec<String>,
}

/// What came out. Numbers are places in the slice that was resolved.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resolution {
    /// Modules that can run, each after everything it uses; among equals by id.
    pub order: Vec<usize>,
    /// Modules that cannot.
    pub refused: BTreeSet<usize>,
    /// Everything there is to say, by module.
    pub findings: Vec<Finding>,
}

/// The state of resolving.
struct Resolver<'a> {
    nodes: &'a [Node],
    /// Ids that were refused before, in earlier stages.
    refused_before: &'a BTreeSet<String>,
    /// The one node of each id that is left after duplicates are refused.
    by_id: BTreeMap<&'a str, usize>,
    refused: BTreeSet<usize>,
    findings: Vec<Finding>,
}

impl Node {
    /// A node for a manifest.
    #[must_use]
    pub fn new(manifest: &Manifest, standing: Standing, file: Option<PathBuf>) -> Self {
        Self {
            id: manifest.id.clone(),
            version: manifest.version.clone(),
            standing,
            file,
            requires: manifest.modules.clone(),
            prefix: manifest.http.prefix.clone(),
            grpc_services: manifest.grpc.services.clone(),
            permissions: manifest.permissions.iter().map(|permission| permission.name.clone()).collect(),
            subjects: manifest.events.publishes.clone(),
        }
    }

    /// Name, version and where it comes from, for messages.
    fn title(&self) -> String {
        match (&self.file, self.standing) {
            (Some(file), _) => format!("{} {} in {}", self.id, self.version, file.display()),
            (None, Standing::Running) => format!("{} {}, which runs now", self.id, self.version),
            (None, _) => format!("{} {}, which is linked in", self.id, self.version),
        }
    }
}

/// Resolves a whole set at once: what would be loaded, what is linked in and what runs.
///
/// A library that is to replace a running module takes that module's place in the set. `refused_before` has the ids
/// of modules that earlier stages refused, so that whoever requires them is told the cause.
#[must_use]
pub fn resolve(nodes: &[Node], refused_before: &BTreeSet<String>) -> Resolution {
    let mut resolver = Resolver {
        nodes,
        refused_before,
        by_id: BTreeMap::new(),
        refused: BTreeSet::new(),
        findings: Vec::new(),
    };
    resolver.refuse_duplicates();
    resolver.refuse_conflicts();
    resolver.check_requirements();
    resolver.refuse_cycles();
    resolver.spread_refusal();
    let order = resolver.order();
    let Resolver { refused, mut findings, .. } = resolver;
    findings.sort_by(|a, b| (&a.module, &a.file, &a.code, &a.what).cmp(&(&b.module, &b.file, &b.code, &b.what)));
    Resolution { order, refused, findings }
}

impl<'a> Resolver<'a> {
    fn node(&self, index: usize) -> Option<&'a Node> {
        self.nodes.get(index)
    }

    /// The node that satisfies a requirement by its id, if there is one, whatever its version.
    fn provider(&self, id: &str) -> Option<(usize, &'a Node)> {
        let index = *self.by_id.get(id)?;
        self.node(index).map(|node| (index, node))
    }

    fn warn(&mut self, index: usize, kind: &Kind, what: impl AsRef<str>) {
        if let Some(node) = self.node(index) {
            let finding = Finding::new(kind, what).about(&node.id);
            self.findings.push(match &node.file {
                Some(file) => finding.in_file(file),
                None => finding,
            });
        }
    }

    fn refuse(&mut self, index: usize, kind: &Kind, what: impl AsRef<str>) {
        self.warn(index, kind, what);
        self.refused.insert(index);
    }

    fn check_requirements(&mut self) {
        for (index, node) in self.nodes.iter().enumerate() {
            for (id, requirement) in &node.requires {
                self.check_requirement(index, node, id, requirement);
            }
        }
    }

    fn check_requirement(&mut self, index: usize, node: &Node, id: &str, requirement: &ModuleRequirement) {
        let range = &requirement.version;
        let running = node.standing == Standing::Running;
        match self.provider(id) {
            Some((_, provider)) if range.matches(&provider.version) => {}
            Some((other, provider)) if running => {
                if provider.standing != Standing::Running && !requirement.optional {
                    let what = format!("{} requires {id} {range}, this is {}", node.title(), provider.version);
                    self.refuse(other, &kind::BREAKS_DEPENDENT, what);
                }
            }
            Some((_, provider)) => {
                let what = format!("it requires {id} {range}, found {}", provider.title());
                if requirement.optional {
                    self.warn(index, &kind::OPTIONAL_VERSION, what);
                } else {
                    self.refuse(index, &kind::MODULE_VERSION, what);
                }
            }
            None if requirement.optional || running => {}
            None if self.was_refused(id) => {
                self.refuse(
                    index,
                    &kind::NEEDS_REFUSED,
                    format!("it requires {id} {range}, which does not load"),
                );
            }
            None => self.refuse(
                index,
                &kind::MODULE_MISSING,
                format!("it requires {id} {range}, which is not there"),
            ),
        }
    }

    /// Whether there is a module of this id that cannot be used.
    fn was_refused(&self, id: &str) -> bool {
        self.refused_before.contains(id) || self.nodes.iter().any(|node| node.id == id)
    }

    /// Refuses whoever requires what was refused, until nothing changes.
    fn spread_refusal(&mut self) {
        loop {
            let mut more = Vec::new();
            for (index, node) in self.nodes.iter().enumerate() {
                if self.refused.contains(&index) || node.standing == Standing::Running {
                    continue;
                }
                let causes = node
                    .requires
                    .iter()
                    .filter(|(_, requirement)| !requirement.optional)
                    .filter(|(id, _)| self.provider(id).is_some_and(|(provider, _)| self.refused.contains(&provider)));
                more.extend(
                    causes.map(|(id, requirement)| (index, format!("it requires {id} {}, which does not load", requirement.version))),
                );
            }
            if more.is_empty() {
                return;
            }
            for (index, what) in more {
                self.refuse(index, &kind::NEEDS_REFUSED, what);
            }
        }
    }
}

//! Stages 1 to 5 over a file or a whole folder, and the report about it. `wharf modules list`, `check` and `plan`, the
//! admin API and every load go through here, so that they cannot disagree.

mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub use report::{Report, ReportedModule};

use super::discover::libraries;
use super::place::Folder;
use super::verify::{Candidate, Checked, VerifyContext, folder_of};
use crate::domain::finding::Finding;
use crate::domain::graph::{Node, Resolution, Standing, resolve};

/// A folder that went through stages 1 to 5.
#[derive(Debug)]
pub struct Survey {
    /// Libraries that can be loaded, in start order.
    pub accepted: Vec<Checked>,
    /// Everything there is to say, for people and programs.
    pub report: Report,
}

/// Stages 1 to 4 for one file; nothing is said of the modules around it.
#[must_use]
pub fn check_file(path: &Path, context: &VerifyContext) -> Report {
    let mut report = Report::default();
    let result = folder_of(path, &context.place).and_then(|(folder, name)| Candidate::new(&folder, &name).check(context));
    match result {
        Ok(checked) => {
            report.order.push(checked.manifest.id.clone());
            report.modules.push(ReportedModule::sound(&checked));
        }
        Err(findings) => {
            report.modules.push(ReportedModule::refused(path, &findings));
            report.findings = findings;
        }
    }
    report
}

/// Stages 1 to 5 for every library in a folder, together with the modules that are linked in or run now.
#[must_use]
pub fn check_folder(path: &Path, context: &VerifyContext, others: &[Node]) -> Report {
    survey(path, context, others).report
}

/// The same, keeping what was read of the libraries that can be loaded. A library with the id of a running module
/// takes its place in the set; if it is refused, the running one stays in the set.
#[must_use]
pub fn survey(path: &Path, context: &VerifyContext, others: &[Node]) -> Survey {
    let mut report = Report {
        folder: Some(path.to_owned()),
        ..Report::default()
    };
    let mut found = Vec::new();
    let listed = Folder::open(path, &context.place).and_then(|folder| {
        let names = libraries(&folder, context.inspect.target).map_err(|finding| vec![finding])?;
        Ok((folder, names))
    });
    match listed {
        Ok((folder, names)) => {
            for name in &names {
                let candidate = Candidate::new(&folder, name);
                match candidate.check(context) {
                    Ok(checked) => found.push(checked),
                    Err(findings) => {
                        report.modules.push(ReportedModule::refused(&candidate.path(), &findings));
                        report.findings.extend(findings);
                    }
                }
            }
        }
        Err(findings) => report.findings.extend(findings),
    }
    let refused_before = report.modules.iter().filter_map(|module| module.id.clone()).collect();
    let (order, refused) = resolve_set(&found, others, &refused_before, &mut report);
    finish(found, &order, &refused, report)
}

/// Stage 5. Returns the ids that can run in start order, and the places in `found` of those that cannot.
fn resolve_set(
    found: &[Checked],
    others: &[Node],
    refused_before: &BTreeSet<String>,
    report: &mut Report,
) -> (Vec<String>, BTreeSet<usize>) {
    let mut refused = BTreeSet::new();
    loop {
        let left: Vec<usize> = (0..found.len()).filter(|index| !refused.contains(index)).collect();
        let mut nodes: Vec<Node> = left.iter().filter_map(|index| found.get(*index)).map(node_of).collect();
        let ids: BTreeSet<String> = nodes.iter().map(|node| node.id.clone()).collect();
        let stays = |other: &&Node| other.standing != Standing::Running || !ids.contains(&other.id);
        nodes.extend(others.iter().filter(stays).cloned());
        let Resolution {
            order,
            refused: out,
            findings,
        } = resolve(&nodes, refused_before);
        let out: Vec<usize> = out.iter().filter_map(|place| left.get(*place).copied()).collect();
        let runs = |id: &str| others.iter().any(|other| other.standing == Standing::Running && other.id == id);
        let replacing: BTreeSet<usize> = out
            .iter()
            .copied()
            .filter(|index| found.get(*index).is_some_and(|checked| runs(&checked.manifest.id)))
            .collect();
        if replacing.is_empty() {
            refused.extend(out);
            report.findings.extend(findings);
            let order = order
                .iter()
                .filter_map(|place| nodes.get(*place))
                .map(|node| node.id.clone())
                .collect();
            return (order, refused);
        }
        // What was to replace running modules cannot: those stay, and the others are judged beside them.
        let files: BTreeSet<&Path> = replacing
            .iter()
            .filter_map(|index| found.get(*index))
            .map(|checked| checked.file.as_path())
            .collect();
        report.findings.extend(
            findings
                .into_iter()
                .filter(|finding| finding.file.as_deref().is_some_and(|file| files.contains(file))),
        );
        refused.extend(replacing);
    }
}

fn node_of(checked: &Checked) -> Node {
    Node::new(&checked.manifest, Standing::Candidate, Some(checked.file.clone()))
}

fn finish(found: Vec<Checked>, order: &[String], refused: &BTreeSet<usize>, mut report: Report) -> Survey {
    let mut accepted = BTreeMap::new();
    for (index, checked) in found.into_iter().enumerate() {
        let ok = !refused.contains(&index);
        report.modules.push(ReportedModule {
            ok,
            ..ReportedModule::sound(&checked)
        });
        if ok {
            accepted.insert(checked.manifest.id.clone(), checked);
        }
    }
    report.modules.sort_by(|a, b| a.file.cmp(&b.file));
    let accepted: Vec<Checked> = order.iter().filter_map(|id| accepted.remove(id)).collect();
    order.clone_into(&mut report.order);
    report.findings.sort_by(by_module);
    Survey { accepted, report }
}

fn by_module(a: &Finding, b: &Finding) -> std::cmp::Ordering {
    (&a.file, &a.module, a.stage, &a.code, &a.what).cmp(&(&b.file, &b.module, b.stage, &b.code, &b.what))
}

//! Links and file names in the docs lead somewhere.

use std::path::{Component, Path, PathBuf};

use crate::source::Source;

/// Top folders whose files the docs name in code spans.
const FOLDERS: [&str; 11] = [
    ".ci",
    "bridge",
    "docs",
    "examples",
    "host",
    "manifest",
    "plugin-api",
    "plugins",
    "proto",
    "sdk",
    "tests",
];

/// Every link of a page that leads to no file or no heading, and every file it names that does not exist.
pub fn check(page: &Source, pages: &[Source], exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    if !page.path.ends_with(".md") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (number, line) in prose(&page.text) {
        for target in links(line)
            .into_iter()
            .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        {
            if let Some(problem) = broken(page, target, pages, exists) {
                findings.push(format!("{}:{number}: {problem}", page.path));
            }
        }
        // A decision tells of its day; the other pages tell what is.
        if !page.is_in("docs/decisions") {
            for name in code_spans(line).filter(|name| names_a_file(name) && !exists(name.trim_end_matches('/'))) {
                findings.push(format!("{}:{number}: there is no {name}", page.path));
            }
        }
    }
    findings
}

fn broken(page: &Source, target: &str, pages: &[Source], exists: &dyn Fn(&str) -> bool) -> Option<String> {
    let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let path = if file.is_empty() {
        page.path.clone()
    } else {
        resolve(&page.path, file)
    };
    if !exists(path.trim_end_matches('/')) {
        return Some(format!("link to {target}: there is no {path}"));
    }
    let anchor = anchor?;
    let linked = pages.iter().find(|page| page.path == path)?;
    let found = prose(&linked.text)
        .filter(|(_, line)| line.starts_with('#'))
        .any(|(_, line)| slug(line) == anchor);
    (!found).then(|| format!("link to {target}: {path} has no heading for #{anchor}"))
}

/// The lines outside fenced blocks, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((index + 1, line))
    })
}

fn links(line: &str) -> Vec<&str> {
    let ends = line.match_indices("](");
    ends.filter_map(|(at, _)| line[at + 2..].split_once(')').map(|(target, _)| target))
        .collect()
}

fn code_spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Whether a code span is a path from the root, and no pattern or placeholder.
fn names_a_file(span: &str) -> bool {
    let plain = span
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "/._-".contains(c));
    let folder = span.split_once('/').is_some_and(|(folder, _)| FOLDERS.contains(&folder));
    (plain || span.ends_with(".md")) && folder && !span.contains("..")
}

/// A target relative to the page that names it, as a path from the root.
fn resolve(page: &str, target: &str) -> String {
    let folder = Path::new(page).parent().unwrap_or(Path::new(""));
    let mut path = PathBuf::new();
    for component in folder.join(target).components() {
        match component {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    path.display().to_string()
}

/// The anchor that a heading gets: lower case, spaces as dashes, nothing but letters, digits, `-` and `_`.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    text.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
}

//! Compares `layers.toml` with `cargo metadata` and with the sources.

use std::collections::BTreeSet;

use serde_json::Value;
use toml::{Table, Value as Toml};

use crate::source::{Source, code, is_word};

/// One member of the workspace.
#[derive(Debug, Clone)]
pub struct Package {
    pub name: String,
    /// Its folder from the root: `host/wharf`.
    pub path: String,
    pub dependencies: BTreeSet<String>,
    pub dev_dependencies: BTreeSet<String>,
}

/// The members as `cargo metadata` tells them.
pub fn packages(metadata: &Value, root: &str) -> Vec<Package> {
    let names = |package: &Value, dev: bool| {
        let all = package["dependencies"].as_array().unwrap().iter();
        all.filter(|dependency| (dependency["kind"] == "dev") == dev)
            .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let folder = |package: &Value| {
        let manifest = package["manifest_path"].as_str().unwrap();
        manifest
            .trim_start_matches(root)
            .trim_start_matches('/')
            .trim_end_matches("/Cargo.toml")
            .to_owned()
    };
    let members = metadata["packages"].as_array().unwrap().iter();
    members
        .map(|package| Package {
            name: package["name"].as_str().unwrap().to_owned(),
            path: folder(package),
            dependencies: names(package, false),
            dev_dependencies: names(package, true),
        })
        .collect()
}

/// Every dependency between members, or on a crate with a rule of its own, that the rules do not allow.
pub fn check_packages(rules: &Table, packages: &[Package]) -> Vec<String> {
    let members: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut findings = Vec::new();
    for package in packages {
        match entries(rules, "crates")
            .filter(|rule| path_matches(text(rule, "path"), &package.path))
            .collect::<Vec<_>>()[..]
        {
            [rule] => findings.extend(check_package(rule, package, &members)),
            ref found => findings.push(format!(
                "{}: {} entries of [[crates]] match, expected one",
                package.path,
                found.len()
            )),
        }
        for rule in entries(rules, "dependencies") {
            let used = package.dependencies.contains(text(rule, "name"));
            if used && !list(rule, "only").any(|path| path_matches(path, &package.path)) {
                findings.push(format!(
                    "{}: depends on {}: {}",
                    package.path,
                    text(rule, "name"),
                    text(rule, "why")
                ));
            }
        }
    }
    findings
}

fn check_package(rule: &Table, package: &Package, members: &BTreeSet<&str>) -> Vec<String> {
    let may: BTreeSet<&str> = list(rule, "may").collect();
    let in_tests: BTreeSet<&str> = list(rule, "may_in_tests").collect();
    let only: Option<BTreeSet<&str>> = rule.contains_key("only").then(|| list(rule, "only").collect());
    let allowed = |name: &str| match (members.contains(name), &only) {
        (true, _) => may.contains(name),
        (false, Some(only)) => only.contains(name),
        (false, None) => true,
    };
    let normal = package.dependencies.iter().filter(|name| !allowed(name));
    let dev = package.dev_dependencies.iter().filter(|name| {
        let name = name.as_str();
        members.contains(name) && !may.contains(name) && !in_tests.contains(name)
    });
    normal
        .map(|name| format!("{}: depends on {name}: {}", package.path, text(rule, "why")))
        .chain(dev.map(|name| format!("{}: its tests depend on {name}: {}", package.path, text(rule, "why"))))
        .collect()
}

/// Every name in the sources that a rule forbids where it stands.
pub fn check_sources(rules: &Table, sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.is_rust()) {
        let rules: Vec<&Table> = entries(rules, "sources")
            .filter(|rule| source.is_in(text(rule, "in")) || source.path == format!("{}.rs", text(rule, "in")))
            .filter(|rule| !list(rule, "except").any(|place| source.is_in(place) || source.path == format!("{place}.rs")))
            .collect();
        if rules.is_empty() {
            continue;
        }
        let named = paths(&code(&source.text));
        for rule in rules {
            for never in list(rule, "never") {
                if let Some((line, path)) = named
                    .iter()
                    .find(|(_, path)| path == never || path.starts_with(&format!("{never}::")))
                {
                    findings.push(format!("{}:{line}: names {path}: {}", source.path, text(rule, "why")));
                }
            }
        }
    }
    findings
}

/// Every entry that no member or source has anything to do with, so that the file stays true.
pub fn unused(rules: &Table, packages: &[Package]) -> Vec<String> {
    entries(rules, "crates")
        .map(|rule| text(rule, "path"))
        .filter(|path| !packages.iter().any(|package| path_matches(path, &package.path)))
        .map(|path| format!("layers.toml: no crate at {path}"))
        .collect()
}

/// Every path in code, with its line: what `use` brings in, braces expanded, and what is named in place.
pub fn paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let chars: Vec<char> = code.chars().collect();
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        if is_word(chars[at]) {
            let mut end = at;
            let mut path = String::new();
            while end < chars.len() && (is_word(chars[end]) || chars[end] == ':') {
                path.push(chars[end]);
                end += 1;
            }
            if path == "use" {
                let item: String = chars[end..].iter().take_while(|c| **c != ';').collect();
                expand(&item.split_whitespace().collect::<Vec<_>>().join(" "), "", &mut |path| {
                    found.push((line, path))
                });
                line += item.matches('\n').count();
                end += item.chars().count();
            } else if path.contains("::") {
                found.push((line, path.trim_end_matches(':').to_owned()));
            }
            at = end;
        } else {
            line += usize::from(chars[at] == '\n');
            at += 1;
        }
    }
    found
}

/// Calls `found` with each path of a `use` tree: `std::{fs, io::{self, Read}}`.
fn expand(tree: &str, prefix: &str, found: &mut impl FnMut(String)) {
    let tree = tree.trim().trim_start_matches("::");
    let Some((head, rest)) = tree.split_once('{') else {
        let name = tree.split(" as ").next().unwrap_or_default().trim();
        let path = format!("{prefix}{}", if name == "self" { "" } else { name });
        found(path.trim_end_matches(':').to_owned());
        return;
    };
    let prefix = format!("{prefix}{head}");
    let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let (mut depth, mut start) = (0, 0);
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&inner[start..at], &prefix, found);
                start = at + 1;
            }
            _ => {}
        }
    }
    if !inner[start..].trim().is_empty() {
        expand(&inner[start..], &prefix, found);
    }
}

fn path_matches(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix("/*") {
        Some(parent) => path.rsplit_once('/').is_some_and(|(folder, _)| folder == parent),
        None => pattern == path,
    }
}

fn entries<'a>(rules: &'a Table, name: &str) -> impl Iterator<Item = &'a Table> {
    rules
        .get(name)
        .and_then(Toml::as_array)
        .into_iter()
        .flatten()
        .filter_map(Toml::as_table)
}

fn text<'a>(rule: &'a Table, key: &str) -> &'a str {
    rule.get(key)
        .and_then(Toml::as_str)
        .unwrap_or_else(|| panic!("layers.toml: an entry without {key}: {rule}"))
}

fn list<'a>(rule: &'a Table, key: &str) -> impl Iterator<Item = &'a str> {
    rule.get(key)
        .and_then(Toml::as_array)
        .into_iter()
        .flatten()
        .filter_map(Toml::as_str)
}

#[test]
fn use_trees_are_expanded() {
    let code = "use a::b;\nuse std::{\n    fs,\n    io::{self, Read as R},\n};\nfn f() { ::x::y(); g::h::<T>() }\n";
    let found: Vec<String> = paths(code).into_iter().map(|(line, path)| format!("{line} {path}")).collect();
    assert_eq!(found, ["1 a::b", "2 std::fs", "2 std::io", "2 std::io::Read", "6 x::y", "6 g::h"]);
}

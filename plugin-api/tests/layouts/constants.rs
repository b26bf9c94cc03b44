//! Numbers with a meaning.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use wharf_plugin_api::{ABI, ABI_DRAFT, exports, services};

/// Every `pub const` of this crate whose value is a number, as the source has it: one that is added is in the snapshot by itself, and
/// one that changes is seen.
fn numbers() -> Vec<String> {
    let mut files = Vec::new();
    collect(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut files);
    let mut found = Vec::new();
    for file in files {
        // Names of header fields have a snapshot of their own.
        if file.ends_with("http/names.rs") {
            continue;
        }
        let mut owner = String::new();
        for line in fs::read_to_string(&file).unwrap().lines() {
            if let Some(rest) = line.strip_prefix("impl ") {
                owner = format!("{}::", rest.trim_end_matches(" {"));
            } else if line.starts_with('}') {
                owner.clear();
            }
            let Some((name, value)) = line.trim_start().strip_prefix("pub const ").and_then(|rest| rest.split_once(": ")) else {
                continue;
            };
            let Some((kind, value)) = value.trim_end_matches(';').split_once(" = ") else {
                continue;
            };
            let value = value
                .strip_prefix("Self(")
                .and_then(|value| value.strip_suffix(')'))
                .unwrap_or(value);
            if value.parse::<i64>().is_ok() || value.ends_with("::MAX") {
                found.push(format!("{owner}{name}: {kind} = {value}"));
            }
        }
    }
    found.sort();
    assert!(found.len() > 80, "found {} constants only: {found:?}", found.len());
    found
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

pub(crate) fn all() -> String {
    let mut out = String::from("# Constants\n");
    let draft = if ABI_DRAFT { "-draft" } else { "" };
    let _ = writeln!(out, "ABI: {}.{}{draft}", ABI.major, ABI.minor);
    let list = |all: &[(&str, u16)]| {
        all.iter()
            .map(|(name, major)| format!("{name}@{major}"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let _ = writeln!(out, "services: {}", list(services::ALL));
    let _ = writeln!(out, "exports: {}", list(exports::ALL));
    for line in numbers() {
        let _ = writeln!(out, "{line}");
    }
    out
}

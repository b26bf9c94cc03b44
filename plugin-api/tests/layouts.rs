//! The layouts and constants of the ABI, compared with committed snapshots.
//!
//! `UPDATE=1 cargo test -p wharf-plugin-api --test layouts` writes `layouts.txt` and appends to `names.txt` and
//! `values.txt`. A change of any is a change of the ABI: docs/ABI.md says what may change.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

#[path = "layouts/constants.rs"]
mod constants;
#[path = "layouts/shapes.rs"]
mod shapes;
#[path = "layouts/walk.rs"]
mod walk;

use std::path::{Path, PathBuf};

use wharf_plugin_api::http::names::{NAMES, VALUES};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_default()
}

fn is_update() -> bool {
    std::env::var_os("UPDATE").is_some_and(|value| value == "1")
}

#[test]
fn layouts_and_constants_are_the_ones_committed() {
    let found = format!("{}{}{}", constants::all(), walk::all(), shapes::all());
    let committed = read("layouts.txt");
    if found == committed {
        return;
    }
    if is_update() {
        std::fs::write(path("layouts.txt"), found).unwrap();
        return;
    }
    let differs = found
        .lines()
        .zip(committed.lines())
        .position(|(found, committed)| found != committed);
    let line = differs.unwrap_or_else(|| found.lines().count().min(committed.lines().count()));
    panic!(
        "the ABI differs from layouts.txt at line {}: found {:?}, committed {:?}; if docs/ABI.md allows it, run `UPDATE=1 cargo test -p wharf-plugin-api --test layouts`",
        line + 1,
        found.lines().nth(line).unwrap_or_default(),
        committed.lines().nth(line).unwrap_or_default()
    );
}

/// Not even `UPDATE=1` changes an id that was given.
fn only_appended(file: &str, table: &[String], most: usize) {
    let committed = read(file);
    let given: Vec<&str> = committed.lines().collect();
    for (index, entry) in given.iter().enumerate() {
        assert_eq!(
            table.get(index).map(String::as_str),
            Some(*entry),
            "id {} in {file} belongs to {entry:?} for ever: append what is new at the end of names.rs",
            index + 1
        );
    }
    assert!(table.len() <= most, "{} entries, an id goes up to {most}", table.len());
    if table.len() > given.len() {
        let new = table.len() - given.len();
        assert!(
            is_update(),
            "{new} new entries for {file}: UPDATE=1 cargo test -p wharf-plugin-api --test layouts"
        );
        std::fs::write(path(file), table.join("\n") + "\n").unwrap();
    }
}

/// Every layout carries the version of this crate, and two of different majors do not fit: a module of 1.0 must fit for ever.
#[test]
fn the_crate_has_the_version_of_the_abi() {
    let major: u16 = env!("CARGO_PKG_VERSION_MAJOR").parse().unwrap();
    assert_eq!(major, wharf_plugin_api::ABI.major);
    const { assert!(!wharf_plugin_api::ABI_DRAFT, "ABI 1.0 is frozen") };
}

#[test]
fn ids_of_header_names_are_only_ever_appended() {
    let names: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    only_appended("names.txt", &names, 255);
}

#[test]
fn ids_of_header_values_are_only_ever_appended() {
    let values: Vec<String> = VALUES.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    only_appended("values.txt", &values, 127);
}

#[test]
fn header_names_are_lower_case_and_each_there_once() {
    let mut names = NAMES.to_vec();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), NAMES.len());
    assert!(NAMES.iter().all(|name| !name.is_empty() && *name == name.to_ascii_lowercase()));
}

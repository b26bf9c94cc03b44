//! The table of findings for operators, and that every finding is made by some test.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use wharf_host::domain::finding::kind::KINDS;
use wharf_host::domain::finding::{Severity, Stage};
use wharf_manifest::PROBLEM_KINDS;

const TEXT: &str = "# Findings

Everything that can keep a module from being loaded, by its code. A code never changes its meaning; programs may rely on
it (`wharf modules check --json`). Stages run in the order of this table, and none starts before the one above it held.
Warnings do not keep a module from loading.

This page is made from the sources: a test compares the two, and `WHARF_BLESS=1 cargo test -p wharf-host --test loader
catalogue` writes it anew.

| code | stage | what it means for you | how to mend it |
|---|---|---|---|
";

fn page() -> String {
    let mut page = TEXT.to_owned();
    let mut row = |code: &str, stage: &str, why: &str, fix: &str| {
        let cell = |text: &str| text.replace('|', "\\|");
        writeln!(page, "| `{code}` | {stage} | {} | {} |", cell(why), cell(fix)).unwrap();
    };
    let stages = [
        Stage::Place,
        Stage::Trust,
        Stage::Inspect,
        Stage::Manifest,
        Stage::Resolve,
        Stage::Open,
        Stage::Create,
        Stage::Run,
    ];
    for stage in stages {
        if stage == Stage::Manifest {
            PROBLEM_KINDS.iter().for_each(|kind| row(kind.code, "manifest", kind.why, kind.fix));
        }
        for kind in KINDS.iter().filter(|kind| kind.stage == stage) {
            let warning = if kind.severity == Severity::Warning { ", warning" } else { "" };
            row(kind.code, &format!("{stage}{warning}"), kind.why, kind.fix);
        }
    }
    page
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn the_page_for_operators_is_the_table_in_the_sources() {
    let path = root().join("docs/operations/findings.md");
    if std::env::var_os("WHARF_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, page()).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == page(), "{} is out of date: run with WHARF_BLESS=1", path.display());
}

#[test]
fn codes_are_unique_and_begin_with_their_stage() {
    let mut codes: Vec<&str> = KINDS
        .iter()
        .map(|kind| kind.code)
        .chain(PROBLEM_KINDS.iter().map(|kind| kind.code))
        .collect();
    for kind in KINDS {
        assert!(kind.code.starts_with(&format!("{}.", kind.stage)), "{}", kind.code);
        assert!(!kind.why.is_empty() && !kind.fix.is_empty(), "{}", kind.code);
    }
    let all = codes.len();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), all);
}

#[test]
fn every_code_of_stages_1_to_5_is_provoked_by_a_test() {
    let mut tests = String::new();
    for folder in ["host/tests/loader", "host/src/modules/place", "manifest/tests", "tests/tests/e2e"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                tests.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let early = KINDS.iter().filter(|kind| kind.stage <= Stage::Resolve).map(|kind| kind.code);
    let missing: Vec<&str> = early
        .chain(PROBLEM_KINDS.iter().map(|kind| kind.code))
        .filter(|code| !names(&tests, code))
        .collect();
    assert_eq!(missing, [""; 0]);
}

/// Whether the code itself is in the text, and not only a longer one that begins with it.
fn names(text: &str, code: &str) -> bool {
    let ends = |rest: &str| !rest.starts_with(|c: char| c == '-' || c.is_ascii_alphanumeric());
    text.match_indices(code).any(|(at, _)| ends(&text[at + code.len()..]))
}

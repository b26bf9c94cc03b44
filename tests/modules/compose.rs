//! Build script of the next versions: the files of a module in `plugins/`, with the difference to its next version put in.
//!
//! `next.diff`, beside the manifest of the crate, is that difference, as `diff -ur` writes it: what an author changes in a release. The rest
//! is the code that runs today, so a next version is always one step from it. A change of the module that the difference does not fit any
//! more fails the build, with the lines it looked for.
#![allow(clippy::print_stdout, reason = "a build script talks to cargo on standard output")]

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() {
    if let Err(reason) = compose() {
        reason.lines().for_each(|line| println!("cargo::error={line}"));
    }
}

fn compose() -> Result<(), String> {
    let own = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let to = PathBuf::from(variable("OUT_DIR")?).join("module");
    let name = own
        .file_name()
        .and_then(|name| name.to_str())
        .and_then(|name| name.strip_suffix("-next"));
    let name = name.ok_or_else(|| format!("found the folder {}, expected one named MODULE-next", own.display()))?;
    let from = own.join("../../../plugins").join(name);
    let diff = own.join("next.diff");
    for watched in [&from, &diff] {
        println!("cargo::rerun-if-changed={}", watched.display());
    }
    copy(&from, &to).map_err(|error| format!("{} cannot be copied: {error}", from.display()))?;
    let text = fs::read_to_string(&diff).map_err(|error| format!("{} cannot be read: {error}", diff.display()))?;
    for file in text
        .split_inclusive('\n')
        .collect::<Vec<_>>()
        .split(|line| line.starts_with("--- "))
        .skip(1)
    {
        change(&to, file).map_err(|reason| format!("{}: {reason}", diff.display()))?;
    }
    without_tests(&to.join("src"))?;
    // What is included may have no inner documentation.
    let root = to.join("src/lib.rs");
    let text = fs::read_to_string(&root).map_err(|error| format!("{} cannot be read: {error}", root.display()))?;
    write(&root, &text.replace("//!", "//"))?;
    // `export_module!` reads the manifest, the schema and the descriptors there.
    println!("cargo::rustc-env=CARGO_MANIFEST_DIR={}", to.display());
    Ok(())
}

/// Everything of a module but its tests.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    match fs::remove_dir_all(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => fs::create_dir_all(to)?,
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_name() == "tests" || entry.file_name() == "tests.rs" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Puts the changes of one file in: lines of a difference from its `+++` on.
fn change(to: &Path, lines: &[&str]) -> Result<(), String> {
    let named = lines.first().and_then(|line| line.strip_prefix("+++ "));
    let path = named
        .and_then(|name| name.split_whitespace().next())
        .and_then(|name| name.split_once('/'));
    let (_, path) = path.ok_or("found no `+++ next/PATH` after `---`")?;
    let file = to.join(path);
    let mut text = fs::read_to_string(&file).unwrap_or_default();
    let mut done = 0;
    for hunk in lines.split(|line| line.starts_with("@@ ")).skip(1) {
        let side = |other: char| -> String {
            let mine = hunk.iter().filter(|line| !line.starts_with(other));
            mine.filter_map(|line| line.get(1..)).collect()
        };
        let (old, new) = (side('+'), side('-'));
        // A file that begins here has no old lines.
        let rest = text.get(done..).unwrap_or_default();
        let place = rest
            .find(&old)
            .ok_or_else(|| format!("{path} has not, or not in this order, these lines:\n{old}"))?;
        text.replace_range(done + place..done + place + old.len(), &new);
        done += place + new.len();
    }
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent).map_err(|error| format!("{} cannot be made: {error}", parent.display()))?;
    }
    write(&file, &text)
}

/// They are those of the version that runs today, and their crates are not here.
fn without_tests(folder: &Path) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{} cannot be read: {error}", folder.display()))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            without_tests(&path)?;
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
            write(&path, &text.replace("#[cfg(test)]", "#[cfg(false)]"))?;
        }
    }
    Ok(())
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|error| format!("{} cannot be written: {error}", file.display()))
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| format!("{name}: {error}: cargo sets it"))
}

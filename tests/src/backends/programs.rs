//! Where installed programs and the users they run as are found.

use std::fs;
use std::path::{Path, PathBuf};

use crate::workspace::root;

/// A program by its name: in `folders`, then on the path, then where `tests/tools.sh` puts what it installs.
pub(super) fn find(name: &str, folders: &[PathBuf]) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = folders.to_vec();
    places.extend(std::env::split_paths(&path));
    places.push("/usr/sbin".into());
    places.push(tools().join("bin"));
    let found = places.iter().map(|place| place.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed: run `make test-servers`, which installs it"))
}

/// The folder of `tests/tools.sh`.
pub(super) fn tools() -> PathBuf {
    root().join("target/tools")
}

/// The folders one package makes for each of its versions, newest first.
pub(super) fn versions(parent: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    found.into_iter().map(|(_, path)| path).collect()
}

/// User and group a server runs as: nothing unless root asks, who must not run most of them.
pub(super) fn user(name: &str) -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let text = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let entry = |wanted: &str| {
        text.lines().find_map(|line| {
            let mut fields = line.split(':');
            let is_it = fields.next() == Some(wanted);
            let (user, group) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
            is_it.then_some((user, group))
        })
    };
    entry(name).or_else(|| entry("nobody"))
}

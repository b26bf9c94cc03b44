//! The workspace's libraries and binary, built once by the same cargo command that `make run` uses.
//!
//! One command and one feature set for all of them: cargo would build shared dependencies again for each
//! package that is built alone, and a feature that only a test switches on must not reach a library.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::workspace::{cargo, make_private, scratch_parent};

/// What one build gave.
struct Artifacts {
    folder: PathBuf,
    binary: PathBuf,
}

/// The folder with every library of the workspace, as a copy that only this user can write to. Do not
/// write there: other tests read it.
#[must_use]
pub fn libraries() -> &'static Path {
    &artifacts().folder
}

/// One library by the name of its crate: `greeter`, `hello_module`.
///
/// # Panics
/// When there is none; the message lists those there are.
#[must_use]
pub fn library(name: &str) -> PathBuf {
    let path = libraries().join(format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX));
    if !path.is_file() {
        let names: Vec<_> = fs::read_dir(libraries())
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        panic!("no library {}: expected one of {names:?}", path.display());
    }
    path
}

/// The binary `wharf`.
#[must_use]
pub fn wharf_binary() -> &'static Path {
    &artifacts().binary
}

/// Puts a copy of a library into a folder that may be watched: it appears there complete and as a new file.
///
/// # Panics
/// When the library or the folder does not exist.
pub fn install(library: &Path, folder: &Path) -> PathBuf {
    let name = library.file_name().expect("a library has a name");
    let target = folder.join(name);
    let partial = folder.join(format!(".{}.partial", name.to_string_lossy()));
    copy_private(library, &partial);
    fs::rename(&partial, &target).unwrap_or_else(|error| panic!("cannot move {} into place: {error}", target.display()));
    target
}

fn artifacts() -> &'static Artifacts {
    static ARTIFACTS: OnceLock<Artifacts> = OnceLock::new();
    ARTIFACTS.get_or_init(|| {
        // nextest runs each test in a process of its own: the first of a run builds, the others take what it built.
        let run = std::env::var("NEXTEST_RUN_ID").unwrap_or_else(|_| format!("process-{}", std::process::id()));
        let parent = scratch_parent();
        remove_old_runs(&parent);
        let folder = parent.join(format!("build-{run}"));
        make_private(&folder);
        let lock = File::create(folder.join("lock")).unwrap_or_else(|error| panic!("cannot make a lock in {}: {error}", folder.display()));
        lock.lock()
            .unwrap_or_else(|error| panic!("cannot lock {}: {error}", folder.display()));
        let found = Artifacts {
            folder: folder.join("libraries"),
            binary: folder.join("wharf"),
        };
        let done = folder.join("done");
        if !done.is_file() {
            fill(&found);
            fs::write(&done, "").unwrap_or_else(|error| panic!("cannot write {}: {error}", done.display()));
        }
        found
    })
}

fn fill(artifacts: &Artifacts) {
    make_private(&artifacts.folder);
    let built = build();
    let mut libraries = 0;
    for (path, kind) in &built {
        match kind.as_str() {
            "cdylib" => {
                install(path, &artifacts.folder);
                libraries += 1;
            }
            _ => copy_private(path, &artifacts.binary),
        }
    }
    assert!(
        libraries > 0,
        "the workspace has no library: expected at least one crate with crate-type cdylib"
    );
    assert!(artifacts.binary.is_file(), "the workspace has no binary wharf");
}

/// Builds all libraries and binaries and returns the files, each with the kind of its target.
fn build() -> BTreeMap<PathBuf, String> {
    let mut child = cargo()
        .args([
            "build",
            "--workspace",
            "--lib",
            "--bins",
            "--message-format=json-render-diagnostics",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run cargo build: {error}"));
    let output = child.stdout.take().expect("standard output is piped");
    let mut built = BTreeMap::new();
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        let message: Value = serde_json::from_str(&line).unwrap_or_default();
        if let Some((path, kind)) = artifact(&message) {
            built.insert(path, kind);
        }
    }
    let status = child.wait().unwrap_or_else(|error| panic!("cannot wait for cargo build: {error}"));
    assert!(
        status.success(),
        "cargo build --workspace --lib --bins failed with {status}: see its output above"
    );
    built
}

/// The library or the binary `wharf` that a message of cargo tells of.
fn artifact(message: &Value) -> Option<(PathBuf, String)> {
    let target = message.get("target")?;
    let kinds = target.get("kind")?.as_array()?;
    if kinds.iter().any(|kind| kind == "cdylib") {
        let files = message.get("filenames")?.as_array()?;
        let file = files
            .iter()
            .filter_map(Value::as_str)
            .find(|file| file.ends_with(std::env::consts::DLL_SUFFIX))?;
        return Some((file.into(), "cdylib".into()));
    }
    let executable = message.get("executable")?.as_str()?;
    (target.get("name")? == "wharf").then(|| (executable.into(), "bin".into()))
}

/// Copies into a new file that only this user may write, whatever the umask of the build was.
fn copy_private(from: &Path, to: &Path) {
    fs::copy(from, to)
        .and_then(|_| fs::set_permissions(to, Permissions::from_mode(0o700)))
        .unwrap_or_else(|error| panic!("cannot copy {} to {}: {error}", from.display(), to.display()));
}

/// Removes what processes that have ended, and other runs of more than an hour ago, left behind: each is more than a GiB.
fn remove_old_runs(parent: &Path) {
    let limit = SystemTime::now() - Duration::from_secs(3600);
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let old = entry
            .metadata()
            .and_then(|data| data.modified())
            .is_ok_and(|modified| modified < limit);
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix("build-process-");
        let ended = process.is_some_and(|id| Path::new("/proc/self").exists() && !Path::new("/proc").join(id).exists());
        if ended || (old && name.starts_with("build-")) {
            // Another process may be removing the same folder.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_binary_are_built_into_a_place_that_others_cannot_write_to() {
        for name in ["greeter", "hello_module"] {
            let library = library(name);
            let start = fs::read(&library).expect("the library can be read");
            assert!(
                start.starts_with(b"\x7fELF") || cfg!(target_os = "macos"),
                "{} is no library",
                library.display()
            );
            assert_eq!(mode(&library), 0o700);
        }
        assert_eq!(mode(libraries()), 0o700);
        assert_eq!(mode(wharf_binary()), 0o700);
    }

    #[test]
    fn an_installed_library_is_a_file_of_its_own() {
        use std::os::unix::fs::MetadataExt as _;
        let folder = crate::scratch("install");
        let first = fs::metadata(install(&library("greeter"), folder.path())).expect("it was installed");
        let second = fs::metadata(install(&library("greeter"), folder.path())).expect("it was installed again");
        assert_ne!(first.ino(), second.ino());
        assert_eq!(fs::read_dir(folder.path()).expect("the folder can be read").count(), 1);
    }

    #[test]
    #[should_panic(expected = "no library")]
    fn an_unknown_library_is_named() {
        let _ = library("missing");
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("the path exists").permissions().mode() & 0o777
    }
}

//! Where the workspace is and what cargo knows about it.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

/// The root of the workspace: the folder of this crate's manifest is one below.
#[must_use]
pub fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// What `cargo metadata --no-deps` says about the workspace.
#[must_use]
pub fn metadata() -> &'static Value {
    static METADATA: OnceLock<Value> = OnceLock::new();
    METADATA.get_or_init(|| {
        let output = cargo()
            .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
            .stderr(Stdio::inherit())
            .output()
            .unwrap_or_else(|error| panic!("cannot run cargo metadata: {error}"));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("cargo metadata printed no json: {error}"))
    })
}

/// A new folder that only this user may read or write, removed when the value is dropped.
///
/// It is below the target folder, not in a shared one: the host refuses libraries in a place where others
/// could put some.
#[must_use]
pub fn scratch(name: &str) -> TempDir {
    let parent = scratch_parent();
    tempfile::Builder::new()
        .prefix(&format!("{name}-"))
        .tempdir_in(&parent)
        .unwrap_or_else(|error| panic!("cannot make a folder in {}: {error}", parent.display()))
}

/// The cargo that runs this test, in the root of the workspace.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).stdin(Stdio::null());
    without_own_package(&mut command);
    command
}

/// Takes what cargo told this test about its own package out of the environment: build scripts that look at it would run
/// again, and everything that depends on them would be built again, here and after the tests.
pub(crate) fn without_own_package(command: &mut Command) {
    let told = std::env::vars_os().map(|(name, _)| name);
    for name in told.filter(|name| is_about_a_package(&name.to_string_lossy())) {
        command.env_remove(name);
    }
}

fn is_about_a_package(name: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

/// The folder below the target folder that holds everything tests write.
pub(crate) fn scratch_parent() -> PathBuf {
    let target = metadata().get("target_directory").and_then(Value::as_str).unwrap_or("target");
    let parent = Path::new(target).join("wharf-tests");
    make_private(&parent);
    parent
}

/// Makes a folder, and what is missing above it, for this user alone.
pub(crate) fn make_private(folder: &Path) {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .unwrap_or_else(|error| panic!("cannot make {}: {error}", folder.display()));
}

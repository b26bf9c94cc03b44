//! A copy of what git knows of this repository, with ports of its own and a target folder that later runs use again.

use std::fs::{self, File, FileTimes};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use wharf_tests::{metadata, root, scratch};

/// The addresses the README names.
const PUBLIC: &str = "127.0.0.1:8080";
const MANAGEMENT: &str = "127.0.0.1:9090";

/// The copy; it is removed when this is dropped.
pub(crate) struct Clone {
    folder: TempDir,
    public: SocketAddr,
    management: SocketAddr,
}

impl Clone {
    pub(crate) fn make() -> Self {
        let folder = scratch("readme");
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root())
            .output()
            .expect("git runs");
        assert!(listed.status.success(), "git ls-files: {listed:?}");
        for name in String::from_utf8_lossy(&listed.stdout).split('\0').filter(|name| !name.is_empty()) {
            // Deleted and not committed yet: git still lists it.
            if root().join(name).is_file() {
                copy(&root().join(name), &folder.path().join(name)).unwrap_or_else(|error| panic!("cannot copy {name}: {error}"));
            }
        }
        let target = target();
        std::os::unix::fs::symlink(&target, folder.path().join("target")).expect("a link to the target folder");
        let (first, second) = (free(), free());
        Self {
            folder,
            public: first.local_addr().expect("an address"),
            management: second.local_addr().expect("an address"),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The README's addresses become those of this copy.
    pub(crate) fn localised(&self, text: &str) -> String {
        text.replace(PUBLIC, &self.public.to_string())
            .replace(MANAGEMENT, &self.management.to_string())
    }

    /// The other way round.
    pub(crate) fn generalised(&self, text: &str) -> String {
        text.replace(&self.public.to_string(), PUBLIC)
            .replace(&self.management.to_string(), MANAGEMENT)
    }

    pub(crate) fn environment(&self, command: &mut Command) {
        // A cargo that runs this test tells its own children where they are; these are nobody's children.
        let told = std::env::vars_os().map(|(name, _)| name);
        for name in told.filter(|name| {
            let name = name.to_string_lossy();
            name.starts_with("WHARF_")
                || name.starts_with("CARGO_PKG_")
                || matches!(
                    &*name,
                    "CARGO_MANIFEST_DIR" | "CARGO_TARGET_DIR" | "MAKEFLAGS" | "MAKELEVEL" | "MFLAGS"
                )
        }) {
            command.env_remove(name);
        }
        command
            .env("WHARF_HTTP__LISTEN", self.public.to_string())
            .env("WHARF_MANAGEMENT__LISTEN", self.management.to_string())
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_TERM_COLOR", "never");
    }
}

/// A target folder beside the workspace's own. The first time it takes over what was built of other people's crates, so
/// that only this repository's are built again: their files are links, since cargo replaces files and never writes into them.
fn target() -> PathBuf {
    let own = Path::new(
        metadata()
            .get("target_directory")
            .and_then(serde_json::Value::as_str)
            .expect("a target folder"),
    );
    let target = own.join("readme");
    if !target.join("debug").is_dir() {
        let partial = own.join(format!("readme-{}", std::process::id()));
        for (folder, how) in [
            (".fingerprint", copy as fn(&Path, &Path) -> io::Result<()>),
            ("build", copy),
            ("deps", link),
        ] {
            tree(&own.join("debug").join(folder), &partial.join("debug").join(folder), how);
        }
        fs::create_dir_all(partial.join("debug")).expect("a folder for the target");
        // Another test of this file may have been first.
        if fs::rename(&partial, &target).is_err() {
            drop(fs::remove_dir_all(&partial));
        }
    }
    target
}

/// What cannot be taken over, because it is on its way out or in, is built.
fn tree(from: &Path, to: &Path, how: fn(&Path, &Path) -> io::Result<()>) {
    for entry in fs::read_dir(from).into_iter().flatten().flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            tree(&entry.path(), &target, how);
        } else {
            drop(how(&entry.path(), &target));
        }
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    make_parent(to)?;
    fs::copy(from, to)?;
    // Cargo goes by times. Sources of this repository get new ones all the same: it must not take over their builds.
    if !from.starts_with(root().join("target")) {
        return Ok(());
    }
    let modified = fs::metadata(from)?.modified()?;
    File::options()
        .append(true)
        .open(to)?
        .set_times(FileTimes::new().set_modified(modified))
}

fn link(from: &Path, to: &Path) -> io::Result<()> {
    // Cargo and rustc write these in place.
    if from.extension().is_some_and(|extension| extension == "d") {
        return copy(from, to);
    }
    make_parent(to)?;
    fs::hard_link(from, to)
}

fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

fn free() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port")
}

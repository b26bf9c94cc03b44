//! A copy of what git knows of this repository, with ports of its own and a target folder that later runs use again.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, FileTimes};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use wharf_tests::{metadata, root};

/// The addresses the README names.
const PUBLIC: &str = "127.0.0.1:8080";
const MANAGEMENT: &str = "127.0.0.1:9090";

/// The copy. One test at a time has it; it stays where it is, so that cargo builds only what changed since the last run.
pub(crate) struct Clone {
    folder: PathBuf,
    public: SocketAddr,
    management: SocketAddr,
    _lock: File,
}

impl Clone {
    pub(crate) fn make() -> Self {
        let target = own_target().join("readme");
        make_private(&target);
        let lock = File::create(target.join("lock")).expect("a lock can be made");
        lock.lock().expect("the lock can be had");
        if !target.join("debug").is_dir() {
            take_over(&target);
        }
        let folder = target.join("clone");
        fill(&folder);
        if !folder.join("target").is_symlink() {
            std::os::unix::fs::symlink("..", folder.join("target")).expect("a link to the target folder");
        }
        let (first, second) = (free(), free());
        Self {
            folder,
            public: first.local_addr().expect("an address"),
            management: second.local_addr().expect("an address"),
            _lock: lock,
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a host of this copy listens.
    pub(crate) fn public(&self) -> SocketAddr {
        self.public
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

/// Makes the folder the same as what git knows here, files that only changed in time included.
fn fill(folder: &Path) {
    make_private(folder);
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git runs");
    assert!(listed.status.success(), "git ls-files: {listed:?}");
    let listed = String::from_utf8_lossy(&listed.stdout);
    // Deleted and not committed yet: git still lists it.
    let wanted: BTreeSet<&Path> = listed
        .split('\0')
        .map(Path::new)
        .filter(|name| root().join(name).is_file())
        .collect();
    clear(folder, folder, &wanted);
    for name in wanted {
        let (from, to) = (root().join(name), folder.join(name));
        if !is_same(&from, &to) {
            copy(&from, &to).unwrap_or_else(|error| panic!("cannot copy {}: {error}", name.display()));
        }
    }
}

/// Removes what earlier runs left.
fn clear(folder: &Path, root: &Path, wanted: &BTreeSet<&Path>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let kind = entry.file_type().expect("the kind of a file");
        if kind.is_dir() {
            clear(&path, root, wanted);
            // Only one that is empty.
            let _ = fs::remove_dir(&path);
        } else if !kind.is_symlink() && !path.strip_prefix(root).is_ok_and(|name| wanted.contains(name)) {
            fs::remove_file(&path).unwrap_or_else(|error| panic!("cannot remove {}: {error}", path.display()));
        }
    }
}

fn is_same(from: &Path, to: &Path) -> bool {
    let times = |path: &Path| fs::metadata(path).and_then(|data| Ok((data.modified()?, data.len())));
    matches!((times(from), times(to)), (Ok(from), Ok(to)) if from == to)
}

fn own_target() -> PathBuf {
    let target = metadata().get("target_directory").and_then(serde_json::Value::as_str);
    PathBuf::from(target.expect("a target folder"))
}

/// Takes over what the workspace has built, so that little is built again. Files are links where cargo replaces them instead
/// of writing into them.
fn take_over(target: &Path) {
    let (own, partial) = (own_target().join("debug"), target.join("partial"));
    for (folder, how) in [
        (".fingerprint", copy as fn(&Path, &Path) -> io::Result<()>),
        ("build", copy),
        ("deps", link),
    ] {
        tree(&own.join(folder), &partial.join(folder), how);
    }
    make_private(&partial);
    fs::rename(&partial, target.join("debug")).expect("the folder can be renamed");
}

fn make_private(folder: &Path) {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .unwrap_or_else(|error| panic!("cannot make {}: {error}", folder.display()));
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
    // Cargo goes by times.
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

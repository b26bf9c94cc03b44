//! A folder that ends with its value, and one day even when nobody could end it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

const NAME: &str = "wharf-spaces-";
/// Held by the process that uses the folder.
const LOCK: &str = "lock";

/// The folder.
pub(super) struct Passing {
    path: PathBuf,
    _lock: File,
}

impl Passing {
    /// Makes one. Those of processes that are gone (they were killed, or ended while a connection was open) are removed.
    pub(super) fn make() -> io::Result<Self> {
        #[allow(
            clippy::disallowed_methods,
            reason = "folders of names never used before, made for this user alone or not at all"
        )]
        let parent = std::env::temp_dir();
        remove_left(&parent);
        Self::make_in(&parent)
    }

    fn make_in(parent: &Path) -> io::Result<Self> {
        let path = parent.join(format!("{NAME}{}", uuid::Uuid::now_v7()));
        DirBuilder::new().mode(0o700).create(&path)?;
        // Under its name there is only a lock that is held.
        let (unheld, name) = (path.join("unheld"), path.join(LOCK));
        let lock = File::create_new(&unheld)?;
        lock.lock()?;
        fs::rename(&unheld, &name)?;
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        // Connections that are still open keep what they have until they end.
        drop(fs::remove_dir_all(&self.path));
    }
}

/// What cannot be read, locked or removed belongs to somebody.
fn remove_left(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(NAME) {
            continue;
        }
        let lock = File::open(entry.path().join(LOCK));
        if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_a_process_that_is_gone_left_is_removed_and_what_is_used_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let used = Passing::make_in(parent.path()).unwrap();
        let left = parent.path().join(format!("{NAME}left"));
        fs::create_dir(&left).unwrap();
        fs::write(left.join(LOCK), "").unwrap();
        fs::write(left.join("blog.sqlite"), "").unwrap();
        let other = parent.path().join("other");
        fs::create_dir(&other).unwrap();
        fs::write(other.join(LOCK), "").unwrap();
        remove_left(parent.path());
        assert!(used.path().join(LOCK).exists() && other.exists() && !left.exists());
        let path = used.path().to_path_buf();
        drop(used);
        assert!(!path.exists());
    }
}

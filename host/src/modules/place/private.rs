//! The folder with the private copies: what is loaded is what was checked, under a name never used before.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FlockOperation, flock};

use super::{Contents, Folder, PlaceRules, hex};
use crate::domain::finding::Finding;
use crate::domain::finding::kind;

const LOCK: &str = "lock";
const PREFIX: &str = "host-";

/// A folder of mode 0700 that belongs to this host alone and is removed with it.
///
/// Copies stay until then even when their module was replaced: libraries are never unmapped, and debuggers and
/// backtraces want the file. What a host that was killed left behind is removed by the next one.
#[derive(Debug)]
pub struct PrivateFolder {
    path: PathBuf,
    suffix: &'static str,
    copies: AtomicU64,
    /// Held locked for as long as the folder is in use.
    _lock: File,
}

impl PrivateFolder {
    /// Makes a folder inside `base`, which is made too if it is missing, and removes what dead hosts left there.
    ///
    /// # Errors
    /// `place.copy-failed` when the folder cannot be made, and every finding of stage 1 about `base`.
    pub fn create(base: &Path, suffix: &'static str) -> Result<Self, Vec<Finding>> {
        if !base.exists() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(base)
                .map_err(|error| vec![failed(base, &error)])?;
        }
        // Whoever can write to the base could exchange the folder in it.
        let checked = Folder::open(base, &PlaceRules::default())?;
        Self::make(checked.path(), suffix).map_err(|error| vec![failed(base, &error)])
    }

    fn make(base: &Path, suffix: &'static str) -> std::io::Result<Self> {
        // Held to the end of this function, so that no other host takes a new folder for a dead one.
        let sweeping = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(base.join(LOCK))?;
        flock(&sweeping, FlockOperation::LockExclusive)?;
        sweep(base);
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(std::io::Error::other)?;
        let path = base.join(format!("{PREFIX}{}-{}", std::process::id(), hex(&random)));
        DirBuilder::new().mode(0o700).create(&path)?;
        let lock = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path.join(LOCK))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self {
            path,
            suffix,
            copies: AtomicU64::new(0),
            _lock: lock,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes what was checked to a new file, `<id>-<first 16 digits of the hash>-g<N>.so`. The name was never used
    /// before in this process, and the file has an inode of its own: the system's loader takes a library it
    /// already knows by name or inode for the same one.
    ///
    /// # Errors
    /// `place.copy-failed`.
    pub fn store(&self, id: &str, contents: &Contents) -> Result<PathBuf, Finding> {
        let hash: String = hex(&contents.hash).chars().take(16).collect();
        let number = self.copies.fetch_add(1, Ordering::Relaxed) + 1;
        let path = self.path.join(format!("{id}-{hash}-g{number}{}", self.suffix));
        self.write(&path, &contents.bytes).map_err(|error| failed(&path, &error))?;
        Ok(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        let mode = std::fs::symlink_metadata(&self.path)?;
        if !mode.is_dir() || mode.mode() & 0o777 != 0o700 || mode.uid() != rustix::process::geteuid().as_raw() {
            return Err(std::io::Error::other(
                "the private folder is no longer a folder of mode 0700 that is the host's own",
            ));
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.set_permissions(Permissions::from_mode(0o400))
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        // Nothing depends on it: the next host removes what stays.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Removes the folders of hosts that no longer hold their lock.
fn sweep(base: &Path) {
    let Ok(entries) = std::fs::read_dir(base) else {
        return;
    };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !ours || !is_folder {
            continue;
        }
        let free = match File::open(entry.path().join(LOCK)) {
            Ok(lock) => flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok(),
            // Its host died between making the folder and the lock in it.
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        };
        if free {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Finding {
    Finding::new(&kind::COPY_FAILED, format!("{} cannot be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn contents() -> Contents {
        Contents {
            bytes: b"library".to_vec(),
            hash: [0xab; 32],
        }
    }

    #[test]
    fn every_copy_has_a_name_and_an_inode_of_its_own() {
        let base = tempfile::tempdir().unwrap();
        let folder = PrivateFolder::create(&base.path().join("run"), ".so").unwrap();
        let first = folder.store("greeter", &contents()).unwrap();
        let second = folder.store("greeter", &contents()).unwrap();
        assert!(first.ends_with("greeter-abababababababab-g1.so"), "{}", first.display());
        assert!(second.ends_with("greeter-abababababababab-g2.so"), "{}", second.display());
        assert_ne!(first.metadata().unwrap().ino(), second.metadata().unwrap().ino());
        assert_eq!(first.metadata().unwrap().mode() & 0o777, 0o400);
        assert_eq!(folder.path().metadata().unwrap().mode() & 0o777, 0o700);
        assert_eq!(std::fs::read(second).unwrap(), b"library");
    }

    #[test]
    fn the_folder_goes_with_the_host_and_that_of_a_dead_host_with_the_next() {
        let base = tempfile::tempdir().unwrap();
        let living = PrivateFolder::create(base.path(), ".so").unwrap();
        let dead = base.path().join("host-1-00");
        std::fs::create_dir(&dead).unwrap();
        std::fs::write(dead.join(LOCK), "").unwrap();
        let next = PrivateFolder::create(base.path(), ".so").unwrap();
        assert!(!dead.exists());
        assert!(living.path().exists());
        let path = living.path().to_path_buf();
        drop(living);
        assert!(!path.exists());
        assert!(next.path().exists());
    }

    #[test]
    fn a_private_folder_that_was_opened_to_others_takes_no_copy() {
        let base = tempfile::tempdir().unwrap();
        let folder = PrivateFolder::create(base.path(), ".so").unwrap();
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        assert_eq!(folder.store("greeter", &contents()).unwrap_err().code, "place.copy-failed");
    }
}

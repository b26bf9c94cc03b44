//! Stage 1: where a library lies, and that nobody but root and the host's user could have put it there.
//!
//! Every folder from the root down is opened without following links, each from the one before, so that what was
//! checked is what is used. An ancestor that everybody may write to is accepted only when root owns it and its
//! sticky bit is set, as with `/tmp`: others cannot rename or remove there what is not theirs. The folder with the
//! modules itself gets no such exception, because others could put files into it.

mod private;
mod walk;

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

pub use private::PrivateFolder;

use crate::domain::finding::Finding;
use crate::domain::finding::kind::{self, Kind};

/// Largest library unless the configuration says otherwise: 256 MiB.
pub const DEFAULT_MAX_SIZE: u64 = 256 << 20;

/// What is asked of files and folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceRules {
    /// Largest file, in bytes.
    pub max_size: u64,
    /// The user who may own files and folders, beside root.
    pub user: u32,
}

impl Default for PlaceRules {
    /// 256 MiB, and the effective user of this process.
    fn default() -> Self {
        Self {
            max_size: DEFAULT_MAX_SIZE,
            user: rustix::process::geteuid().as_raw(),
        }
    }
}

/// A folder that nobody else can change, held open.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    handle: File,
}

/// A file in such a folder, held open, not read yet.
#[derive(Debug)]
pub struct Placed<'a> {
    folder: &'a Folder,
    name: OsString,
    handle: File,
    before: Stamp,
    rules: PlaceRules,
}

/// What a file held when it was read.
#[derive(Clone, PartialEq, Eq)]
pub struct Contents {
    /// All of it.
    pub bytes: Vec<u8>,
    /// SHA-256 of it.
    pub hash: [u8; 32],
}

/// What changes when a file is written to or exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// The kinds of findings for a folder or a file, so that one check serves all.
struct Kinds {
    owner: &'static Kind,
    writable: &'static Kind,
}

impl Folder {
    /// Opens a folder and checks it and everything above it.
    ///
    /// # Errors
    /// Everything that is wrong with the folder and its ancestors.
    pub fn open(path: &Path, rules: &PlaceRules) -> Result<Self, Vec<Finding>> {
        walk::open(path, rules)
    }

    /// Its absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn handle(&self) -> &File {
        &self.handle
    }

    /// Opens a file in it without following links, and checks owner, mode, type and size.
    ///
    /// # Errors
    /// Everything that is wrong with the file.
    pub fn file(&self, name: &OsStr, rules: &PlaceRules) -> Result<Placed<'_>, Vec<Finding>> {
        let path = self.path.join(name);
        let handle = self.open_entry(name).map_err(|errno| vec![open_finding(errno).in_file(&path)])?;
        let metadata = handle.metadata().map_err(|error| vec![unreadable(&error).in_file(&path)])?;
        if !metadata.is_file() {
            return Err(vec![
                Finding::new(&kind::NOT_REGULAR, format!("found {}", describe(&metadata))).in_file(&path),
            ]);
        }
        let kinds = Kinds {
            owner: &kind::FILE_OWNER,
            writable: &kind::FILE_WRITABLE,
        };
        let mut findings = check_owner(&path, &metadata, rules, &kinds, false);
        if metadata.len() > rules.max_size {
            findings.push(too_large(metadata.len(), rules.max_size));
        }
        if !findings.is_empty() {
            return Err(findings.into_iter().map(|finding| finding.in_file(&path)).collect());
        }
        Ok(Placed {
            folder: self,
            name: name.to_owned(),
            handle,
            before: Stamp::of(&metadata),
            rules: *rules,
        })
    }

    /// `O_NONBLOCK` so that a pipe without a writer does not hold the host up.
    fn open_entry(&self, name: &OsStr) -> Result<File, Errno> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        openat(&self.handle, name, flags, Mode::empty()).map(File::from)
    }
}

impl Placed<'_> {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path.join(&self.name)
    }

    /// Reads all of it and makes sure that it did not change meanwhile.
    ///
    /// # Errors
    /// One finding: it cannot be read, grew over the limit, was written to, or was exchanged by another file.
    pub fn read(self) -> Result<Contents, Finding> {
        let path = self.path();
        self.read_unchanged().map_err(|finding| finding.in_file(&path))
    }

    fn read_unchanged(mut self) -> Result<Contents, Finding> {
        let mut bytes = Vec::with_capacity(usize::try_from(self.before.size).unwrap_or_default());
        let limit = self.rules.max_size.saturating_add(1);
        self.handle
            .by_ref()
            .take(limit)
            .read_to_end(&mut bytes)
            .map_err(|error| unreadable(&error))?;
        if bytes.len() as u64 > self.rules.max_size {
            return Err(too_large(bytes.len() as u64, self.rules.max_size));
        }
        let after = Stamp::of(&self.handle.metadata().map_err(|error| unreadable(&error))?);
        if after != self.before || after.size != bytes.len() as u64 {
            return Err(Finding::new(&kind::CHANGED, "the file was written to while it was read"));
        }
        let named = self.folder.open_entry(&self.name).ok().and_then(|file| file.metadata().ok());
        if named.map(|metadata| Stamp::of(&metadata)) != Some(after) {
            return Err(Finding::new(&kind::CHANGED, "another file took its name while it was read"));
        }
        let hash = Sha256::digest(&bytes).into();
        Ok(Contents { bytes, hash })
    }
}

impl std::fmt::Debug for Contents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contents")
            .field("bytes", &self.bytes.len())
            .field("hash", &hex(&self.hash))
            .finish()
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Owner and mode. `sticky` accepts a folder of root in which everybody may only touch what is theirs.
fn check_owner(path: &Path, metadata: &Metadata, rules: &PlaceRules, kinds: &Kinds, sticky: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    let shown = path.display();
    if owner != 0 && owner != rules.user {
        let expected = if rules.user == 0 {
            "0".to_owned()
        } else {
            format!("0 or {}", rules.user)
        };
        findings.push(Finding::new(
            kinds.owner,
            format!("{shown} belongs to user {owner}, expected {expected}"),
        ));
    }
    let like_tmp = sticky && owner == 0 && mode & 0o1000 != 0;
    if mode & 0o022 != 0 && !like_tmp {
        let what = format!("{shown} has mode {mode:04o}, expected no write permission for group and others");
        findings.push(Finding::new(kinds.writable, what).mend(format!("chmod go-w {shown}")));
    }
    findings
}

fn open_finding(errno: Errno) -> Finding {
    match errno {
        Errno::LOOP | Errno::MLINK => Finding::new(&kind::FILE_LINK, "found a symbolic link, expected a regular file"),
        Errno::NXIO => Finding::new(&kind::NOT_REGULAR, "found a pipe, a socket or a device"),
        _ => unreadable(&errno.into()),
    }
}

fn unreadable(error: &std::io::Error) -> Finding {
    Finding::new(&kind::FILE_UNREADABLE, format!("the file cannot be read: {error}"))
}

fn too_large(found: u64, limit: u64) -> Finding {
    Finding::new(&kind::TOO_LARGE, format!("found {found} bytes or more, expected at most {limit}"))
}

fn describe(metadata: &Metadata) -> &'static str {
    if metadata.is_dir() {
        "a folder"
    } else {
        "something that is no regular file"
    }
}

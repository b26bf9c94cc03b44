//! From the root to the folder with the modules, one step at a time, following no link.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno;

use super::{Folder, Kinds, PlaceRules, check_owner};
use crate::domain::finding::Finding;
use crate::domain::finding::kind;
use crate::modules::os;

/// Opens a folder from the root down.
pub(super) fn open(path: &Path, rules: &PlaceRules) -> Result<Folder, Vec<Finding>> {
    let absolute = std::path::absolute(path).map_err(|error| vec![unreadable(path, &error)])?;
    let names: Vec<&OsStr> = absolute
        .components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name),
            Component::ParentDir => Some(OsStr::new("..")),
            _ => None,
        })
        .collect();
    let mut findings = Vec::new();
    let mut here = PathBuf::from("/");
    let root = rustix::fs::open(&here, flags(names.is_empty()), Mode::empty());
    let mut handle = File::from(root.map_err(|errno| vec![unreadable(&here, &errno.into())])?);
    check(&here, &handle, names.is_empty(), rules, &mut findings)?;
    for (index, name) in names.iter().enumerate() {
        let last = index + 1 == names.len();
        here.push(name);
        handle = step(&handle, name, last).map_err(|errno| {
            let is_link = is_link(&handle, name);
            findings.push(if is_link { link(&here) } else { unreadable(&here, &errno.into()) });
            std::mem::take(&mut findings)
        })?;
        check(&here, &handle, last, rules, &mut findings)?;
    }
    if findings.is_empty() {
        Ok(Folder { path: absolute, handle })
    } else {
        Err(findings)
    }
}

/// Ancestors need only be passed through; the last folder is listed.
fn flags(last: bool) -> OFlags {
    let access = if last { OFlags::RDONLY } else { os::pass_through() };
    access | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

fn step(folder: &File, name: &OsStr, last: bool) -> Result<File, Errno> {
    openat(folder, name, flags(last), Mode::empty()).map(File::from)
}

fn check(path: &Path, handle: &File, last: bool, rules: &PlaceRules, findings: &mut Vec<Finding>) -> Result<(), Vec<Finding>> {
    let metadata = handle.metadata().map_err(|error| vec![unreadable(path, &error)])?;
    let kinds = if last {
        Kinds {
            owner: &kind::FOLDER_OWNER,
            writable: &kind::FOLDER_WRITABLE,
        }
    } else {
        Kinds {
            owner: &kind::ANCESTOR_OWNER,
            writable: &kind::ANCESTOR_WRITABLE,
        }
    };
    findings.extend(check_owner(path, &metadata, rules, &kinds, !last));
    Ok(())
}

fn is_link(folder: &File, name: &OsStr) -> bool {
    statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_symlink())
}

fn link(path: &Path) -> Finding {
    let finding = Finding::new(
        &kind::FOLDER_LINK,
        format!("{} is a symbolic link, expected a folder", path.display()),
    );
    match path.canonicalize() {
        Ok(real) => finding.mend(format!("name {} instead", real.display())),
        Err(_) => finding,
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Finding {
    Finding::new(&kind::FOLDER_UNREADABLE, format!("{} cannot be opened: {error}", path.display()))
}

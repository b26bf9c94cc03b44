//! Which files in the folder are candidates.

use std::ffi::OsString;

use rustix::fs::Dir;

use super::os::Target;
use super::place::Folder;
use crate::domain::finding::Finding;
use crate::domain::finding::kind;

/// Names of all libraries in the folder, in order. A name that begins with a dot is a file on its way in, and is
/// left alone; what is no regular file is a candidate too, so that stage 1 can say what is wrong with it.
///
/// # Errors
/// `place.folder-unreadable`.
pub fn libraries(folder: &Folder, target: Target) -> Result<Vec<OsString>, Finding> {
    use std::os::unix::ffi::OsStringExt;

    let unreadable = |error: rustix::io::Errno| {
        Finding::new(
            &kind::FOLDER_UNREADABLE,
            format!("{} cannot be listed: {error}", folder.path().display()),
        )
    };
    let mut names = Vec::new();
    for entry in Dir::read_from(folder.handle()).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name().to_bytes().to_vec();
        if !name.starts_with(b".") && name.ends_with(target.library_suffix().as_bytes()) {
            names.push(OsString::from_vec(name));
        }
    }
    names.sort();
    Ok(names)
}

//! A disk that is full for one process, and has room again when a test says so: no root, and no disk that has to be filled.
//!
//! A small library that stands before the system's own makes each write to a file fail with ENOSPC, as a full disk does, while
//! there is a marker file that names a part of its path.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::workspace::scratch;

const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int is_full(int fd) {
    const char *marker = getenv("DISK_FULL_MARKER");
    char part[256], link[64], path[4096];
    int before = errno, found = 0;
    int file = marker ? open(marker, O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0) {
        ssize_t count = read(file, part, sizeof part - 1);
        close(file);
        if (count > 0) {
            part[count] = 0;
            snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
            ssize_t length = readlink(link, path, sizeof path - 1);
            if (length > 0) {
                path[length] = 0;
                found = strstr(path, part) != NULL;
            }
        }
    }
    errno = found ? ENOSPC : before;
    return found;
}

#define NEXT(name) \
    static __typeof__(&name) next; \
    if (!next) next = (__typeof__(&name)) dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *bytes, size_t count) { NEXT(write); return is_full(fd) ? -1 : next(fd, bytes, count); }
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) { NEXT(pwrite); return is_full(fd) ? -1 : next(fd, bytes, count, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) { NEXT(pwrite64); return is_full(fd) ? -1 : next(fd, bytes, count, at); }
ssize_t writev(int fd, const struct iovec *parts, int count) { NEXT(writev); return is_full(fd) ? -1 : next(fd, parts, count); }
int fallocate(int fd, int mode, off_t at, off_t count) { NEXT(fallocate); return is_full(fd) ? -1 : next(fd, mode, at, count); }
int posix_fallocate(int fd, off_t at, off_t count) { NEXT(posix_fallocate); return is_full(fd) ? ENOSPC : next(fd, at, count); }
"#;

/// Such a disk.
#[derive(Debug)]
pub struct Disk {
    folder: TempDir,
    library: String,
    marker: String,
}

impl Disk {
    /// With room.
    ///
    /// # Panics
    /// Without a C compiler called `cc`.
    #[must_use]
    pub fn new() -> Self {
        let folder = scratch("disk");
        let (source, library) = (folder.path().join("full.c"), folder.path().join("full.so"));
        fs::write(&source, SOURCE).unwrap_or_else(|error| panic!("cannot write {}: {error}", source.display()));
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .arg("-ldl")
            .output()
            .unwrap_or_else(|error| panic!("this test needs a C compiler called cc: {error}"));
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let text = |path: PathBuf| path.to_str().map(str::to_owned).unwrap_or_default();
        Self {
            library: text(library),
            marker: text(folder.path().join("marker")),
            folder,
        }
    }

    /// What the process is started with.
    #[must_use]
    pub fn environment(&self) -> [(&str, &str); 2] {
        [("LD_PRELOAD", &self.library), ("DISK_FULL_MARKER", &self.marker)]
    }

    /// From now on files whose path has this in it take nothing more.
    ///
    /// # Panics
    /// When it cannot be said.
    pub fn fill(&self, part: &str) {
        // There at once, with all that is in it.
        let draft = self.folder.path().join("draft");
        fs::write(&draft, part)
            .and_then(|()| fs::rename(&draft, &self.marker))
            .unwrap_or_else(|error| panic!("{}: {error}", self.marker));
    }

    /// There is room again.
    ///
    /// # Panics
    /// When it was not full.
    pub fn free(&self) {
        fs::remove_file(&self.marker).unwrap_or_else(|error| panic!("{}: {error}", self.marker));
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self::new()
    }
}

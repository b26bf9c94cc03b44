//! What only the directory promises: its files, their modes, and what is left of a killed process.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::ports::blobs::contract::{check, key, read, write};

fn store() -> (tempfile::TempDir, DirectoryBlobs) {
    let folder = tempfile::tempdir().unwrap();
    let blobs = DirectoryBlobs::open(&folder.path().join("blobs")).unwrap();
    (folder, blobs)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path))
        } else {
            found.push(path)
        }
    }
    found
}

#[tokio::test]
async fn the_directory_keeps_the_contract() {
    let (_folder, blobs) = store();
    check(&blobs, true).await;
    assert!(files(&blobs.0.folder.join(INCOMING)).is_empty(), "uploads that ended leave nothing");
}

#[tokio::test]
async fn blobs_outlive_the_process_and_half_ones_do_not() {
    let (folder, blobs) = store();
    write(&blobs, "m", "a/b", b"kept", Put::default()).await.unwrap();
    let name = key("half");
    let mut upload = blobs.put("m", &name, Put::default()).await.unwrap();
    upload.write(Bytes::from_static(b"half")).await.unwrap();
    // As a killed process leaves it: nothing is dropped.
    std::mem::forget(upload);
    assert_eq!(files(&blobs.0.folder.join(INCOMING)).len(), 1);
    let again = DirectoryBlobs::open(&folder.path().join("blobs")).unwrap();
    assert!(files(&again.0.folder.join(INCOMING)).is_empty());
    assert_eq!(read(again.get("m", &key("a/b"), None).await.unwrap()).await.unwrap(), b"kept");
    assert!(again.head("m", &name).await.is_err());
}

#[tokio::test]
async fn nobody_else_may_read_files_and_folders() {
    let (_folder, blobs) = store();
    write(&blobs, "m", "a/b", b"secret", Put::default()).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let root = &blobs.0.folder;
    assert_eq!(mode(&root.join("m/a#/b")), 0o600);
    for folder in [root.clone(), root.join("m"), root.join("m/a#"), root.join(INCOMING)] {
        assert_eq!(mode(&folder), 0o700, "{}", folder.display());
    }
}

#[tokio::test]
async fn a_link_is_not_followed_and_a_damaged_file_is_said_to_be() {
    let (folder, blobs) = store();
    write(&blobs, "m", "good", b"good", Put::default()).await.unwrap();
    let secret = folder.path().join("secret");
    fs::copy(blobs.0.folder.join("m/good"), &secret).unwrap();
    symlink(&secret, blobs.0.folder.join("m/link")).unwrap();
    assert!(blobs.get("m", &key("link"), None).await.is_err());
    let whole = fs::read(&secret).unwrap();
    for (n, damaged) in [&b""[..], b"short", &whole[1..], &whole[..whole.len() - 1]].into_iter().enumerate() {
        let name = format!("damaged-{n}");
        fs::write(blobs.0.folder.join("m").join(&name), damaged).unwrap();
        let error = blobs.head("m", &key(&name)).await.unwrap_err();
        assert!(matches!(error, BlobError::Damaged { .. }), "{name}: {error:?}");
    }
}

#[tokio::test]
async fn a_full_disk_is_said_plainly_and_leaves_nothing() {
    let error = unavailable(
        "write a blob",
        io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error()),
    );
    assert!(matches!(error, BlobError::Full), "{error:?}");
    let (_folder, blobs) = store();
    let name = key("full");
    let mut upload = Box::new(upload::Writing::begin(blobs.0.clone(), "m", &name, Put::default()).await.unwrap());
    // The device that is always full stands in for the disk.
    upload.replace_file(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let error = upload.write(Bytes::from_static(b"more")).await.unwrap_err();
    assert!(matches!(error, BlobError::Full), "{error:?}");
    assert!(upload.finish().await.is_err(), "what failed once does not become a blob");
    assert!(blobs.head("m", &name).await.is_err());
    assert!(files(&blobs.0.folder).is_empty());
}

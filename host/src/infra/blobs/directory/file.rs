//! The file of a blob: the content, then what is known of it as JSON, then a foot that says where the JSON begins.
//!
//! ```text
//! content | {"size":..,"etag":..,..} | length of the JSON, 4 bytes, little endian | "WHARFBL1"
//! ```
//! One file, so that one rename makes both appear; the content first, so that a range of it is a range of the file.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::{is_absent, unavailable};
use crate::ports::blobs::{BlobError, Key, Meta};

const MARK: &[u8; 8] = b"WHARFBL1";
const FOOT: usize = 12;
const LONGEST: u32 = 64 * 1024;

/// What follows the content.
pub(super) fn tail(meta: &Meta) -> io::Result<Vec<u8>> {
    let mut tail = serde_json::to_vec(meta)?;
    let length = u32::try_from(tail.len()).map_err(io::Error::other)?;
    tail.extend_from_slice(&length.to_le_bytes());
    tail.extend_from_slice(MARK);
    Ok(tail)
}

/// Opens a blob, never through a link, and reads what is known of it.
pub(super) fn open(path: &Path, key: &Key) -> Result<(File, Meta), BlobError> {
    let opened = rustix::fs::open(path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
    let mut file = match opened.map_err(io::Error::from) {
        Ok(descriptor) => File::from(descriptor),
        Err(error) if is_absent(&error) => return Err(BlobError::NotFound { key: key.to_string() }),
        Err(error) => return Err(unavailable("open a blob", error)),
    };
    let meta = read_tail(&mut file, key)?;
    Ok((file, meta))
}

fn read_tail(file: &mut File, key: &Key) -> Result<Meta, BlobError> {
    let damaged = |found: &str| BlobError::Damaged {
        key: key.to_string(),
        found: found.to_owned(),
    };
    let length = file.metadata().map_err(|error| unavailable("open a blob", error))?.len();
    let mut foot = [0_u8; FOOT];
    let Some(foot_at) = length.checked_sub(FOOT as u64) else {
        return Err(damaged("its file is too short"));
    };
    read_at(file, foot_at, &mut foot)?;
    let (count, mark) = foot.split_at(4);
    if mark != MARK {
        return Err(damaged("its file does not end as one of a blob does"));
    }
    let count = u32::from_le_bytes(count.try_into().unwrap_or_default());
    let Some(tail_at) = foot_at.checked_sub(u64::from(count)).filter(|_| count <= LONGEST) else {
        return Err(damaged("its file says impossible things of itself"));
    };
    let mut tail = vec![0; count as usize];
    read_at(file, tail_at, &mut tail)?;
    let meta: Meta = serde_json::from_slice(&tail).map_err(|_| damaged("what is known of it cannot be read"))?;
    if meta.size != tail_at {
        return Err(damaged(&format!("{tail_at} bytes are there, {} were written", meta.size)));
    }
    Ok(meta)
}

fn read_at(file: &mut File, at: u64, into: &mut [u8]) -> Result<(), BlobError> {
    let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(into));
    read.map_err(|error| unavailable("open a blob", error))
}

//! Blobs in a directory: a folder a module, a file a blob.
//!
//! The key `users/1/a.png` of module `blog` is the file `blog/users#/1#/a.png`: a key never holds `#`, so a blob and a folder
//! of one name do not meet. An upload writes to a file in `.incoming`, which is made durable and then renamed: a blob is there
//! whole or not at all, whatever is killed.

mod file;
mod upload;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, SeekFrom};
use tokio::sync::Mutex;

use crate::ports::blobs::{
    Access, BlobError, BlobFuture, Blobs, Condition, Download, Entry, Found, Key, Meta, PIECE, Page, Put, Span, Upload,
};

/// Where uploads are until they are finished.
const INCOMING: &str = ".incoming";

/// Blobs in a directory of the host's own.
#[derive(Clone, Debug)]
pub struct DirectoryBlobs(Arc<Root>);

#[derive(Debug)]
struct Root {
    folder: PathBuf,
    /// Held from the look at what is there to the rename. Uploads themselves run beside each other.
    placing: Mutex<()>,
}

struct Reading {
    file: tokio::fs::File,
    key: Key,
    left: u64,
}

impl DirectoryBlobs {
    /// In this folder, which is made when it is missing, for this user alone. What uploads of an earlier process left is removed.
    ///
    /// # Errors
    /// When the folder cannot be made or cleaned.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let incoming = folder.join(INCOMING);
        make_private(&incoming)?;
        for entry in fs::read_dir(&incoming)? {
            fs::remove_file(entry?.path())?;
        }
        Ok(Self(Arc::new(Root {
            folder: folder.to_owned(),
            placing: Mutex::new(()),
        })))
    }
}

impl Root {
    fn path(&self, module: &str, key: &Key) -> PathBuf {
        let mut path = self.folder.join(module);
        let mut segments = key.as_str().split('/').peekable();
        while let Some(segment) = segments.next() {
            if segments.peek().is_some() {
                path.push(format!("{segment}#"));
            } else {
                path.push(segment);
            }
        }
        path
    }

    /// Removes folders that are empty now, up to the module's.
    fn tidy(&self, module: &str, path: &Path) {
        let stop = self.folder.join(module);
        let mut folder = path.parent();
        while let Some(empty) = folder.filter(|folder| *folder != stop && folder.starts_with(&stop)) {
            // Fails when it is not empty, which is the end.
            if fs::remove_dir(empty).is_err() {
                return;
            }
            folder = empty.parent();
        }
    }

    /// The smallest keys after `after`, one more than `limit`. Looks only into folders where there can be some.
    fn page(&self, module: &str, prefix: &str, after: &str, limit: usize) -> Result<Page, BlobError> {
        let mut found = BTreeMap::new();
        let (folders, _) = prefix.rsplit_once('/').unwrap_or_default();
        let mut start = self.folder.join(module);
        start.extend(
            folders
                .split('/')
                .filter(|segment| !segment.is_empty())
                .map(|segment| format!("{segment}#")),
        );
        let mut waiting = vec![(start, if folders.is_empty() { String::new() } else { format!("{folders}/") })];
        while let Some((folder, begin)) = waiting.pop() {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(unavailable("list blobs", error)),
            };
            for entry in entries {
                let entry = entry.map_err(|error| unavailable("list blobs", error))?;
                let Ok(name) = entry.file_name().into_string() else { continue };
                if let Some(segment) = name.strip_suffix('#') {
                    let begin = format!("{begin}{segment}/");
                    let can_match = begin.starts_with(prefix) || prefix.starts_with(&begin);
                    if can_match {
                        waiting.push((entry.path(), begin));
                    }
                    continue;
                }
                let key = format!("{begin}{name}");
                if key.starts_with(prefix) && key.as_str() > after {
                    found.insert(key, entry.path());
                    if found.len() > limit + 1 {
                        found.pop_last();
                    }
                }
            }
        }
        let has_more = found.len() > limit;
        let entries = found
            .into_iter()
            .take(limit)
            .filter_map(|(key, path)| entry(key, &path).transpose());
        Ok(Page {
            entries: entries.collect::<Result<_, _>>()?,
            has_more,
        })
    }
}

impl Blobs for DirectoryBlobs {
    fn put<'a>(&'a self, module: &'a str, key: &'a Key, put: Put) -> BlobFuture<'a, Box<dyn Upload>> {
        Box::pin(async move {
            put.check()?;
            if put.condition != Condition::None {
                let found = look(self.0.path(module, key), key.clone()).await?;
                put.condition.check(key, found.as_ref())?;
            }
            let upload = upload::Writing::begin(self.0.clone(), module, key, put).await?;
            Ok(Box::new(upload) as Box<dyn Upload>)
        })
    }

    fn get<'a>(&'a self, module: &'a str, key: &'a Key, span: Option<Span>) -> BlobFuture<'a, Found> {
        Box::pin(async move {
            let (path, of) = (self.0.path(module, key), key.clone());
            let (file, meta) = blocking(move || file::open(&path, &of)).await?;
            let range = span.map_or(Ok(0..meta.size), |span| span.of(key, meta.size))?;
            let mut file = tokio::fs::File::from_std(file);
            file.seek(SeekFrom::Start(range.start))
                .await
                .map_err(|error| unavailable("read a blob", error))?;
            let content = Reading {
                file,
                key: key.clone(),
                left: range.end - range.start,
            };
            Ok(Found {
                meta,
                range,
                content: Box::new(content),
            })
        })
    }

    fn head<'a>(&'a self, module: &'a str, key: &'a Key) -> BlobFuture<'a, Meta> {
        Box::pin(async move {
            let (path, of) = (self.0.path(module, key), key.clone());
            blocking(move || Ok(file::open(&path, &of)?.1)).await
        })
    }

    fn list<'a>(&'a self, module: &'a str, prefix: &'a str, after: &'a str, limit: usize) -> BlobFuture<'a, Page> {
        let root = self.0.clone();
        let [module, prefix, after] = [module, prefix, after].map(str::to_owned);
        Box::pin(blocking(move || root.page(&module, &prefix, &after, limit)))
    }

    fn delete<'a>(&'a self, module: &'a str, key: &'a Key) -> BlobFuture<'a, ()> {
        Box::pin(async move {
            let path = self.0.path(module, key);
            let (root, module) = (self.0.clone(), module.to_owned());
            let _placing = self.0.placing.lock().await;
            blocking(move || match fs::remove_file(&path) {
                Ok(()) => {
                    root.tidy(&module, &path);
                    Ok(())
                }
                Err(error) if is_absent(&error) => Ok(()),
                Err(error) => Err(unavailable("delete a blob", error)),
            })
            .await
        })
    }

    fn copy<'a>(&'a self, module: &'a str, from: &'a Key, to: &'a Key) -> BlobFuture<'a, Meta> {
        Box::pin(async move {
            let mut found = self.get(module, from, None).await?;
            let put = Put {
                content_type: found.meta.content_type,
                metadata: found.meta.metadata,
                condition: Condition::None,
            };
            let mut upload = self.put(module, to, put).await?;
            while let Some(piece) = found.content.next().await? {
                upload.write(piece).await?;
            }
            upload.finish().await
        })
    }

    fn presign<'a>(&'a self, _module: &'a str, _key: &'a Key, _access: Access, _time: Duration) -> BlobFuture<'a, Option<String>> {
        Box::pin(async { Ok(None) })
    }
}

impl Download for Reading {
    fn next(&mut self) -> BlobFuture<'_, Option<Bytes>> {
        Box::pin(async move {
            if self.left == 0 {
                return Ok(None);
            }
            let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(PIECE);
            let mut piece = BytesMut::with_capacity(most);
            let read = (&mut self.file).take(most as u64).read_buf(&mut piece).await;
            match read.map_err(|error| unavailable("read a blob", error))? {
                0 => Err(BlobError::Damaged {
                    key: self.key.to_string(),
                    found: format!("{} bytes are missing at its end", self.left),
                }),
                count => {
                    self.left -= count as u64;
                    Ok(Some(piece.freeze()))
                }
            }
        })
    }
}

/// What is there now.
async fn look(path: PathBuf, key: Key) -> Result<Option<Meta>, BlobError> {
    match blocking(move || Ok(file::open(&path, &key)?.1)).await {
        Ok(meta) => Ok(Some(meta)),
        Err(BlobError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// One that went while the list was made is left out.
fn entry(key: String, path: &Path) -> Result<Option<Entry>, BlobError> {
    let parsed = Key::parse(&key)?;
    match file::open(path, &parsed) {
        Ok((_, meta)) => Ok(Some(Entry {
            key,
            size: meta.size,
            etag: meta.etag,
            modified: meta.modified,
        })),
        Err(BlobError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, BlobError> + Send + 'static) -> Result<T, BlobError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(unavailable("work on a blob", io::Error::other(error))),
    }
}

/// What the system says, as what the store says.
fn unavailable(doing: &'static str, error: io::Error) -> BlobError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => BlobError::Full,
        _ => BlobError::Unavailable {
            doing,
            source: Box::new(error),
        },
    }
}

fn is_absent(error: &io::Error) -> bool {
    // A blob stands where the key has a folder, or the other way round.
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory
    )
}

fn make_private(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(test)]
mod tests;

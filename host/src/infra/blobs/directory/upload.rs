//! A blob on its way into the directory.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use super::{INCOMING, Root, blocking, file, look, make_private, unavailable};
use crate::ports::blobs::{BlobError, BlobFuture, Key, Meta, Put, Tally, Upload};

/// How often a folder that a delete removes at the same moment is made again.
const TRIES: usize = 16;

/// A file in `.incoming`.
pub(super) struct Writing {
    root: Arc<Root>,
    module: String,
    key: Key,
    put: Put,
    file: Option<File>,
    temporary: Temporary,
    tally: Tally,
}

/// A file that is removed unless it got another name.
struct Temporary(PathBuf);

impl Writing {
    pub(super) async fn begin(root: Arc<Root>, module: &str, key: &Key, put: Put) -> Result<Self, BlobError> {
        let path = root.folder.join(INCOMING).join(Uuid::now_v7().simple().to_string());
        let (file, temporary) = blocking(move || {
            let mut options = fs::OpenOptions::new();
            let file = options.write(true).create_new(true).mode(0o600).open(&path);
            Ok((file.map_err(|error| unavailable("write a blob", error))?, Temporary(path)))
        })
        .await?;
        Ok(Self {
            root,
            module: module.to_owned(),
            key: key.clone(),
            put,
            file: Some(file),
            temporary,
            tally: Tally::default(),
        })
    }
}

#[cfg(test)]
impl Writing {
    pub(super) fn replace_file(&mut self, file: File) {
        self.file = Some(file);
    }
}

impl Upload for Writing {
    fn write(&mut self, bytes: Bytes) -> BlobFuture<'_, ()> {
        Box::pin(async move {
            // Gone when an earlier write failed or was cut: what is in the file then is not known.
            let Some(mut file) = self.file.take() else { return Err(cut()) };
            let mut tally = std::mem::take(&mut self.tally);
            let (file, tally) = blocking(move || {
                tally.add(&bytes);
                file.write_all(&bytes).map_err(|error| unavailable("write a blob", error))?;
                Ok((file, tally))
            })
            .await?;
            self.file = Some(file);
            self.tally = tally;
            Ok(())
        })
    }

    fn finish(self: Box<Self>) -> BlobFuture<'static, Meta> {
        Box::pin(async move {
            let Self {
                root,
                module,
                key,
                put,
                file,
                temporary,
                tally,
            } = *self;
            let Some(mut file) = file else { return Err(cut()) };
            let meta = Meta {
                size: tally.size(),
                content_type: put.content_type,
                metadata: put.metadata,
                etag: Uuid::now_v7().simple().to_string(),
                sha256: tally.sha256(),
                modified: Timestamp::now(),
            };
            let tail = file::tail(&meta).map_err(|error| unavailable("write a blob", error))?;
            blocking(move || {
                let written = file.write_all(&tail).and_then(|()| file.sync_all());
                written.map_err(|error| unavailable("write a blob", error))
            })
            .await?;
            let path = root.path(&module, &key);
            let _placing = root.placing.lock().await;
            if put.condition != crate::ports::blobs::Condition::None {
                put.condition.check(&key, look(path.clone(), key.clone()).await?.as_ref())?;
            }
            blocking(move || place(&temporary.0, &path).map_err(|error| unavailable("write a blob", error))).await?;
            Ok(meta)
        })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Fails when it got its name, and then it is no longer here.
        let _ = fs::remove_file(&self.0);
    }
}

/// Gives a finished file its name, durably.
fn place(from: &Path, to: &Path) -> io::Result<()> {
    let folder = to.parent().unwrap_or(to);
    let mut last = Ok(());
    for _ in 0..TRIES {
        make_private(folder)?;
        last = fs::rename(from, to);
        match &last {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            _ => break,
        }
    }
    last?;
    File::open(folder)?.sync_all()
}

fn cut() -> BlobError {
    unavailable(
        "write a blob",
        io::Error::other("an earlier write to it failed or was cut; begin again"),
    )
}

//! Reports as JSON lines in a file that is put aside when it is large.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::dropped;
use crate::ports::errors::{ErrorEvent, ErrorSink};

/// Reports that wait to be written; more are dropped and counted.
const WAITING: usize = 1_024;

/// Where, and how much.
#[derive(Clone, Debug)]
pub struct FileSinkConfig {
    /// The file.
    pub path: PathBuf,
    /// At this size it becomes `FILE.1`, what was that `FILE.2`, and so on.
    pub max_bytes: u64,
    /// How many files that were put aside are kept.
    pub keep: u32,
}

/// Writes reports on a thread of its own. Dropping it waits until what it took is written.
#[derive(Debug)]
pub struct FileSink {
    queue: Option<SyncSender<ErrorEvent>>,
    writer: Option<JoinHandle<()>>,
}

struct Lines {
    config: FileSinkConfig,
    file: File,
    written: u64,
}

impl FileSink {
    /// Opens the file with mode 0600, made if it is missing, and begins to write.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn start(config: FileSinkConfig) -> io::Result<Self> {
        let lines = Lines::open(config)?;
        let (queue, waiting) = sync_channel(WAITING);
        let writer = std::thread::Builder::new()
            .name("wharf-errors".to_owned())
            .spawn(move || write_all(lines, &waiting))?;
        Ok(Self {
            queue: Some(queue),
            writer: Some(writer),
        })
    }
}

impl ErrorSink for FileSink {
    fn report(&self, event: &ErrorEvent) {
        let taken = self.queue.as_ref().is_some_and(|queue| queue.try_send(event.clone()).is_ok());
        if !taken {
            dropped("file");
        }
    }
}

impl Drop for FileSink {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            drop(writer.join());
        }
    }
}

impl Lines {
    fn open(config: FileSinkConfig) -> io::Result<Self> {
        if let Some(folder) = config.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&config.path)?;
        let written = file.metadata()?.len();
        Ok(Self { config, file, written })
    }

    fn write(&mut self, event: &ErrorEvent) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        if self.written > 0 && self.written + line.len() as u64 > self.config.max_bytes {
            self.put_aside()?;
        }
        self.file.write_all(&line)?;
        self.written += line.len() as u64;
        Ok(())
    }

    fn put_aside(&mut self) -> io::Result<()> {
        let path = &self.config.path;
        for n in (1..self.config.keep).rev() {
            match std::fs::rename(numbered(path, n), numbered(path, n + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if self.config.keep > 0 {
            std::fs::rename(path, numbered(path, 1))?;
        } else {
            std::fs::remove_file(path)?;
        }
        *self = Self::open(self.config.clone())?;
        Ok(())
    }
}

fn write_all(mut lines: Lines, waiting: &Receiver<ErrorEvent>) {
    let mut failing = false;
    for event in waiting {
        match lines.write(&event) {
            Ok(()) => failing = false,
            Err(error) => {
                dropped("file");
                // Once, not for each report.
                if !failing {
                    tracing::warn!(file = %lines.config.path.display(), error = %error, "reports of failures cannot be written");
                }
                failing = true;
            }
        }
    }
}

fn numbered(path: &Path, n: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{n}"));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::grouped::event;
    use super::*;

    #[test]
    fn each_report_is_a_line_and_large_files_are_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/errors.jsonl");
        let sink = FileSink::start(FileSinkConfig {
            path: path.clone(),
            max_bytes: 1_000,
            keep: 2,
        })
        .unwrap();
        for n in 0..40 {
            sink.report(&event(&format!("report {n}")));
        }
        drop(sink);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let names: Vec<_> = std::fs::read_dir(path.parent().unwrap())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names.len(), 3, "{names:?}");
        let mut last = 0;
        for file in [numbered(&path, 2), numbered(&path, 1), path] {
            assert!(std::fs::metadata(&file).unwrap().len() <= 1_000);
            for line in std::fs::read_to_string(file).unwrap().lines() {
                let json: serde_json::Value = serde_json::from_str(line).unwrap();
                let n: u32 = json["message"].as_str().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
                assert!(last == 0 || n == last + 1);
                last = n;
            }
        }
        assert_eq!(last, 39);
    }
}

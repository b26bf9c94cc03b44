//! Blobs that an instance is reading or writing, by handle.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Mutex as AsyncMutex;
use wharf_plugin_api::{Fault, FaultCode};

use super::fault;
use crate::ports::blobs::{Download, Upload};

/// Handles an instance may have open.
const MOST: usize = 64;
/// A handle nobody used for so long is closed.
const IDLE: Duration = Duration::from_secs(300);

/// The open ones.
#[derive(Default)]
pub(super) struct Streams {
    next: AtomicU64,
    open: Mutex<HashMap<u64, Open>>,
}

struct Open {
    stream: Arc<AsyncMutex<Stream>>,
    used: Instant,
}

/// One of them.
pub(super) struct Stream(Kind);

enum Kind {
    Reading {
        content: Box<dyn Download>,
        /// Of the last piece, what was more than asked for.
        rest: Bytes,
    },
    Writing {
        upload: Box<dyn Upload>,
        size: u64,
    },
    Ended,
}

impl Streams {
    /// Gives it a handle. Those that nobody used for long make room.
    pub(super) fn add(&self, stream: Stream) -> Result<u64, Fault> {
        let now = Instant::now();
        let mut open = self.lock();
        open.retain(|_, open| Arc::strong_count(&open.stream) > 1 || now.duration_since(open.used) < IDLE);
        if open.len() >= MOST {
            return Err(Fault::new(
                FaultCode::BUSY,
                format!("found {MOST} open blobs, expected fewer: finish or drop them before opening more"),
            ));
        }
        let handle = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let stream = Arc::new(AsyncMutex::new(stream));
        open.insert(handle, Open { stream, used: now });
        Ok(handle)
    }

    pub(super) fn find(&self, handle: u64) -> Result<Arc<AsyncMutex<Stream>>, Fault> {
        let mut open = self.lock();
        let found = open.get_mut(&handle).ok_or_else(gone)?;
        found.used = Instant::now();
        Ok(found.stream.clone())
    }

    /// Takes it out. Whoever works on it ends first.
    pub(super) fn take(&self, handle: u64) -> Option<Arc<AsyncMutex<Stream>>> {
        self.lock().remove(&handle).map(|open| open.stream)
    }

    pub(super) fn close(&self, handle: u64) {
        drop(self.take(handle));
    }

    pub(super) fn close_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream {
    pub(super) fn reading(content: Box<dyn Download>) -> Self {
        Self(Kind::Reading {
            content,
            rest: Bytes::new(),
        })
    }

    pub(super) fn writing(upload: Box<dyn Upload>) -> Self {
        Self(Kind::Writing { upload, size: 0 })
    }

    /// The upload, and its size so far.
    pub(super) fn upload(&mut self) -> Result<(&mut Box<dyn Upload>, &mut u64), Fault> {
        match &mut self.0 {
            Kind::Writing { upload, size } => Ok((upload, size)),
            Kind::Reading { .. } => Err(Fault::new(FaultCode::INVALID, "the handle is for reading")),
            Kind::Ended => Err(gone()),
        }
    }

    pub(super) fn take_upload(&mut self) -> Result<Box<dyn Upload>, Fault> {
        match std::mem::replace(&mut self.0, Kind::Ended) {
            Kind::Writing { upload, .. } => Ok(upload),
            other => {
                self.0 = other;
                self.upload().and(Err(gone()))
            }
        }
    }

    /// The next bytes, at most `most`.
    pub(super) async fn read(&mut self, most: usize) -> Result<Bytes, Fault> {
        let Kind::Reading { content, rest } = &mut self.0 else {
            return Err(Fault::new(FaultCode::INVALID, "the handle is for writing"));
        };
        if rest.is_empty() {
            *rest = content.next().await.map_err(fault)?.unwrap_or_default();
        }
        Ok(rest.split_to(rest.len().min(most)))
    }
}

fn gone() -> Fault {
    Fault::new(
        FaultCode::NOT_FOUND,
        "the handle of a blob was closed, or has ended after five minutes without use",
    )
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Streams({})", self.lock().len())
    }
}

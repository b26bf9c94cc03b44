//! Bodies that are made while they are read.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use wharf_sdk::http::{HeaderMap, HeaderName, HeaderValue};

const PIECE: usize = 64 * 1024;

/// Counts a call as long as it lives.
#[derive(Debug)]
pub(crate) struct Live(Arc<AtomicU64>);

/// So many bytes, counted as they are handed out.
#[derive(Debug)]
pub(crate) struct Source {
    left: u64,
    piece: Bytes,
    produced: Arc<AtomicU64>,
    _live: Live,
}

/// One piece and then a trailer.
#[derive(Debug)]
pub(crate) struct Trailing {
    piece: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Live {
    pub(crate) fn new(count: &Arc<AtomicU64>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Source {
    pub(crate) fn new(bytes: u64, produced: Arc<AtomicU64>, live: Live) -> Self {
        Self {
            left: bytes,
            piece: Bytes::new(),
            produced,
            _live: live,
        }
    }
}

impl Body for Source {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        if self.piece.is_empty() {
            self.piece = (0..PIECE).map(|place| (place % 251) as u8).collect();
        }
        let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(PIECE);
        self.left -= length as u64;
        self.produced.fetch_add(length as u64, Ordering::SeqCst);
        // A copy, as a real module would make: shared bytes would hide what is buffered.
        let piece = Bytes::copy_from_slice(self.piece.get(..length).unwrap_or_default());
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

impl Trailing {
    pub(crate) fn new(piece: Bytes, name: &'static str, value: &'static str) -> Self {
        let mut trailers = HeaderMap::new();
        trailers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        Self {
            piece: Some(piece),
            trailers: Some(trailers),
        }
    }
}

impl Body for Trailing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(piece) = self.piece.take() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }
}

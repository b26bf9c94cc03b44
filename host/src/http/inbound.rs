//! The body of a request on its way in: size limit and minimum progress, without ever collecting it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Sleep;

use super::body::BoxError;

/// Why a request body ended early. The listener answers 413 or 408 in place of the module's own answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InboundError {
    /// More bytes than the limit.
    #[error("found a request body of more than {limit} bytes, expected at most that many")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The client sends too slowly.
    #[error("found fewer than {bytes} bytes of request body in {window:?}, expected at least that many")]
    TooSlow {
        /// Bytes expected in each window.
        bytes: u64,
        /// The window.
        window: Duration,
    },
}

/// How much of a body must arrive while the host waits for it.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Bytes in each window.
    pub bytes: u64,
    /// The window.
    pub window: Duration,
}

/// What one request's body does, shared with whoever waits for the response.
#[derive(Debug)]
pub(super) struct Progress {
    started: Instant,
    /// Milliseconds after `started` at which the client last delivered or finished.
    last: AtomicU64,
    state: AtomicU8,
}

/// What a body is doing now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The module has what it asked for.
    Flowing,
    /// The module asked for more and the client has not sent it: time that does not count against the module.
    Waiting,
    /// Cut off: larger than the limit.
    TooLarge,
    /// Cut off: slower than the pace.
    TooSlow,
}

/// The limits of one body.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyLimits {
    pub(super) bytes: u64,
    pub(super) pace: Option<Pace>,
}

/// A request body that watches its limits.
pub(super) struct Inbound<B> {
    body: B,
    limits: BodyLimits,
    received: u64,
    in_window: u64,
    window: Option<Pin<Box<Sleep>>>,
    progress: Arc<Progress>,
}

impl Progress {
    pub(super) fn new(started: Instant) -> Self {
        Self {
            started,
            last: AtomicU64::new(0),
            state: AtomicU8::new(0),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        match self.state.load(Ordering::Relaxed) {
            0 => Phase::Flowing,
            1 => Phase::Waiting,
            2 => Phase::TooLarge,
            _ => Phase::TooSlow,
        }
    }

    /// When the client last delivered.
    pub(super) fn last(&self) -> Instant {
        self.started + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }

    fn enter(&self, phase: Phase) {
        self.state.store(phase as u8, Ordering::Relaxed);
    }

    fn delivered(&self) {
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(millis, Ordering::Relaxed);
        self.enter(Phase::Flowing);
    }
}

impl<B> Inbound<B> {
    pub(super) fn new(body: B, limits: BodyLimits, progress: Arc<Progress>) -> Self {
        Self {
            body,
            limits,
            received: 0,
            in_window: 0,
            window: None,
            progress,
        }
    }

    fn take(&mut self, bytes: u64) -> Result<(), InboundError> {
        self.received = self.received.saturating_add(bytes);
        if self.received > self.limits.bytes {
            self.progress.enter(Phase::TooLarge);
            return Err(InboundError::TooLarge { limit: self.limits.bytes });
        }
        self.in_window = self.in_window.saturating_add(bytes);
        if self.limits.pace.is_none_or(|pace| self.in_window >= pace.bytes) {
            self.window = None;
            self.in_window = 0;
        }
        self.progress.delivered();
        Ok(())
    }

    /// Called while the client keeps the host waiting.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.progress.enter(Phase::Waiting);
        let Some(pace) = self.limits.pace else { return Poll::Pending };
        let window = self.window.get_or_insert_with(|| Box::pin(tokio::time::sleep(pace.window)));
        if window.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.progress.enter(Phase::TooSlow);
        Poll::Ready(Some(Err(InboundError::TooSlow {
            bytes: pace.bytes,
            window: pace.window,
        }
        .into())))
    }
}

impl<B> HttpBody for Inbound<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Pending => self.wait(cx),
            Poll::Ready(None) => {
                self.progress.delivered();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                Poll::Ready(Some(self.take(bytes).map(|()| frame).map_err(Into::into)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

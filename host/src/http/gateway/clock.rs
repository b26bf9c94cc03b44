//! How long a call may take, without a timer for calls that answer at once.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use crate::http::inbound::{Phase, Progress};

/// The clock of one call.
pub(crate) struct Clock {
    /// A deadline that the caller named: holds for the whole call.
    pub(crate) explicit: Option<Instant>,
    /// The host's own patience: runs until a response begins, and only while the module, not the client, is waited for.
    pub(super) patience: Option<Duration>,
    pub(super) started: Instant,
    /// The request body, if it has one.
    pub(super) progress: Option<Arc<Progress>>,
}

impl Clock {
    /// The deadline that the module is told. A request whose body may take any time has none unless the caller named one.
    pub(super) fn deadline_for_module(&self) -> Option<Instant> {
        match (&self.explicit, &self.progress) {
            (Some(at), _) => Some(*at),
            (None, None) => self.started.checked_add(self.patience?),
            (None, Some(_)) => None,
        }
    }

    /// Waits for a response to begin; `None` when the time is over.
    pub(crate) async fn limit<T>(&self, mut work: Pin<&mut (dyn Future<Output = T> + Send)>) -> Option<T> {
        let mut timer = pin!(None::<Sleep>);
        poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Some(done));
            }
            if timer.is_none() {
                match self.next(Instant::now()) {
                    None => return Poll::Pending,
                    Some(at) => timer.set(Some(tokio::time::sleep_until(at.into()))),
                }
            }
            while let Some(sleep) = timer.as_mut().as_pin_mut() {
                if sleep.poll(cx).is_pending() {
                    return Poll::Pending;
                }
                let now = Instant::now();
                match self.next(now) {
                    Some(at) if at > now => timer.set(Some(tokio::time::sleep_until(at.into()))),
                    _ => return Poll::Ready(None),
                }
            }
            Poll::Pending
        })
        .await
    }

    /// When to look again; not after `now` when the time is over.
    fn next(&self, now: Instant) -> Option<Instant> {
        if self.explicit.is_some() {
            return self.explicit;
        }
        let patience = self.patience?;
        match &self.progress {
            None => self.started.checked_add(patience),
            Some(progress) if progress.phase() == Phase::Waiting => now.checked_add(patience),
            Some(progress) => progress.last().checked_add(patience),
        }
    }
}

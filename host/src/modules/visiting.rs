//! A future of a module on a thread of the host: every poll and the drop are visits.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use wharf_plugin_api::Fault;
use wharf_plugin_api::future::FfiFuture;

use super::current;
use super::standing::Standing;

/// Polls and drops a module's future in its name.
pub struct Visiting<T> {
    standing: Arc<Standing>,
    future: Option<FfiFuture<T>>,
    is_watched: bool,
}

impl<T> Visiting<T> {
    /// Around a future of this instance on a worker of the host: the watchdog looks at every poll.
    pub fn on_worker(standing: Arc<Standing>, future: FfiFuture<T>) -> Self {
        Self {
            standing,
            future: Some(future),
            is_watched: true,
        }
    }

    /// Around a step of its life, which has a thread and a deadline of its own.
    pub fn on_own_thread(standing: Arc<Standing>, future: FfiFuture<T>) -> Self {
        Self {
            standing,
            future: Some(future),
            is_watched: false,
        }
    }
}

impl<T> Future for Visiting<T> {
    type Output = Result<T, Fault>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(future) = &mut this.future else { return Poll::Pending };
        let polled = if this.is_watched {
            let Some(_visit) = current::visit(&this.standing, None, Some(cx.waker())) else {
                return Poll::Pending;
            };
            Pin::new(future).poll(cx)
        } else {
            let _stay = current::stay(&this.standing);
            Pin::new(future).poll(cx)
        };
        if polled.is_ready() {
            this.future = None;
        }
        polled
    }
}

impl<T> Drop for Visiting<T> {
    fn drop(&mut self) {
        if self.future.is_some() {
            let _visit = self.is_watched.then(|| current::visit(&self.standing, None, None));
            let _stay = current::stay(&self.standing);
            self.future = None;
        }
    }
}

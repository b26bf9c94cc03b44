//! A future of a module on a thread of the host: every poll and the drop are visits.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use wharf_plugin_api::Fault;
use wharf_plugin_api::future::FfiFuture;

use super::current;
use super::endpoint::CallInfo;
use super::standing::Standing;

/// Polls and drops a module's future in its name.
pub struct Visiting<T> {
    standing: Arc<Standing>,
    future: Option<FfiFuture<T>>,
    is_watched: bool,
    /// What it works on, if that is an event or a run.
    info: Option<CallInfo>,
}

impl<T> Visiting<T> {
    /// Around a future of this instance on a worker of the host: the watchdog looks at every poll.
    pub fn on_worker(standing: Arc<Standing>, future: FfiFuture<T>) -> Self {
        Self {
            standing,
            future: Some(future),
            is_watched: true,
            info: None,
        }
    }

    /// The same for an event or a run: core services know of it as of a call.
    pub fn on_worker_for(standing: Arc<Standing>, future: FfiFuture<T>, info: CallInfo) -> Self {
        Self {
            standing,
            future: Some(future),
            is_watched: true,
            info: Some(info),
        }
    }

    /// Around a step of its life, which has a thread and a deadline of its own.
    pub fn on_own_thread(standing: Arc<Standing>, future: FfiFuture<T>) -> Self {
        Self {
            standing,
            future: Some(future),
            is_watched: false,
            info: None,
        }
    }
}

impl<T> Future for Visiting<T> {
    type Output = Result<T, Fault>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(future) = &mut this.future else { return Poll::Pending };
        let polled = if this.is_watched {
            let Some(_visit) = current::visit(&this.standing, this.info.as_ref(), Some(cx.waker())) else {
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
            let _visit = self.is_watched.then(|| current::visit(&self.standing, self.info.as_ref(), None));
            let _stay = (!self.is_watched).then(|| current::stay(&self.standing));
            self.future = None;
        }
    }
}

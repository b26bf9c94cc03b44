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
}

impl<T> Visiting<T> {
    /// Around a future of this instance.
    pub fn new(standing: Arc<Standing>, future: FfiFuture<T>) -> Self {
        Self {
            standing,
            future: Some(future),
        }
    }
}

impl<T> Future for Visiting<T> {
    type Output = Result<T, Fault>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(future) = &mut this.future else { return Poll::Pending };
        let Some(_visit) = current::visit(&this.standing, None, Some(cx.waker())) else {
            return Poll::Pending;
        };
        let polled = Pin::new(future).poll(cx);
        if polled.is_ready() {
            this.future = None;
        }
        polled
    }
}

impl<T> Drop for Visiting<T> {
    fn drop(&mut self) {
        if self.future.is_some() {
            let visit = current::visit(&self.standing, None, None);
            self.future = None;
            drop(visit);
        }
    }
}

//! A future that belongs to the host's runtime, whoever polls it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// Polls and drops a future inside the host's runtime: a module that awaits it may do so on a thread of its own, where timers
/// and sockets of the host would find no runtime.
pub(super) struct Entered<F> {
    handle: Handle,
    /// `None` once it has ended.
    future: Option<Pin<Box<F>>>,
}

impl<F> Entered<F> {
    pub(super) fn new(handle: Handle, future: F) -> Self {
        Self {
            handle,
            future: Some(Box::pin(future)),
        }
    }
}

impl<F: Future> Future for Entered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let Some(future) = &mut this.future else { return Poll::Pending };
        let _entered = this.handle.enter();
        let polled = future.as_mut().poll(cx);
        if polled.is_ready() {
            this.future = None;
        }
        polled
    }
}

impl<F> Drop for Entered<F> {
    fn drop(&mut self) {
        if self.future.is_some() {
            let _entered = self.handle.enter();
            self.future = None;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_timer_of_the_host_works_on_a_thread_without_a_runtime() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let sleep = Entered::new(runtime.handle().clone(), async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            7
        });
        let other = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(other.block_on(sleep), 7);
    }
}

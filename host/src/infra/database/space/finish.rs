//! Work that is brought to its end also when nobody waits for it any more.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Undo<T> = Box<dyn FnOnce(T) -> Work<()> + Send>;

/// Polled where it is awaited, which saves changing threads twice; what is dropped before its end goes on in the runtime.
pub(super) struct Finish<T: Send + 'static> {
    /// `None` once it has ended.
    work: Option<Work<T>>,
    /// What becomes of a result that nobody takes.
    undo: Option<Undo<T>>,
    is_begun: bool,
    runtime: Handle,
}

impl<T: Send + 'static> Finish<T> {
    /// Is done in any case, even if it is never awaited.
    pub(super) fn surely(runtime: &Handle, work: impl Future<Output = T> + Send + 'static) -> Self {
        Self {
            work: Some(Box::pin(work)),
            undo: None,
            is_begun: true,
            runtime: runtime.clone(),
        }
    }

    /// Is brought to its end once it has begun, and undone if nobody takes its result.
    pub(super) fn or_undo<F>(
        runtime: &Handle,
        work: impl Future<Output = T> + Send + 'static,
        undo: impl FnOnce(T) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self {
            work: Some(Box::pin(work)),
            undo: Some(Box::new(|result| Box::pin(undo(result)))),
            is_begun: false,
            runtime: runtime.clone(),
        }
    }
}

impl<T: Send + 'static> Future for Finish<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        this.is_begun = true;
        let Some(work) = &mut this.work else { return Poll::Pending };
        let polled = work.as_mut().poll(cx);
        if polled.is_ready() {
            this.work = None;
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Finish<T> {
    fn drop(&mut self) {
        let Some(work) = self.work.take().filter(|_| self.is_begun) else {
            return;
        };
        let undo = self.undo.take();
        self.runtime.spawn(async move {
            let result = work.await;
            if let Some(undo) = undo {
                undo(result).await;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use futures_util::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_is_dropped_in_the_middle_goes_on_and_is_undone() {
        let runtime = Handle::current();
        let (go, gone) = oneshot::channel::<u8>();
        let (done, is_done) = oneshot::channel();
        let mut work = Finish::or_undo(
            &runtime,
            async { gone.await.unwrap() },
            |found| async move { done.send(found).unwrap() },
        );
        assert_eq!((&mut work).now_or_never(), None);
        drop(work);
        go.send(7).unwrap();
        assert_eq!(is_done.await.unwrap(), 7);
    }

    #[tokio::test]
    async fn what_is_awaited_is_not_undone() {
        let runtime = Handle::current();
        let (done, is_done) = oneshot::channel::<u8>();
        let found = Finish::or_undo(&runtime, async { 7 }, |found| async move { done.send(found).unwrap() }).await;
        assert_eq!(found, 7);
        assert!(is_done.await.is_err(), "it was undone");
    }

    #[tokio::test]
    async fn what_was_never_awaited_is_done_only_if_that_was_asked_for() {
        let runtime = Handle::current();
        let (first, is_first) = oneshot::channel();
        let (second, is_second) = oneshot::channel::<()>();
        drop(Finish::surely(&runtime, async { first.send(()).unwrap() }));
        drop(Finish::or_undo(&runtime, async { second.send(()).unwrap() }, |()| async {}));
        is_first.await.unwrap();
        assert!(is_second.await.is_err(), "nobody had begun it");
    }
}

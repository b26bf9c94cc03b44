//! An answer that is there, or comes.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::CacheError;

/// An answer that is there, or comes. Nothing is done before the operation was called; a reply that comes later may need to
/// be polled for it to be done.
#[must_use = "what comes later is done only when it is awaited"]
pub enum Reply<T> {
    /// It is there.
    Now(Result<T, CacheError>),
    /// It comes.
    Later(Pin<Box<dyn Future<Output = Result<T, CacheError>> + Send>>),
}

/// Waits for a [`Reply`].
#[must_use = "futures do nothing unless polled"]
pub struct Waiting<T>(Option<Reply<T>>);

impl<T> Reply<T> {
    /// One that comes.
    pub fn later(future: impl Future<Output = Result<T, CacheError>> + Send + 'static) -> Self {
        Self::Later(Box::pin(future))
    }
}

impl<T: Unpin> IntoFuture for Reply<T> {
    type Output = Result<T, CacheError>;
    type IntoFuture = Waiting<T>;

    fn into_future(self) -> Waiting<T> {
        Waiting(Some(self))
    }
}

impl<T: Unpin> Future for Waiting<T> {
    type Output = Result<T, CacheError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.0.take() {
            Some(Reply::Now(result)) => Poll::Ready(result),
            Some(Reply::Later(mut future)) => {
                let polled = future.as_mut().poll(cx);
                if polled.is_pending() {
                    self.0 = Some(Reply::Later(future));
                }
                polled
            }
            None => Poll::Pending,
        }
    }
}

impl<T> std::fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Now(_) => "Reply::Now",
            Self::Later(_) => "Reply::Later",
        })
    }
}

impl<T> std::fmt::Debug for Waiting<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waiting")
    }
}

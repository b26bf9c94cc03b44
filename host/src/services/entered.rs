//! A future that belongs to the host's runtime, whoever polls it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::runtime::Handle;

use crate::http::body::{Body, BoxError};
use crate::http::gateway::trace::say_grpc_status;
use crate::telemetry::ActiveSpan;

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

/// The same for the body of a response of gRPC, and the span of the call, which ends with it.
pub(super) struct EnteredBody {
    handle: Handle,
    body: Body,
    span: ActiveSpan,
}

impl EnteredBody {
    pub(super) fn new(handle: Handle, body: Body, span: ActiveSpan) -> Self {
        Self { handle, body, span }
    }

    fn note(&mut self, frame: &Option<Result<Frame<Bytes>, BoxError>>) {
        if !self.span.is_recorded() {
            return;
        }
        match frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    say_grpc_status(&mut self.span, trailers);
                }
            }
            Some(Err(_)) => self.span.fail("broken off"),
            None => {}
        }
        let is_over = frame.as_ref().is_none_or(|frame| frame.as_ref().is_ok_and(Frame::is_trailers));
        if is_over {
            self.span = ActiveSpan::none();
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

impl HttpBody for EnteredBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let entered = this.handle.enter();
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        drop(entered);
        if let Poll::Ready(frame) = &polled {
            this.note(frame);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for EnteredBody {
    fn drop(&mut self) {
        let _entered = self.handle.enter();
        self.body = Body::empty();
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

    #[test]
    fn a_body_of_the_host_is_read_on_a_thread_without_a_runtime() {
        use http_body_util::{BodyExt as _, StreamBody};
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let slow = futures_util::stream::once(async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"late")))
        });
        let body = Body::new(StreamBody::new(Box::pin(slow)));
        let body = EnteredBody::new(runtime.handle().clone(), body, ActiveSpan::none());
        let other = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let read = other.block_on(body.collect()).unwrap().to_bytes();
        assert_eq!(read, "late");
    }
}

//! Deadlines of calls between modules: the caller's own, and what it inherited.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Sleep;

use crate::grpc::timeout::parse_grpc;
use crate::http::body::{Body, BoxError};
use crate::http::problem::{ErrorKind, Problem, write_grpc_status};
use crate::http::request_id::RequestId;
use crate::modules::endpoint::{CallInfo, Responding};

/// Lets the `grpc-timeout` that the calling module set on this call count, if it is the shorter one.
pub(super) fn name(headers: &HeaderMap, info: &mut CallInfo) {
    let named = headers.get("grpc-timeout").and_then(|value| parse_grpc(value.as_bytes()));
    let Some(at) = named.and_then(|time| Instant::now().checked_add(time)) else {
        return;
    };
    info.deadline = Some(match info.deadline {
        Some(inherited) if info.deadline_is_named => inherited.min(at),
        _ => at,
    });
    info.deadline_is_named = true;
}

/// Ends a call at its deadline: before the response begins in any case, later only when a caller named the deadline.
pub(super) fn keep(responding: Responding, info: &CallInfo) -> Responding {
    let Some(at) = info.deadline else { return responding };
    let (deadline_is_named, request_id) = (info.deadline_is_named, info.request_id);
    Box::pin(async move {
        match tokio::time::timeout_at(at.into(), responding).await {
            Ok(response) if deadline_is_named => Timed::around(response, at),
            Ok(response) => response,
            Err(_) => late(&request_id),
        }
    })
}

fn late(request_id: &RequestId) -> Response<Body> {
    Problem::response(ErrorKind::Deadline, "the module did not answer in time", request_id, true)
}

/// A response body that ends with status 4 at a deadline, and lets go of the callee then.
struct Timed {
    body: Body,
    at: Instant,
    /// Made when the body is waited for the first time.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Timed {
    fn around(response: Response<Body>, at: Instant) -> Response<Body> {
        if response.body().is_end_stream() {
            return response;
        }
        response.map(|body| Body::new(Self { body, at, timer: None }))
    }
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        let at = this.at;
        let timer = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at.into())));
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        this.body = Body::empty();
        let mut trailers = HeaderMap::new();
        write_grpc_status(&mut trailers, ErrorKind::Deadline.row().grpc, "deadline exceeded");
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::time::Duration;

    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;

    fn info(left: Option<Duration>, deadline_is_named: bool) -> CallInfo {
        CallInfo {
            request_id: RequestId::random(),
            trace_id: [0; 16],
            span_id: [0; 8],
            trace_flags: 0,
            peer: None,
            deadline: left.map(|left| Instant::now() + left),
            deadline_is_named,
            caller: None,
            principal: crate::security::Principal::Anonymous,
            belongings: crate::modules::belongings::Belongings::default(),
        }
    }

    #[test]
    fn the_shorter_named_deadline_counts_and_patience_does_not_shorten_a_named_one() {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", "10S".parse().unwrap());
        for (inherited, deadline_is_named, expected) in [(None, false, 10), (Some(5), true, 5), (Some(20), true, 10), (Some(5), false, 10)]
        {
            let mut info = info(inherited.map(Duration::from_secs), deadline_is_named);
            name(&headers, &mut info);
            let left = info.deadline.unwrap().saturating_duration_since(Instant::now());
            assert!(
                info.deadline_is_named && left.as_secs_f64().round() as u64 == expected,
                "{inherited:?} {deadline_is_named}: {left:?}"
            );
        }
        let mut untouched = info(Some(Duration::from_secs(5)), false);
        name(&HeaderMap::new(), &mut untouched);
        assert!(!untouched.deadline_is_named);
    }

    /// A response that began and whose body never ends.
    fn endless() -> Responding {
        let body = StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, BoxError>>());
        Box::pin(async { Response::new(Body::new(body)) })
    }

    #[tokio::test(start_paused = true)]
    async fn a_named_deadline_ends_a_stream_and_patience_does_not() {
        let second = Duration::from_secs(1);
        let named = keep(endless(), &info(Some(second), true)).await;
        let trailers = named.into_body().collect().await.unwrap().trailers().cloned().unwrap();
        assert_eq!(trailers.get("grpc-status").unwrap(), "4");
        let patient = keep(endless(), &info(Some(second), false)).await;
        let waited = tokio::time::timeout(second * 100, patient.into_body().collect()).await;
        assert!(waited.is_err(), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_that_does_not_begin_is_late_in_any_case() {
        for deadline_is_named in [true, false] {
            let late = keep(
                Box::pin(std::future::pending()),
                &info(Some(Duration::from_secs(1)), deadline_is_named),
            )
            .await;
            assert_eq!(late.headers().get("grpc-status").unwrap(), "4");
        }
    }
}

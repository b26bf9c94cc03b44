//! Bodies: any `http_body::Body` out, [`Incoming`] in; frames move, trailers are lent, backpressure is `poll`.

use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use wharf_plugin_api::http::{BodyStart, BodyVt, DATA, END, FAULT, FfiBody, Field, FrameSlot, PENDING, TABLE_ABI, TRAILERS, Taken};
use wharf_plugin_api::waker::{WakerHead, lend, with_context};
use wharf_plugin_api::{Fault, FaultCode, guard, guard_drop};

use crate::bytes::{receive, send};
use crate::head;

/// Something that is entered around every poll of a body, such as a module's identity and runtime.
pub trait Scope: Send + 'static {
    /// What is held during the poll.
    type Guard<'a>;
    /// Enters.
    fn enter(&self) -> Self::Guard<'_>;
    /// Called once before the scope outlives the start of its call: whatever is lent must be copied. Without a default body,
    /// since forgetting it would leave a dangling pointer behind.
    fn keep(&mut self);
}

/// Nothing to enter.
#[derive(Clone, Copy, Debug)]
pub struct NoScope;

impl Scope for NoScope {
    type Guard<'a> = ();
    fn enter(&self) {}
    fn keep(&mut self) {}
}

/// A body from the other side. Dropping it tells the sender that nobody listens.
#[derive(Debug)]
pub enum Incoming {
    /// No bytes.
    Empty,
    /// All bytes; `None` once taken.
    Full(Option<Bytes>),
    /// Frames to come.
    Stream(Streaming),
}

/// A stream of frames from the other side.
#[derive(Debug)]
pub struct Streaming {
    body: Option<FfiBody>,
    lower: u64,
    upper: u64,
}

impl Incoming {
    /// Takes what came with a head, and leaves it empty.
    #[inline]
    #[must_use]
    pub fn take(start: &mut BodyStart) -> Self {
        match start.take() {
            Taken::Empty => Self::Empty,
            Taken::Full(bytes) => Self::Full(Some(receive(bytes))),
            Taken::Stream(body) => Self::Stream(Streaming {
                lower: body.lower,
                upper: body.upper,
                body: Some(body),
            }),
        }
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Self::Stream(stream) => stream.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty | Self::Full(None) => true,
            Self::Full(Some(bytes)) => bytes.is_empty(),
            Self::Stream(stream) => stream.body.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty | Self::Full(None) => SizeHint::with_exact(0),
            Self::Full(Some(bytes)) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(stream) => {
                let mut hint = SizeHint::new();
                hint.set_lower(stream.lower);
                if stream.upper != u64::MAX {
                    hint.set_upper(stream.upper);
                }
                hint
            }
        }
    }
}

impl Streaming {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let Some(body) = &self.body else { return Poll::Ready(None) };
        let mut trailers = None;
        let mut slot = FrameSlot {
            ctx: (&raw mut trailers).cast(),
            set_trailers: take_trailers,
            data: MaybeUninit::uninit(),
            fault: MaybeUninit::uninit(),
        };
        // SAFETY: state and table belong together; the slot outlives the call.
        let code = lend(cx, |waker| unsafe { ((*body.vt).poll)(body.state, waker, &raw mut slot) });
        match code {
            PENDING => Poll::Pending,
            DATA => {
                // SAFETY: `DATA` says that bytes were written.
                let bytes = receive(unsafe { slot.data.assume_init() });
                let n = bytes.len() as u64;
                self.lower = self.lower.saturating_sub(n);
                if self.upper != u64::MAX {
                    self.upper = self.upper.saturating_sub(n);
                }
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            TRAILERS => Poll::Ready(Some(Ok(Frame::trailers(trailers.unwrap_or_default())))),
            END => {
                self.body = None;
                Poll::Ready(None)
            }
            _ => {
                self.body = None;
                // SAFETY: every other code says that a fault was written.
                Poll::Ready(Some(Err(unsafe { slot.fault.assume_init() })))
            }
        }
    }
}

unsafe extern "C" fn take_trailers(ctx: *mut (), fields: *const Field, n: u32, values_len: u32) {
    guard_drop(|| {
        let mut map = HeaderMap::new();
        // SAFETY: the sender lends `n` fields for the time of this call, and `ctx` is the one `poll` made.
        unsafe {
            drop(head::copy(
                std::slice::from_raw_parts(fields, n as usize),
                values_len,
                &[],
                &mut map,
            ));
            *ctx.cast::<Option<HeaderMap>>() = Some(map);
        }
    });
}

/// A body that is ready to be sent: looked at, and polled once if its length is known.
pub(crate) enum Outgoing<B> {
    /// No bytes.
    Empty,
    /// All bytes, and nothing after them.
    Full(Bytes),
    /// Frames: one that came already, and the rest.
    Stream(Option<Result<Frame<Bytes>, Fault>>, B),
}

impl<B> Outgoing<B>
where
    B: Body<Data = Bytes, Error: std::fmt::Display> + Send + Unpin + 'static,
{
    /// Polls once if the length is known, so that a whole body needs no table. Inside the scope of the body.
    #[inline]
    pub(crate) fn eager(mut body: B, cx: &mut Context<'_>) -> Self {
        if body.is_end_stream() {
            return Self::Empty;
        }
        let Some(exact) = body.size_hint().exact() else {
            return Self::Stream(None, body);
        };
        let first = match Pin::new(&mut body).poll_frame(cx) {
            Poll::Pending => return Self::Stream(None, body),
            Poll::Ready(None) => return Self::Empty,
            Poll::Ready(Some(Err(error))) => Err(Fault::new(FaultCode::FAILED, error.to_string())),
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) if data.len() as u64 == exact && body.is_end_stream() => return Self::Full(data),
                Ok(data) => Ok(Frame::data(data)),
                Err(trailers) => Ok(trailers),
            },
        };
        Self::Stream(Some(first), body)
    }

    /// What crosses. `scope` is entered for every later poll.
    #[inline]
    pub(crate) fn start<S: Scope>(self, scope: S) -> BodyStart {
        match self {
            Self::Empty => BodyStart::empty(),
            Self::Full(bytes) => BodyStart::full(send(bytes)),
            Self::Stream(first, body) => {
                let hint = body.size_hint();
                let ahead = match &first {
                    Some(Ok(frame)) => frame.data_ref().map_or(0, |data| data.len() as u64),
                    _ => 0,
                };
                let (lower, upper) = (hint.lower() + ahead, hint.upper().map_or(u64::MAX, |u| u + ahead));
                let state = Box::into_raw(Box::new(Sending {
                    first,
                    body: Some(body),
                    scope,
                }))
                .cast();
                BodyStart::stream(FfiBody {
                    state,
                    vt: Sending::<B, S>::VT,
                    lower,
                    upper,
                })
            }
        }
    }
}

struct Sending<B, S> {
    first: Option<Result<Frame<Bytes>, Fault>>,
    body: Option<B>,
    scope: S,
}

impl<B, S> Sending<B, S>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::fmt::Display,
    S: Scope,
{
    const VT: &'static BodyVt = &BodyVt {
        abi: TABLE_ABI,
        size: size_of::<BodyVt>() as u32,
        poll: poll::<B, S>,
        drop: drop_sending::<B, S>,
    };

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let _entered = self.scope.enter();
        Pin::new(body)
            .poll_frame(cx)
            .map_err(|error| Fault::new(FaultCode::FAILED, error.to_string()))
    }

    fn end(&mut self) {
        let body = self.body.take();
        let _entered = self.scope.enter();
        guard_drop(move || drop(body));
    }
}

unsafe extern "C" fn poll<B, S>(state: *mut (), waker: *const WakerHead, slot: *mut FrameSlot) -> u8
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::fmt::Display,
    S: Scope,
{
    // SAFETY: `state` came from `export` with these types; the receiver polls one at a time and the slot is its own.
    let (sending, slot) = unsafe { (&mut *state.cast::<Sending<B, S>>(), &mut *slot) };
    // SAFETY: the waker is lent for the time of this call.
    let polled = guard(|| unsafe { with_context(waker, |cx| sending.poll(cx)) });
    let fault = match polled {
        Ok(Poll::Pending) => return PENDING,
        Ok(Poll::Ready(Some(Ok(frame)))) => match frame.into_data() {
            Ok(data) => {
                slot.data.write(send(data));
                return DATA;
            }
            Err(frame) => {
                let trailers = frame.into_trailers().unwrap_or_default();
                head::lend(&trailers, None, |fields, values_len| {
                    // SAFETY: the receiver gave the function together with its context.
                    unsafe { (slot.set_trailers)(slot.ctx, fields.as_ptr(), fields.len() as u32, values_len) };
                });
                return TRAILERS;
            }
        },
        Ok(Poll::Ready(None)) => {
            guard_drop(|| sending.end());
            return END;
        }
        Ok(Poll::Ready(Some(Err(fault)))) | Err(fault) => fault,
    };
    guard_drop(|| sending.end());
    slot.fault.write(fault);
    FAULT
}

unsafe extern "C" fn drop_sending<B, S>(state: *mut ())
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::fmt::Display,
    S: Scope,
{
    guard_drop(|| {
        // SAFETY: `state` came from `export` with these types and is given up.
        let mut sending = unsafe { Box::from_raw(state.cast::<Sending<B, S>>()) };
        if sending.body.is_some() {
            sending.end();
        }
    });
}

//! The side that is called: a service behind a table.

use std::future::Future;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::{Body, Frame};
use wharf_plugin_api::http::{
    BodyStart, CallVt, FAULT, FfiCall, FfiService, Field, PENDING, READY, RequestHead, ResponseSlot, ServiceVt, TABLE_ABI,
};
use wharf_plugin_api::waker::{WakerHead, with_context};
use wharf_plugin_api::{Fault, FaultCode, guard, guard_drop};

use crate::body::{Incoming, Outgoing, Scope};
use crate::bytes::send;
use crate::context::Received;
use crate::head;

/// A service that can be called across the ABI. Every method is called inside a guard: a panic becomes a fault.
pub trait Serve: Send + Sync + Sized + 'static {
    /// Body of the requests, as the service wants it.
    type RequestBody;
    /// Body of the responses.
    type Body: Body<Data = Bytes, Error: std::fmt::Display> + Send + Unpin + 'static;
    /// The work on one call.
    type Future: Future<Output = Response<Self::Body>> + Send + 'static;
    /// What belongs to one call and outlives its head; goes along with a streaming response body.
    type Call: Scope;

    /// Makes the call's scope. Runs before anything else.
    fn begin(self: &Arc<Self>, context: Received) -> Self::Call;

    /// Puts a request body in the form the service wants, so that the request is made once.
    fn body(incoming: Incoming) -> Self::RequestBody;

    /// Starts the call, inside its scope.
    fn call(&self, call: &Self::Call, lane: u8, request: Request<Self::RequestBody>) -> Self::Future;
}

/// Puts a service behind a table.
#[must_use]
pub fn export<S: Serve>(service: Arc<S>) -> FfiService {
    FfiService {
        state: Arc::into_raw(service).cast(),
        vt: Table::<S>::SERVICE,
    }
}

struct Table<S>(S);

impl<S: Serve> Table<S> {
    const SERVICE: &'static ServiceVt = &ServiceVt {
        abi: TABLE_ABI,
        size: size_of::<ServiceVt>() as u32,
        start: start::<S>,
        drop: drop_service::<S>,
    };
    const CALL: &'static CallVt = &CallVt {
        abi: TABLE_ABI,
        size: size_of::<CallVt>() as u32,
        poll: poll::<S>,
        drop: drop_call::<S>,
    };
}

/// A call under way, boxed so that it can be handed over if the first poll is not enough.
struct Call<S: Serve> {
    /// `None` once it has ended.
    future: Option<S::Future>,
    scope: Option<S::Call>,
}

impl<S: Serve> Call<S> {
    /// Written where it stays: the room for the future is large and empty.
    #[inline]
    fn boxed(scope: S::Call) -> Box<Self> {
        let mut room = Box::<Self>::new_uninit();
        let call = room.as_mut_ptr();
        // SAFETY: both fields are written, in memory that is theirs.
        unsafe {
            (&raw mut (*call).future).write(None);
            (&raw mut (*call).scope).write(Some(scope));
            room.assume_init()
        }
    }

    /// Frees a call that has ended: there is nothing left to drop.
    #[inline]
    fn free(self: Box<Self>) {
        if self.future.is_none() && self.scope.is_none() {
            // SAFETY: `MaybeUninit` has the same layout and drops nothing.
            drop(unsafe { Box::from_raw(Box::into_raw(self).cast::<MaybeUninit<Self>>()) });
        } else {
            guard_drop(|| drop(self));
        }
    }

    /// Makes the future and polls it once, in one entry of the scope.
    #[inline]
    fn begin(&mut self, service: &S, head: &RequestHead, body: &mut BodyStart, cx: &mut TaskContext<'_>, slot: &mut ResponseSlot) -> u8 {
        let Self { future, scope } = self;
        let Some(inside) = scope.as_ref() else { return ended(slot) };
        let entered = inside.enter();
        let mut request = Request::new(S::body(Incoming::take(body)));
        // SAFETY: the head is lent for the time of this call.
        if let Err(fault) = unsafe { fill(head, &mut request) } {
            drop(request);
            drop(entered);
            *scope = None;
            return failed(slot, fault);
        }
        *future = Some(service.call(inside, head.lane, request));
        let turned = turn(future, cx, slot);
        drop(entered);
        Self::settle(scope, turned, slot)
    }

    /// Polls once more.
    fn poll(&mut self, cx: &mut TaskContext<'_>, slot: &mut ResponseSlot) -> u8 {
        let Self { future, scope } = self;
        let Some(inside) = scope.as_ref() else { return ended(slot) };
        let entered = inside.enter();
        let turned = turn(future, cx, slot);
        drop(entered);
        Self::settle(scope, turned, slot)
    }

    /// What becomes of the scope: it goes on with the call or with the body, or ends.
    #[inline]
    fn settle(scope: &mut Option<S::Call>, turned: Turned<S::Body>, slot: &mut ResponseSlot) -> u8 {
        match turned {
            Turned::Done => *scope = None,
            Turned::Pending => {
                if let Some(scope) = scope {
                    scope.keep();
                }
                return PENDING;
            }
            Turned::Stream(first, body) => {
                if let Some(mut scope) = scope.take() {
                    scope.keep();
                    slot.body = Outgoing::Stream(first, body).start(scope);
                }
            }
        }
        READY
    }

    /// Ends what is left, inside the scope.
    fn end(&mut self) {
        if let Some(scope) = &self.scope {
            let _entered = scope.enter();
            let future = &mut self.future;
            guard_drop(|| *future = None);
        }
    }
}

/// What came of a poll.
enum Turned<B> {
    Pending,
    /// The response is in the slot, body and all.
    Done,
    /// The head is in the slot; these frames follow.
    Stream(Option<Result<Frame<Bytes>, Fault>>, B),
}

/// Polls, and answers when it is ready. Inside the scope.
#[inline]
fn turn<F, B>(future: &mut Option<F>, cx: &mut TaskContext<'_>, slot: &mut ResponseSlot) -> Turned<B>
where
    F: Future<Output = Response<B>>,
    B: Body<Data = Bytes, Error: std::fmt::Display> + Send + Unpin + 'static,
{
    let Some(running) = future.as_mut() else { return Turned::Pending };
    // SAFETY: the call is boxed, and the future is only polled and dropped in place.
    let Poll::Ready(response) = unsafe { Pin::new_unchecked(running) }.poll(cx) else {
        return Turned::Pending;
    };
    *future = None;
    let (parts, body) = response.into_parts();
    let body = Outgoing::eager(body, cx);
    // Whoever receives a whole body knows its length.
    let skip = matches!(body, Outgoing::Full(_)).then_some(&http::header::CONTENT_LENGTH);
    head::lend(&parts.headers, skip, |fields: &[Field], values_len| {
        // SAFETY: the caller gave the function together with its context.
        unsafe { (slot.set_head)(slot.ctx, parts.status.as_u16(), fields.as_ptr(), fields.len() as u32, values_len) };
    });
    match body {
        Outgoing::Empty => Turned::Done,
        Outgoing::Full(bytes) => {
            slot.body = BodyStart::full(send(bytes));
            Turned::Done
        }
        Outgoing::Stream(first, body) => Turned::Stream(first, body),
    }
}

#[cold]
fn ended(slot: &mut ResponseSlot) -> u8 {
    failed(slot, Fault::new(FaultCode::INTERNAL, "a call was polled after it had ended"))
}

fn failed(slot: &mut ResponseSlot, fault: Fault) -> u8 {
    slot.fault.write(fault);
    FAULT
}

unsafe extern "C" fn start<S: Serve>(
    state: *const (),
    head: *const RequestHead,
    body: *mut BodyStart,
    waker: *const WakerHead,
    slot: *mut ResponseSlot,
) -> u8 {
    // SAFETY: the caller lends head, body and slot for the time of this call.
    let (head, body, slot) = unsafe { (&*head, &mut *body, &mut *slot) };
    // Outside of the guard, so that what a panic leaves behind is dropped inside its scope.
    let mut call = None;
    let started = guard(|| {
        // SAFETY: `state` came from `export` with this `S`, and the caller keeps it alive during this call.
        let service = ManuallyDrop::new(unsafe { Arc::from_raw(state.cast::<S>()) });
        // SAFETY: lent for the time of this call; a scope that outlives it keeps a copy, see `settle`.
        let context = unsafe { Received::lent(head.call) };
        let call = call.insert(Call::<S>::boxed(service.begin(context)));
        // SAFETY: the waker is lent for the time of this call.
        unsafe { with_context(waker, |cx| call.begin(&service, head, body, cx, slot)) }
    });
    match (started, call) {
        (Ok(PENDING), Some(call)) => {
            slot.call.write(FfiCall {
                state: Box::into_raw(call).cast(),
                vt: Table::<S>::CALL,
            });
            PENDING
        }
        (Ok(code), call) => {
            if let Some(call) = call {
                call.free();
            }
            code
        }
        (Err(panicked), call) => {
            guard_drop(|| {
                if let Some(mut call) = call {
                    call.end();
                }
            });
            failed(slot, panicked)
        }
    }
}

unsafe extern "C" fn poll<S: Serve>(state: *mut (), waker: *const WakerHead, slot: *mut ResponseSlot) -> u8 {
    // SAFETY: `state` came from `start` with this `S`; the caller polls one at a time and lends the slot.
    let (call, slot) = unsafe { (&mut *state.cast::<Call<S>>(), &mut *slot) };
    // SAFETY: the waker is lent for the time of this call.
    match guard(|| unsafe { with_context(waker, |cx| call.poll(cx, slot)) }) {
        Ok(code) => code,
        Err(panicked) => {
            guard_drop(|| call.end());
            failed(slot, panicked)
        }
    }
}

unsafe extern "C" fn drop_call<S: Serve>(state: *mut ()) {
    guard_drop(|| {
        // SAFETY: `state` came from `start` with this `S` and is given up.
        let mut call = unsafe { Box::from_raw(state.cast::<Call<S>>()) };
        call.end();
    });
}

unsafe extern "C" fn drop_service<S: Serve>(state: *const ()) {
    // SAFETY: `state` came from `export` with this `S` and is given up.
    guard_drop(|| drop(unsafe { Arc::from_raw(state.cast::<S>()) }));
}

/// Fills a request from a lent head.
///
/// # Safety
/// `head` and what it points to must be alive.
#[inline]
unsafe fn fill<B>(head: &RequestHead, request: &mut Request<B>) -> Result<(), Fault> {
    // SAFETY: lent by the caller.
    let (uri, fields) = unsafe {
        (
            std::slice::from_raw_parts(head.uri, head.uri_len as usize),
            std::slice::from_raw_parts(head.fields, head.fields_len as usize),
        )
    };
    // SAFETY: lent by the caller.
    let uri = unsafe { head::copy(fields, head.values_len, uri, request.headers_mut()) };
    *request.uri_mut() =
        Uri::from_maybe_shared(uri).map_err(|e| Fault::new(FaultCode::INVALID, format!("request target is not a URI: {e}")))?;
    if head.method != 1 {
        // SAFETY: lent by the caller.
        let text = unsafe { std::slice::from_raw_parts(head.method_text, usize::from(head.method_text_len)) };
        *request.method_mut() = head::method(head.method, text).ok_or_else(|| Fault::new(FaultCode::INVALID, "method is not a token"))?;
    }
    *request.version_mut() = head::version(head.version);
    Ok(())
}

const _: () = assert!(size_of::<MaybeUninit<FfiCall>>() == 2 * size_of::<usize>());

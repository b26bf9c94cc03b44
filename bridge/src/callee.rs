//! The side that is called: a service behind a table.

use std::future::Future;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri};
use http_body::Body;
use wharf_plugin_api::http::{
    BodyStart, CallVt, FAULT, FfiCall, FfiService, Field, PENDING, READY, RequestHead, ResponseSlot, ServiceVt, TABLE_ABI,
};
use wharf_plugin_api::waker::{WakerHead, with_context};
use wharf_plugin_api::{Fault, FaultCode, guard, guard_drop};

use crate::body::{Incoming, Outgoing, Scope};
use crate::context::Context;
use crate::head;

/// A service that can be called across the ABI. Every method is called inside a guard: a panic becomes a fault.
pub trait Serve: Send + Sync + Sized + 'static {
    /// Body of the responses.
    type Body: Body<Data = Bytes, Error: std::fmt::Display> + Send + Unpin + 'static;
    /// The work on one call.
    type Future: Future<Output = Response<Self::Body>> + Send + 'static;
    /// What belongs to one call and outlives its head; goes along with a streaming response body.
    type Call: Scope;

    /// Makes the call's scope. Runs before anything else.
    fn begin(self: &Arc<Self>, context: Context) -> Self::Call;

    /// Starts the call, inside its scope.
    fn call(&self, call: &Self::Call, lane: u8, request: Request<Incoming>) -> Self::Future;
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

type Answered<S> = (http::response::Parts, Outgoing<<S as Serve>::Body>);

impl<S: Serve> Call<S> {
    /// Polls once and writes a response if there is one. `first` makes the future, in the same entry of the scope.
    #[inline]
    fn poll(&mut self, first: Option<impl FnOnce(&S::Call) -> S::Future>, cx: &mut TaskContext<'_>, slot: &mut ResponseSlot) -> u8 {
        let Some(scope) = self.scope.as_ref() else {
            return failed(slot, Fault::new(FaultCode::INTERNAL, "a call was polled after it had ended"));
        };
        let entered = scope.enter();
        if let Some(make) = first {
            self.future = Some(make(scope));
        }
        let polled = Self::drive(&mut self.future, cx);
        drop(entered);
        match (polled, self.scope.take()) {
            (Poll::Ready((parts, body)), Some(scope)) => {
                respond(parts, body, scope, slot);
                READY
            }
            (_, scope) => {
                self.scope = scope;
                PENDING
            }
        }
    }

    #[inline]
    fn drive(future: &mut Option<S::Future>, cx: &mut TaskContext<'_>) -> Poll<Answered<S>> {
        let Some(running) = future.as_mut() else { return Poll::Pending };
        // SAFETY: the call is boxed, and the future is only polled and dropped in place.
        let Poll::Ready(response) = unsafe { Pin::new_unchecked(running) }.poll(cx) else {
            return Poll::Pending;
        };
        *future = None;
        let (parts, body) = response.into_parts();
        Poll::Ready((parts, Outgoing::eager(body, cx)))
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

#[inline]
fn respond<B, C>(parts: http::response::Parts, body: Outgoing<B>, scope: C, slot: &mut ResponseSlot)
where
    B: Body<Data = Bytes, Error: std::fmt::Display> + Send + Unpin + 'static,
    C: Scope,
{
    // Whoever receives a whole body knows its length.
    let skip = matches!(body, Outgoing::Full(_)).then_some(&http::header::CONTENT_LENGTH);
    head::lend(&parts.headers, skip, |fields: &[Field], values_len| {
        // SAFETY: the caller gave the function together with its context.
        unsafe { (slot.set_head)(slot.ctx, parts.status.as_u16(), fields.as_ptr(), fields.len() as u32, values_len) };
    });
    slot.body = body.start(scope);
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
    let (head, body, slot) = unsafe { (&*head, std::ptr::replace(body, BodyStart::empty()), &mut *slot) };
    let started = guard(|| {
        // SAFETY: `state` came from `export` with this `S` and is alive; cloning it takes one more count.
        let service = unsafe {
            Arc::increment_strong_count(state.cast::<S>());
            Arc::from_raw(state.cast::<S>())
        };
        // SAFETY: lent.
        let (context, request) = unsafe { (Context::copy(head.call), request(head, body)) };
        let request = match request {
            Ok(request) => request,
            Err(fault) => return failed(slot, fault),
        };
        let mut call = Box::new(Call::<S> {
            future: None,
            scope: Some(service.begin(context)),
        });
        let first = |scope: &S::Call| service.call(scope, head.lane, request);
        // SAFETY: the waker is lent for the time of this call.
        let code = match guard(|| unsafe { with_context(waker, |cx| call.poll(Some(first), cx, slot)) }) {
            Ok(code) => code,
            Err(panicked) => {
                call.end();
                failed(slot, panicked)
            }
        };
        if code == PENDING {
            slot.call.write(FfiCall {
                state: Box::into_raw(call).cast(),
                vt: Table::<S>::CALL,
            });
        }
        code
    });
    started.unwrap_or_else(|panicked| failed(slot, panicked))
}

unsafe extern "C" fn poll<S: Serve>(state: *mut (), waker: *const WakerHead, slot: *mut ResponseSlot) -> u8 {
    // SAFETY: `state` came from `start` with this `S`; the caller polls one at a time and lends the slot.
    let (call, slot) = unsafe { (&mut *state.cast::<Call<S>>(), &mut *slot) };
    // SAFETY: the waker is lent for the time of this call.
    match guard(|| unsafe { with_context(waker, |cx| call.poll(None::<fn(&S::Call) -> S::Future>, cx, slot)) }) {
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

/// Builds a request of a lent head.
///
/// # Safety
/// `head` and what it points to must be alive.
#[inline]
unsafe fn request(head: &RequestHead, body: BodyStart) -> Result<Request<Incoming>, Fault> {
    // SAFETY: lent by the caller.
    let (uri, fields, method_text) = unsafe {
        (
            std::slice::from_raw_parts(head.uri, head.uri_len as usize),
            std::slice::from_raw_parts(head.fields, head.fields_len as usize),
            std::slice::from_raw_parts(head.method_text, usize::from(head.method_text_len)),
        )
    };
    let mut headers = HeaderMap::new();
    // SAFETY: lent by the caller.
    let uri = unsafe { head::copy(fields, head.values_len, uri, &mut headers) };
    let mut request = Request::new(Incoming::from_start(body));
    *request.uri_mut() =
        Uri::from_maybe_shared(uri).map_err(|e| Fault::new(FaultCode::INVALID, format!("request target is not a URI: {e}")))?;
    if head.method != 1 {
        *request.method_mut() =
            head::method(head.method, method_text).ok_or_else(|| Fault::new(FaultCode::INVALID, "method is not a token"))?;
    }
    *request.version_mut() = head::version(head.version);
    *request.headers_mut() = headers;
    Ok(request)
}

const _: () = assert!(size_of::<MaybeUninit<FfiCall>>() == 2 * size_of::<usize>());

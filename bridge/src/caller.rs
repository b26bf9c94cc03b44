//! The side that calls: a foreign service as a future.

use std::future::Future;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use http::header::EXPECT;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use wharf_plugin_api::http::{BodyStart, FAULT, FfiCall, FfiService, Field, PENDING, READY, RequestHead, ResponseSlot, TABLE_ABI};
use wharf_plugin_api::waker::lend;
use wharf_plugin_api::{Fault, FaultCode, guard_drop};

use crate::body::{Incoming, Outgoing, Scope};
use crate::context::View;
use crate::head;

/// A service on the other side.
#[derive(Debug)]
pub struct RemoteService(FfiService);

/// What a call is after its first poll.
#[must_use]
pub enum Started {
    /// It has ended.
    Ready(Result<Response<Incoming>, Fault>),
    /// It goes on.
    Pending(PendingCall),
}

/// A call under way. Dropping it ends the other side's work.
#[derive(Debug)]
pub struct PendingCall {
    call: FfiCall,
    /// The request's map, cleared, to be used again for the response.
    spare: HeaderMap,
}

impl RemoteService {
    /// Takes a service after looking at the head of its table.
    ///
    /// # Errors
    /// [`FaultCode::LAYOUT`] when the table is not one this side understands.
    pub fn new(service: FfiService) -> Result<Self, Fault> {
        // SAFETY: every table starts with `abi` and `size` and is `'static` in its image.
        let (abi, size) = unsafe { ((*service.vt).abi, (*service.vt).size) };
        if abi != TABLE_ABI || (size as usize) < size_of::<wharf_plugin_api::http::ServiceVt>() {
            return Err(Fault::new(
                FaultCode::LAYOUT,
                format!("service table has version {abi} and {size} bytes, expected version {TABLE_ABI}"),
            ));
        }
        Ok(Self(service))
    }

    /// Starts a call with the head of `request` and this body, and polls it once. A body of known length is polled
    /// once before, so that one that is there already crosses whole. `scope` is entered whenever the other side polls the request body. The headers are
    /// taken out of `request`: their map becomes that of the response.
    #[inline]
    pub fn start<R, B, S>(
        &self,
        cx: &mut TaskContext<'_>,
        lane: u8,
        request: &mut Request<R>,
        body: B,
        view: &View<'_>,
        scope: S,
    ) -> Started
    where
        B: Body<Data = Bytes, Error: std::fmt::Display> + Send + Unpin + 'static,
        S: Scope,
    {
        let mut headers = std::mem::take(request.headers_mut());
        let mut body = if body.is_end_stream() {
            BodyStart::empty()
        } else if headers.contains_key(EXPECT) {
            // To poll it is to ask for it, which is for the other side to decide.
            Outgoing::Stream(None, body).start(scope)
        } else {
            let entered = scope.enter();
            let outgoing = Outgoing::eager(body, cx);
            drop(entered);
            outgoing.start(scope)
        };
        let (method, method_text) = head::method_code(request.method());
        let uri = request.uri().path_and_query().map_or("/", |pq| pq.as_str());
        let call_context = view.lend();
        let map: *mut HeaderMap = &raw mut headers;
        let mut target = Target {
            map,
            status: StatusCode::OK,
        };
        let mut slot = slot(&mut target);
        let version = head::version_code(request.version());
        // SAFETY: nothing else uses the map while it is lent; `set_head` uses it only through `target`, after the other
        // side has copied the fields, which it must do before it answers.
        let code = head::lend(unsafe { &*map }, None, |fields: &[Field], values_len| {
            let head = RequestHead {
                uri: uri.as_ptr(),
                fields: fields.as_ptr(),
                method_text: method_text.as_ptr(),
                call: &raw const call_context,
                uri_len: uri.len() as u32,
                values_len,
                fields_len: fields.len() as u32,
                method_text_len: method_text.len() as u16,
                method,
                version,
                lane,
            };
            // SAFETY: state and table belong together; all that is lent outlives the call.
            lend(cx, |waker| unsafe {
                ((*self.0.vt).start)(self.0.state, &raw const head, &raw mut body, waker, &raw mut slot)
            })
        });
        if code == PENDING {
            headers.clear();
            // SAFETY: `PENDING` of `start` says that a call was written.
            let call = unsafe { std::mem::replace(&mut slot.call, MaybeUninit::uninit()).assume_init() };
            return Started::Pending(PendingCall { call, spare: headers });
        }
        Started::Ready(finish(code, slot, target.status, headers))
    }
}

impl Future for PendingCall {
    type Output = Result<Response<Incoming>, Fault>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut target = Target {
            map: &raw mut this.spare,
            status: StatusCode::OK,
        };
        let mut slot = slot(&mut target);
        // SAFETY: state and table belong together; the slot outlives the call.
        let code = lend(cx, |waker| unsafe { ((*this.call.vt).poll)(this.call.state, waker, &raw mut slot) });
        if code == PENDING {
            return Poll::Pending;
        }
        Poll::Ready(finish(code, slot, target.status, std::mem::take(&mut this.spare)))
    }
}

/// Where `set_head` writes.
struct Target {
    map: *mut HeaderMap,
    status: StatusCode,
}

fn slot(target: &mut Target) -> ResponseSlot {
    ResponseSlot {
        ctx: std::ptr::from_mut(target).cast(),
        set_head,
        body: BodyStart::empty(),
        call: MaybeUninit::uninit(),
        fault: MaybeUninit::uninit(),
    }
}

unsafe extern "C" fn set_head(ctx: *mut (), status: u16, fields: *const Field, n: u32, values_len: u32) {
    guard_drop(|| {
        // SAFETY: `ctx` is the target made by `slot`, alive during the call; its map is not borrowed by anyone.
        let target = unsafe { &mut *ctx.cast::<Target>() };
        // SAFETY: as above; the fields are lent for the time of this call.
        unsafe {
            (*target.map).clear();
            drop(head::copy(
                std::slice::from_raw_parts(fields, n as usize),
                values_len,
                &[],
                &mut *target.map,
            ));
        }
        target.status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    });
}

#[inline]
fn finish(code: u8, mut slot: ResponseSlot, status: StatusCode, headers: HeaderMap) -> Result<Response<Incoming>, Fault> {
    match code {
        READY => {
            let mut response = Response::new(Incoming::take(&mut slot.body));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            Ok(response)
        }
        // SAFETY: `FAULT` says that a fault was written.
        FAULT => Err(unsafe { std::mem::replace(&mut slot.fault, MaybeUninit::uninit()).assume_init() }),
        other => Err(Fault::new(
            FaultCode::INTERNAL,
            format!("the other side answered with the unknown code {other}"),
        )),
    }
}

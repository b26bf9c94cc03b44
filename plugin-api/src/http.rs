//! The hot path: heads, bodies and calls as small `repr(C)` tables.
//!
//! Used in both directions: host to module in the export `http`, module to host in the service `channel`. The layout
//! check cannot see behind raw pointers, so each table starts with `abi` and `size`, each struct that may grow starts
//! with `size`, and a reader looks at a field only when `size` covers it. Shapes are frozen with the ABI.
//!
//! Heads are *lent*: they point into the lender's memory for the time of one call, and the other side copies what it
//! keeps, once, into one block. Body bytes *move*.

pub mod names;

use std::mem::ManuallyDrop;

use abi_stable::StableAbi;

use crate::bytes::FfiBytes;
use crate::fault::Fault;
use crate::waker::WakerHead;

/// Version of every table in here.
pub const TABLE_ABI: u32 = 1;

/// `poll` and `start`: not yet; the lent waker will be woken.
pub const PENDING: u8 = 0;
/// `poll` and `start`: the response slot has been filled.
pub const READY: u8 = 1;
/// `poll`, `start` and body `poll`: a [`Fault`] was written.
pub const FAULT: u8 = 2;
/// Body `poll`: bytes were written.
pub const DATA: u8 = 3;
/// Body `poll`: the trailers callback was called.
pub const TRAILERS: u8 = 4;
/// Body `poll`: nothing more comes.
pub const END: u8 = 5;

/// One header. `name_id` is an index into [`crate::http::names::NAMES`] plus one, or 0: then the name is text (lower case).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// First byte of the value.
    pub value: *const u8,
    /// First byte of the name; also set when `name_id` is not 0, so that an older reader can use the text.
    pub name: *const u8,
    /// Bytes of the value.
    pub value_len: u32,
    /// Bytes of the name.
    pub name_len: u16,
    /// See above. Ids are part of the ABI: they are only ever appended.
    pub name_id: u8,
    /// Bit 0: sensitive, never to be logged or indexed. Bits 1 to 7: index into [`crate::http::names::VALUES`] plus one,
    /// or 0; `value` and `value_len` are set all the same.
    pub flags: u8,
}

/// Text that is lent for the time of one call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Lent {
    /// First byte; dangling when `len` is 0.
    pub ptr: *const u8,
    /// Bytes.
    pub len: u32,
}

/// What the host knows of a call beside the request. Lent during `start`. May grow at its end.
#[repr(C)]
#[derive(Debug)]
pub struct CallContext {
    /// Bytes of this struct on the lender's side.
    pub size: u32,
    /// W3C trace flags in bits 0 to 7.
    pub flags: u32,
    /// W3C trace id, all zero when there is none.
    pub trace_id: [u8; 16],
    /// W3C id of the span the callee is in, all zero when there is none.
    pub span_id: [u8; 8],
    /// Handle of the call for services that belong to one; 0 when there is none.
    pub token: u64,
    /// When the caller stops waiting, in nanoseconds as `clock` counts them; `u64::MAX` when it waits for ever.
    pub deadline_ns: u64,
    /// Monotonic nanoseconds since some moment. Any thread may call it at any time, long after the call too: it belongs
    /// to an image, which is never unmapped. So nobody asks the time for a deadline that nobody looks at.
    pub clock: extern "C" fn() -> u64,
    /// Request id, visible ASCII.
    pub request_id: Lent,
    /// Module that calls; empty when the call came from outside.
    pub caller: Lent,
    /// Peer address: 0 none, 4 or 6.
    pub peer_family: u16,
    /// Peer port.
    pub peer_port: u16,
    /// Peer address, IPv4 in the first four bytes.
    pub peer_addr: [u8; 16],
    /// Who is calling, as the host's security layer encodes it; empty: anonymous.
    pub principal: Lent,
}

/// A request's head. Lent during `start`.
#[repr(C)]
#[derive(Debug)]
pub struct RequestHead {
    /// Path and query (origin form), already stripped of the module's prefix on the HTTP lane.
    pub uri: *const u8,
    /// Headers in order, repeated names as repeated fields.
    pub fields: *const Field,
    /// Method as text when `method` is 0.
    pub method_text: *const u8,
    /// See [`CallContext`].
    pub call: *const CallContext,
    /// Bytes of the URI.
    pub uri_len: u32,
    /// Sum of the `value_len` of all fields without an index of a known value: what the receiver has to copy.
    pub values_len: u32,
    /// Number of fields.
    pub fields_len: u32,
    /// Bytes of `method_text`.
    pub method_text_len: u16,
    /// 1 GET, 2 POST, 3 PUT, 4 DELETE, 5 HEAD, 6 OPTIONS, 7 PATCH, 8 TRACE, 9 CONNECT.
    pub method: u8,
    /// 10 or 11 for HTTP/1.0 and 1.1, 20 for HTTP/2, 30 for HTTP/3.
    pub version: u8,
    /// 0 HTTP, 1 gRPC.
    pub lane: u8,
}

/// A body as it starts: empty, whole, or a stream.
#[repr(C)]
pub struct BodyStart {
    /// [`BodyStart::EMPTY`], [`BodyStart::FULL`] or [`BodyStart::STREAM`]; says which of the next is there.
    pub tag: u8,
    /// The one that `tag` names.
    pub part: BodyPart,
}

/// See [`BodyStart`].
#[repr(C)]
pub union BodyPart {
    /// Nothing.
    pub empty: (),
    /// All bytes.
    pub full: ManuallyDrop<FfiBytes>,
    /// Frames to come.
    pub stream: ManuallyDrop<FfiBody>,
}

impl BodyStart {
    /// No bytes, no trailers.
    pub const EMPTY: u8 = 0;
    /// Exactly these bytes, no trailers.
    pub const FULL: u8 = 1;
    /// A stream of frames.
    pub const STREAM: u8 = 2;

    /// An empty body.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            tag: Self::EMPTY,
            part: BodyPart { empty: () },
        }
    }

    /// A whole body.
    #[must_use]
    pub const fn full(bytes: FfiBytes) -> Self {
        Self {
            tag: Self::FULL,
            part: BodyPart {
                full: ManuallyDrop::new(bytes),
            },
        }
    }

    /// A streaming body.
    #[must_use]
    pub const fn stream(body: FfiBody) -> Self {
        Self {
            tag: Self::STREAM,
            part: BodyPart {
                stream: ManuallyDrop::new(body),
            },
        }
    }

    /// Takes what is there and leaves it empty.
    #[must_use]
    pub fn take(&mut self) -> Taken {
        let tag = std::mem::replace(&mut self.tag, Self::EMPTY);
        match tag {
            // SAFETY: the tag says which part is there, and it has just been marked as gone.
            Self::FULL => Taken::Full(unsafe { ManuallyDrop::take(&mut self.part.full) }),
            // SAFETY: as above.
            Self::STREAM => Taken::Stream(unsafe { ManuallyDrop::take(&mut self.part.stream) }),
            _ => Taken::Empty,
        }
    }
}

/// A [`BodyStart`] in safe form.
#[derive(Debug)]
pub enum Taken {
    /// Nothing.
    Empty,
    /// All bytes.
    Full(FfiBytes),
    /// Frames to come.
    Stream(FfiBody),
}

impl Drop for BodyStart {
    fn drop(&mut self) {
        drop(self.take());
    }
}

impl std::fmt::Debug for BodyStart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BodyStart({})", self.tag)
    }
}

/// A stream of frames. Owned by the receiver, who polls it on any thread, one at a time; dropping it tells the sender
/// that nobody listens any more.
#[repr(C)]
#[derive(Debug)]
pub struct FfiBody {
    /// For the table.
    pub state: *mut (),
    /// `'static` in the sender's image.
    pub vt: *const BodyVt,
    /// At least so many bytes come.
    pub lower: u64,
    /// At most so many bytes come; `u64::MAX`: unknown.
    pub upper: u64,
}

// SAFETY: senders make it of bodies that are `Send`, and it is polled through `&mut`.
unsafe impl Send for FfiBody {}

impl Drop for FfiBody {
    fn drop(&mut self) {
        // SAFETY: state and table belong together and we own the state.
        unsafe { ((*self.vt).drop)(self.state) }
    }
}

/// What a body can do.
#[repr(C)]
#[derive(Debug)]
pub struct BodyVt {
    /// [`TABLE_ABI`].
    pub abi: u32,
    /// Bytes of this table.
    pub size: u32,
    /// Returns [`PENDING`], [`DATA`], [`TRAILERS`], [`END`] or [`FAULT`]. After the last two it is not polled again.
    pub poll: unsafe extern "C" fn(*mut (), *const WakerHead, *mut FrameSlot) -> u8,
    /// Frees the state. Does not unwind.
    pub drop: unsafe extern "C" fn(*mut ()),
}

/// Where a body writes a frame. Lives on the receiver's stack for the time of one poll.
#[repr(C)]
pub struct FrameSlot {
    /// For `set_trailers`.
    pub ctx: *mut (),
    /// Called before [`TRAILERS`] is returned, with lent fields, their number, and `values_len` as in [`RequestHead`].
    pub set_trailers: unsafe extern "C" fn(*mut (), *const Field, u32, u32),
    /// Written before [`DATA`] is returned.
    pub data: std::mem::MaybeUninit<FfiBytes>,
    /// Written before [`FAULT`] is returned.
    pub fault: std::mem::MaybeUninit<Fault>,
}

impl std::fmt::Debug for FrameSlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FrameSlot")
    }
}

/// Where a service writes its response. Lives on the caller's stack for the time of one `start` or `poll`.
#[repr(C)]
pub struct ResponseSlot {
    /// For `set_head`.
    pub ctx: *mut (),
    /// Called once before [`READY`] is returned: status, lent fields, their number, `values_len` as in [`RequestHead`].
    pub set_head: unsafe extern "C" fn(*mut (), u16, *const Field, u32, u32),
    /// Written before [`READY`] is returned; empty on entry.
    pub body: BodyStart,
    /// Written by `start` before [`PENDING`] is returned.
    pub call: std::mem::MaybeUninit<FfiCall>,
    /// Written before [`FAULT`] is returned.
    pub fault: std::mem::MaybeUninit<Fault>,
}

impl std::fmt::Debug for ResponseSlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ResponseSlot")
    }
}

/// A call that is under way. Owned by the caller; dropping it ends the callee's work.
#[repr(C)]
#[derive(Debug)]
pub struct FfiCall {
    /// For the table.
    pub state: *mut (),
    /// `'static` in the callee's image.
    pub vt: *const CallVt,
}

// SAFETY: callees make it of futures that are `Send`, and it is polled through `&mut`.
unsafe impl Send for FfiCall {}

impl Drop for FfiCall {
    fn drop(&mut self) {
        // SAFETY: state and table belong together and we own the state.
        unsafe { ((*self.vt).drop)(self.state) }
    }
}

/// What a call can do.
#[repr(C)]
#[derive(Debug)]
pub struct CallVt {
    /// [`TABLE_ABI`].
    pub abi: u32,
    /// Bytes of this table.
    pub size: u32,
    /// Returns [`PENDING`], [`READY`] or [`FAULT`]; after the last two it is not polled again.
    pub poll: unsafe extern "C" fn(*mut (), *const WakerHead, *mut ResponseSlot) -> u8,
    /// Frees the state. Does not unwind.
    pub drop: unsafe extern "C" fn(*mut ()),
}

/// A service that takes requests. Owned by the receiver; any number of threads may call it at once.
#[repr(C)]
#[derive(StableAbi, Debug)]
#[sabi(unsafe_opaque_fields)]
pub struct FfiService {
    /// For the table.
    pub state: *const (),
    /// `'static` in the callee's image.
    pub vt: *const ServiceVt,
}

// SAFETY: callees make it of services that are `Send` and `Sync`.
unsafe impl Send for FfiService {}
// SAFETY: as above.
unsafe impl Sync for FfiService {}

impl Drop for FfiService {
    fn drop(&mut self) {
        // SAFETY: state and table belong together and we own the state.
        unsafe { ((*self.vt).drop)(self.state) }
    }
}

/// What a service can do.
#[repr(C)]
#[derive(Debug)]
pub struct ServiceVt {
    /// [`TABLE_ABI`].
    pub abi: u32,
    /// Bytes of this table.
    pub size: u32,
    /// Takes the lent head and the body (which it moves out), polls once, and returns [`PENDING`] with a call,
    /// [`READY`] with a response or [`FAULT`].
    pub start: unsafe extern "C" fn(*const (), *const RequestHead, *mut BodyStart, *const WakerHead, *mut ResponseSlot) -> u8,
    /// Frees the state. Does not unwind.
    pub drop: unsafe extern "C" fn(*const ()),
}

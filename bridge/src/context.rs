//! What travels beside a request: ids, trace, deadline, caller, peer.

use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ptr::NonNull;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use wharf_plugin_api::http::{CallContext, Lent};

/// Longest request id that is kept; longer ones are cut where they enter the host.
const REQUEST_ID: usize = 64;
/// Longest module id.
const CALLER: usize = 40;

/// What this image counts nanoseconds from.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Short text without an allocation.
#[derive(Clone, Copy)]
pub struct Short<const N: usize> {
    len: u8,
    /// The first `len` bytes are written.
    text: [MaybeUninit<u8>; N],
}

impl<const N: usize> Short<N> {
    /// No text.
    pub const EMPTY: Self = Self {
        len: 0,
        text: [MaybeUninit::uninit(); N],
    };

    /// Keeps the first `N` bytes, at most 255.
    #[inline]
    #[must_use]
    pub fn new(text: &[u8]) -> Self {
        let mut short = Self::EMPTY;
        let len = text.len().min(N).min(255);
        short.len = len as u8;
        // SAFETY: both are at least `len` bytes long, and one of them is new.
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), short.text.as_mut_ptr().cast(), len) };
        short
    }

    /// The bytes.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: `new` wrote as many, and it is the only one to set `len`.
        unsafe { std::slice::from_raw_parts(self.text.as_ptr().cast(), usize::from(self.len)) }
    }

    /// The text, up to the first byte that is no UTF-8.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.as_bytes().utf8_chunks().next().map_or("", |chunk| chunk.valid())
    }
}

impl<const N: usize> std::fmt::Debug for Short<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_str().fmt(f)
    }
}

/// When a caller stops waiting. Travels as a number on its maker's clock, so that passing it on asks nobody the time.
#[derive(Clone, Copy)]
pub struct Deadline {
    /// `u64::MAX`: never.
    ns: u64,
    clock: extern "C" fn() -> u64,
}

impl Deadline {
    /// It waits for ever.
    pub const NEVER: Self = Self { ns: u64::MAX, clock };

    /// At this moment.
    #[inline]
    #[must_use]
    pub fn at(at: Instant) -> Self {
        let ns = at.saturating_duration_since(*EPOCH).as_nanos();
        Self {
            ns: u64::try_from(ns).unwrap_or(u64::MAX),
            clock,
        }
    }

    /// The moment, if there is one.
    #[must_use]
    pub fn instant(self) -> Option<Instant> {
        if self.ns == u64::MAX {
            return None;
        }
        if std::ptr::fn_addr_eq(self.clock, clock as extern "C" fn() -> u64) {
            return EPOCH.checked_add(Duration::from_nanos(self.ns));
        }
        let left = self.ns.saturating_sub((self.clock)());
        Instant::now().checked_add(Duration::from_nanos(left))
    }
}

impl From<Option<Instant>> for Deadline {
    #[inline]
    fn from(at: Option<Instant>) -> Self {
        at.map_or(Self::NEVER, Self::at)
    }
}

impl std::fmt::Debug for Deadline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.instant().fmt(f)
    }
}

extern "C" fn clock() -> u64 {
    u64::try_from(EPOCH.elapsed().as_nanos()).unwrap_or(u64::MAX - 1)
}

/// What travels, as the caller has it: borrowed for the start of a call.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// W3C trace id; all zero: none.
    pub trace_id: &'a [u8; 16],
    /// W3C span id; all zero: none.
    pub span_id: &'a [u8; 8],
    /// W3C trace flags.
    pub trace_flags: u8,
    /// Handle of the call for services that belong to one; 0: none.
    pub token: u64,
    /// When the caller stops waiting.
    pub deadline: Deadline,
    /// Request id.
    pub request_id: &'a [u8],
    /// Module that calls; empty: from outside.
    pub caller: &'a [u8],
    /// Peer address.
    pub peer: Option<SocketAddr>,
    /// Who is calling, as the host encodes it; empty: anonymous.
    pub principal: &'a [u8],
}

/// A [`CallContext`] in owned form, without an allocation and without who is calling, which is beside it in [`Received`].
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// W3C trace id; all zero: none.
    pub trace_id: [u8; 16],
    /// W3C span id; all zero: none.
    pub span_id: [u8; 8],
    /// W3C trace flags.
    pub trace_flags: u8,
    /// Handle of the call for services that belong to one; 0: none.
    pub token: u64,
    /// When the caller stops waiting.
    pub deadline: Deadline,
    /// Peer address.
    pub peer: Option<SocketAddr>,
    /// Request id.
    pub request_id: Short<REQUEST_ID>,
    /// Module that calls; empty: from outside.
    pub caller: Short<CALLER>,
}

/// What came with a call: lent while the call is started, copied when it goes on after that. Most calls do not.
pub struct Received(Kept);

enum Kept {
    Lent(NonNull<CallContext>),
    Own(Box<Owned>),
}

#[derive(Clone, Default)]
struct Owned {
    context: Context,
    /// None for anonymous callers, who cost nothing.
    principal: Option<Arc<[u8]>>,
}

// SAFETY: what is lent is only read, and the callee keeps it before it moves to another thread.
unsafe impl Send for Received {}
// SAFETY: as above.
unsafe impl Sync for Received {}

impl Received {
    /// What the caller of `start` lends.
    ///
    /// # Safety
    /// `lent` must be alive, or null, until [`Received::keep`] was called or this was dropped.
    #[inline]
    pub(crate) unsafe fn lent(lent: *const CallContext) -> Self {
        Self(NonNull::new(lent.cast_mut()).map_or_else(|| Kept::Own(Box::default()), Kept::Lent))
    }

    /// Of one's own: for calls that came from nowhere.
    #[must_use]
    pub fn own(context: Context) -> Self {
        Self::own_of(context, &[])
    }

    /// The same, in the name of somebody.
    #[must_use]
    pub fn own_of(context: Context, principal: &[u8]) -> Self {
        let principal = (!principal.is_empty()).then(|| Arc::from(principal));
        Self(Kept::Own(Box::new(Owned { context, principal })))
    }

    /// A copy that outlives the start of the call.
    #[must_use]
    pub fn kept(&self) -> Self {
        Self(Kept::Own(match &self.0 {
            Kept::Lent(_) => Box::new(self.owned()),
            Kept::Own(owned) => owned.clone(),
        }))
    }

    /// Makes a copy, so that it outlives the start of the call.
    #[inline]
    pub fn keep(&mut self) {
        if let Kept::Lent(_) = self.0 {
            self.0 = Kept::Own(Box::new(self.owned()));
        }
    }

    #[inline]
    fn owned(&self) -> Owned {
        let principal = self.principal();
        Owned {
            context: self.copy(),
            principal: (!principal.is_empty()).then(|| Arc::from(principal)),
        }
    }

    /// Who is calling, as the host encodes it; empty: anonymous.
    #[inline]
    #[must_use]
    pub fn principal(&self) -> &[u8] {
        match &self.0 {
            // SAFETY: alive, by the promise made in `lent`, and with it the text.
            Kept::Lent(lent) => unsafe {
                let Lent { ptr, len } = lent.as_ref().principal;
                std::slice::from_raw_parts(ptr, len as usize)
            },
            Kept::Own(owned) => owned.principal.as_deref().unwrap_or_default(),
        }
    }

    /// A copy.
    #[must_use]
    pub fn copy(&self) -> Context {
        match &self.0 {
            // SAFETY: alive, by the promise made in `lent`.
            Kept::Lent(lent) => unsafe { Context::copy(lent.as_ref()) },
            Kept::Own(owned) => owned.context,
        }
    }
}

impl std::fmt::Debug for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.copy().fmt(f)
    }
}

impl Default for Context {
    fn default() -> Self {
        Self {
            trace_id: [0; 16],
            span_id: [0; 8],
            trace_flags: 0,
            token: 0,
            deadline: Deadline::NEVER,
            peer: None,
            request_id: Short::EMPTY,
            caller: Short::EMPTY,
        }
    }
}

impl View<'_> {
    /// Lends it as a [`CallContext`] that points where `self` does.
    #[inline]
    #[must_use]
    pub(crate) fn lend(&self) -> CallContext {
        let (peer_family, peer_port, peer_addr) = match self.peer {
            None => (0, 0, [0; 16]),
            Some(peer) => match peer.ip() {
                IpAddr::V4(ip) => {
                    let [a, b, c, d] = ip.octets();
                    (4, peer.port(), [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
                }
                IpAddr::V6(ip) => (6, peer.port(), ip.octets()),
            },
        };
        CallContext {
            size: size_of::<CallContext>() as u32,
            flags: u32::from(self.trace_flags),
            trace_id: *self.trace_id,
            span_id: *self.span_id,
            token: self.token,
            deadline_ns: self.deadline.ns,
            clock: self.deadline.clock,
            request_id: lent(self.request_id),
            caller: lent(self.caller),
            peer_family,
            peer_port,
            peer_addr,
            principal: lent(self.principal),
        }
    }
}

impl Context {
    /// The same, borrowed.
    #[inline]
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View {
            trace_id: &self.trace_id,
            span_id: &self.span_id,
            trace_flags: self.trace_flags,
            token: self.token,
            deadline: self.deadline,
            request_id: self.request_id.as_bytes(),
            caller: self.caller.as_bytes(),
            peer: self.peer,
            principal: &[],
        }
    }

    /// Copies a lent one.
    ///
    /// # Safety
    /// The text it points to must be alive.
    #[must_use]
    unsafe fn copy(lent: &CallContext) -> Self {
        let [a, b, c, d, ..] = lent.peer_addr;
        let peer = match lent.peer_family {
            4 => Some(SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), lent.peer_port)),
            6 => Some(SocketAddr::new(Ipv6Addr::from(lent.peer_addr).into(), lent.peer_port)),
            _ => None,
        };
        Self {
            trace_id: lent.trace_id,
            span_id: lent.span_id,
            trace_flags: (lent.flags & 0xFF) as u8,
            token: lent.token,
            deadline: Deadline {
                ns: lent.deadline_ns,
                clock: lent.clock,
            },
            peer,
            // SAFETY: lent text is alive as long as the context is.
            request_id: unsafe { short(lent.request_id) },
            // SAFETY: as above.
            caller: unsafe { short(lent.caller) },
        }
    }
}

#[inline]
fn lent(text: &[u8]) -> Lent {
    Lent {
        ptr: text.as_ptr(),
        len: u32::try_from(text.len()).unwrap_or(0),
    }
}

#[inline]
unsafe fn short<const N: usize>(lent: Lent) -> Short<N> {
    // SAFETY: alive by the caller's promise.
    Short::new(unsafe { std::slice::from_raw_parts(lent.ptr, lent.len as usize) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_survives_the_crossing() {
        let sent = Context {
            trace_id: [9; 16],
            deadline: Deadline::at(Instant::now() + Duration::from_secs(60)),
            request_id: Short::new(b"req-1"),
            caller: Short::new(b"blog"),
            peer: Some("[::1]:4000".parse().unwrap()),
            token: 77,
            ..Context::default()
        };
        let lent = sent.view().lend();
        // SAFETY: `lent` and `sent` are alive until it is kept.
        let mut got = unsafe { Received::lent(&raw const lent) };
        assert_eq!(format!("{got:?}"), format!("{sent:?}"));
        got.keep();
        let (_, got) = (lent, got.copy());
        assert_eq!(format!("{got:?}"), format!("{sent:?}"));
        assert_eq!(got.deadline.instant(), sent.deadline.instant());
    }

    #[test]
    fn who_is_calling_survives_the_start_of_the_call() {
        for who in [&b""[..], b"{\"kind\":\"user\"}"] {
            let text = who.to_vec();
            let sent = Context::default();
            let view = View {
                principal: &text,
                ..sent.view()
            };
            let lent = view.lend();
            // SAFETY: `lent` and what it points to are alive until it is kept.
            let mut got = unsafe { Received::lent(&raw const lent) };
            assert_eq!(got.principal(), who);
            let copy = got.kept();
            got.keep();
            let _ = lent;
            drop(text);
            assert_eq!((got.principal(), copy.principal(), copy.kept().principal()), (who, who, who));
        }
    }

    #[test]
    fn a_deadline_on_a_foreign_clock_is_translated() {
        extern "C" fn foreign() -> u64 {
            5_000_000_000
        }
        let deadline = Deadline {
            ns: 65_000_000_000,
            clock: foreign,
        };
        let left = deadline.instant().unwrap().duration_since(Instant::now());
        assert!(left > Duration::from_secs(55) && left <= Duration::from_secs(60), "{left:?}");
        let past = Deadline { ns: 1, clock: foreign };
        assert!(past.instant().unwrap() <= Instant::now());
        assert_eq!(Deadline::NEVER.instant(), None);
    }

    #[test]
    fn long_text_is_cut_and_read_up_to_the_first_broken_character() {
        let long = "ä".repeat(40);
        assert_eq!(Short::<64>::new(long.as_bytes()).as_str(), "ä".repeat(32));
        assert_eq!(Short::<5>::new(long.as_bytes()).as_str(), "ää");
        assert_eq!(Short::<5>::EMPTY.as_str(), "");
    }
}

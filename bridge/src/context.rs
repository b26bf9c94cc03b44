//! What travels beside a request: ids, trace, deadline, caller, peer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use wharf_plugin_api::http::{CallContext, Lent};

/// Longest text kept of a request id, a caller or a principal; longer ones are cut where they enter the host.
const INLINE: usize = 64;

/// Short text without an allocation.
#[derive(Clone, Copy)]
pub struct Short {
    len: u8,
    text: [u8; INLINE],
}

impl Short {
    /// No text.
    pub const EMPTY: Self = Self { len: 0, text: [0; INLINE] };

    /// Keeps the first 64 bytes, cut at a character.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut end = text.len().min(INLINE);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let mut short = Self::EMPTY;
        if let (Some(to), Some(from)) = (short.text.get_mut(..end), text.as_bytes().get(..end)) {
            to.copy_from_slice(from);
            short.len = end as u8;
        }
        short
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = self.text.get(..usize::from(self.len)).unwrap_or_default();
        // SAFETY: only whole characters of a `str` were copied.
        unsafe { std::str::from_utf8_unchecked(bytes) }
    }
}

impl std::fmt::Debug for Short {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_str().fmt(f)
    }
}

/// A [`CallContext`] in owned form, without an allocation.
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
    /// How long the caller still waits.
    pub timeout: Option<Duration>,
    /// Request id.
    pub request_id: Short,
    /// Module that calls; empty: from outside.
    pub caller: Short,
    /// Peer address.
    pub peer: Option<SocketAddr>,
}

impl Default for Context {
    fn default() -> Self {
        Self {
            trace_id: [0; 16],
            span_id: [0; 8],
            trace_flags: 0,
            token: 0,
            timeout: None,
            request_id: Short::EMPTY,
            caller: Short::EMPTY,
            peer: None,
        }
    }
}

impl Context {
    /// Lends it as a [`CallContext`] that points into `self`.
    #[must_use]
    pub fn lend(&self) -> CallContext {
        let (peer_family, peer_port, peer_addr) = match self.peer {
            None => (0, 0, [0; 16]),
            Some(peer) => match peer.ip() {
                IpAddr::V4(ip) => {
                    let mut addr = [0; 16];
                    if let Some(head) = addr.first_chunk_mut::<4>() {
                        *head = ip.octets();
                    }
                    (4, peer.port(), addr)
                }
                IpAddr::V6(ip) => (6, peer.port(), ip.octets()),
            },
        };
        CallContext {
            size: size_of::<CallContext>() as u32,
            flags: u32::from(self.trace_flags),
            trace_id: self.trace_id,
            span_id: self.span_id,
            token: self.token,
            timeout_ns: self.timeout.map_or(u64::MAX, |t| u64::try_from(t.as_nanos()).unwrap_or(u64::MAX)),
            request_id: lent(self.request_id.as_str()),
            caller: lent(self.caller.as_str()),
            peer_family,
            peer_port,
            peer_addr,
            principal: lent(""),
        }
    }

    /// Copies a lent one.
    ///
    /// # Safety
    /// `lent` must be alive, or null.
    #[must_use]
    pub unsafe fn copy(lent: *const CallContext) -> Self {
        if lent.is_null() {
            return Self::default();
        }
        // SAFETY: alive by the caller's promise; ABI 1.0 has all of these fields.
        let lent = unsafe { &*lent };
        let peer = match lent.peer_family {
            4 => lent
                .peer_addr
                .first_chunk::<4>()
                .map(|a| SocketAddr::new(Ipv4Addr::from(*a).into(), lent.peer_port)),
            6 => Some(SocketAddr::new(Ipv6Addr::from(lent.peer_addr).into(), lent.peer_port)),
            _ => None,
        };
        Self {
            trace_id: lent.trace_id,
            span_id: lent.span_id,
            trace_flags: (lent.flags & 0xFF) as u8,
            token: lent.token,
            timeout: (lent.timeout_ns != u64::MAX).then(|| Duration::from_nanos(lent.timeout_ns)),
            // SAFETY: lent text is alive as long as the context is.
            request_id: unsafe { short(lent.request_id) },
            // SAFETY: as above.
            caller: unsafe { short(lent.caller) },
            peer,
        }
    }
}

fn lent(text: &str) -> Lent {
    Lent {
        ptr: text.as_ptr(),
        len: u32::try_from(text.len()).unwrap_or(0),
    }
}

unsafe fn short(lent: Lent) -> Short {
    // SAFETY: alive by the caller's promise.
    let bytes = unsafe { std::slice::from_raw_parts(lent.ptr, lent.len as usize) };
    std::str::from_utf8(bytes).map_or(Short::EMPTY, Short::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_survives_the_crossing() {
        let sent = Context {
            trace_id: [9; 16],
            timeout: Some(Duration::from_millis(250)),
            request_id: Short::new("req-1"),
            caller: Short::new("blog"),
            peer: Some("[::1]:4000".parse().unwrap()),
            token: 77,
            ..Context::default()
        };
        // SAFETY: `sent` is alive.
        let got = unsafe { Context::copy(&raw const *Box::new(sent.lend())) };
        assert_eq!(format!("{got:?}"), format!("{sent:?}"));
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        let long = "ä".repeat(40);
        assert_eq!(Short::new(&long).as_str(), "ä".repeat(32));
    }
}

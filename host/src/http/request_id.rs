//! Request ids and the other random numbers of the listener.

use std::cell::Cell;
use std::fmt;
use std::ops::Deref;

/// Longest id that is taken from a trusted proxy.
pub const MAX_REQUEST_ID: usize = 64;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A request id: 1 to 64 visible ASCII characters, kept inline so that copying it allocates nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId {
    len: u8,
    bytes: [u8; MAX_REQUEST_ID],
}

impl RequestId {
    /// Makes a new id: 96 random bits as 16 URL-safe characters.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0; MAX_REQUEST_ID];
        let (mut low, high) = (random_u64(), random_u64());
        for (place, byte) in bytes.iter_mut().take(16).enumerate() {
            if place == 10 {
                low = high;
            }
            *byte = ALPHABET.get((low & 63) as usize).copied().unwrap_or(b'A');
            low >>= 6;
        }
        Self { len: 16, bytes }
    }

    /// Takes an id that came from elsewhere. `None` when it is empty, too long or not visible ASCII.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.is_empty() || text.len() > MAX_REQUEST_ID || !text.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let mut bytes = [0; MAX_REQUEST_ID];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self {
            len: u8::try_from(text.len()).ok()?,
            bytes,
        })
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The id as bytes.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl Deref for RequestId {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// A random number that is never zero. Good for ids, not for secrets: each thread seeds a xoshiro256++
/// generator from the system once and asks the system no more.
#[must_use]
pub fn random_u64() -> u64 {
    thread_local! {
        static STATE: Cell<[u64; 4]> = Cell::new(seed());
    }
    STATE.with(|state| {
        let [mut a, mut b, mut c, mut d] = state.get();
        let out = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let t = b << 17;
        c ^= a;
        d ^= b;
        b ^= c;
        a ^= d;
        c ^= t;
        d = d.rotate_left(45);
        state.set([a, b, c, d]);
        out.max(1)
    })
}

fn seed() -> [u64; 4] {
    let mut bytes = [0_u8; 32];
    if getrandom::fill(&mut bytes).is_err() {
        // Without a random source the ids are still unique enough to tell requests of one process apart.
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        let place = std::ptr::from_ref(&bytes).addr() as u64;
        return [u64::from(now.subsec_nanos()), now.as_secs(), place, u64::from(std::process::id())];
    }
    let mut words = [1_u64; 4];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = chunk.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)) | 1;
    }
    words
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn random_ids_are_short_url_safe_and_differ() {
        let ids: std::collections::HashSet<_> = (0..10_000).map(|_| RequestId::random().to_string()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.len() == 16 && id.bytes().all(|b| ALPHABET.contains(&b))));
    }

    #[test]
    fn foreign_ids_must_be_short_visible_ascii() {
        assert_eq!(RequestId::parse(b"abc-123").unwrap().as_str(), "abc-123");
        assert!(RequestId::parse(b"").is_none());
        assert!(RequestId::parse(b"a b").is_none());
        assert!(RequestId::parse("ä".as_bytes()).is_none());
        assert!(RequestId::parse(&[b'x'; 64]).is_some());
        assert!(RequestId::parse(&[b'x'; 65]).is_none());
    }
}

//! From a header name to its id and back.
#![allow(
    clippy::indexing_slicing,
    reason = "tables built by const evaluation, where an index out of bounds is a compile error"
)]

use std::mem::MaybeUninit;

use http::HeaderName;
use wharf_plugin_api::http::names::NAMES;

const SLOTS: usize = 512;

/// Names by id minus one. A `static`, so that clones of the names that `http` does not know are free of locks.
static HEADER_NAMES: [HeaderName; NAMES.len()] = {
    let mut out = [const { MaybeUninit::<HeaderName>::uninit() }; NAMES.len()];
    let mut i = 0;
    while i < NAMES.len() {
        out[i] = MaybeUninit::new(HeaderName::from_static(NAMES[i]));
        i += 1;
    }
    // SAFETY: every element was written above; the types have the same layout.
    unsafe { std::mem::transmute::<[MaybeUninit<HeaderName>; NAMES.len()], [HeaderName; NAMES.len()]>(out) }
};

/// Open addressing over [`hash`]: id or 0.
static TABLE: [u8; SLOTS] = {
    let mut table = [0; SLOTS];
    let mut i = 0;
    while i < NAMES.len() {
        let mut slot = hash(NAMES[i].as_bytes());
        while table[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = i as u8 + 1;
        i += 1;
    }
    table
};

/// The name of an id, or `None` for an id this side does not know.
#[inline]
pub(crate) fn by_id(id: u8) -> Option<&'static HeaderName> {
    HEADER_NAMES.get(usize::from(id).wrapping_sub(1))
}

/// The id of a name, or 0.
#[inline]
pub(crate) fn id_of(name: &str) -> u8 {
    let mut slot = hash(name.as_bytes());
    loop {
        match TABLE.get(slot) {
            Some(0) | None => return 0,
            Some(id) => {
                if NAMES.get(usize::from(*id) - 1).is_some_and(|known| *known == name) {
                    return *id;
                }
            }
        }
        slot = (slot + 1) % SLOTS;
    }
}

/// First and last eight bytes, multiplied and shifted. The compiler turns the loads of long names into two words.
const fn hash(name: &[u8]) -> usize {
    let n = name.len();
    let (first, last) = if n >= 8 {
        (word(name, 0), word(name, n - 8))
    } else {
        (short(name), n as u64)
    };
    let mixed = (first ^ last.rotate_left(29) ^ n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 55) as usize
}

#[inline]
const fn word(name: &[u8], at: usize) -> u64 {
    let Some((_, tail)) = name.split_at_checked(at) else { return 0 };
    match tail.first_chunk::<8>() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => 0,
    }
}

const fn short(name: &[u8]) -> u64 {
    let mut word = 0_u64;
    let mut i = 0;
    while i < name.len() {
        word |= (name[i] as u64) << (8 * i);
        i += 1;
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_its_id_and_back() {
        for (i, name) in NAMES.iter().enumerate() {
            let id = id_of(name);
            assert_eq!(usize::from(id), i + 1, "{name}");
            assert_eq!(by_id(id).map(HeaderName::as_str), Some(*name));
        }
        assert_eq!(id_of("x-unknown-name"), 0);
        assert_eq!(id_of(""), 0);
        assert!(by_id(0).is_none() && by_id(255).is_none());
    }
}

//! From header names and common values to their ids and back.
#![allow(
    clippy::indexing_slicing,
    reason = "tables built by const evaluation, where an index out of bounds is a compile error"
)]

use std::mem::MaybeUninit;

use http::{HeaderName, HeaderValue};
use wharf_plugin_api::http::names::{NAMES, VALUES};

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

/// Values by id minus one; clones of a static value are free of locks too.
static HEADER_VALUES: [HeaderValue; VALUES.len()] = {
    let mut out = [const { MaybeUninit::<HeaderValue>::uninit() }; VALUES.len()];
    let mut i = 0;
    while i < VALUES.len() {
        out[i] = MaybeUninit::new(HeaderValue::from_static(VALUES[i].1));
        i += 1;
    }
    // SAFETY: every element was written above; the types have the same layout.
    unsafe { std::mem::transmute::<[MaybeUninit<HeaderValue>; VALUES.len()], [HeaderValue; VALUES.len()]>(out) }
};

/// What is compared of a name: its first and last eight bytes, which is all of it up to 16 bytes.
#[derive(Clone, Copy)]
struct Key {
    first: u64,
    last: u64,
    len: usize,
    /// 0 ends a search.
    id: u8,
    /// Id of the first value that is looked up for this name, or 0.
    values: u8,
}

/// Open addressing over [`Key::hash`].
static TABLE: [Key; SLOTS] = {
    let mut table = [Key {
        first: 0,
        last: 0,
        len: 0,
        id: 0,
        values: 0,
    }; SLOTS];
    let mut i = 0;
    while i < NAMES.len() {
        let mut key = Key::of(NAMES[i].as_bytes());
        key.id = i as u8 + 1;
        key.values = first_value(NAMES[i], 0);
        let mut slot = key.hash();
        while table[slot].id != 0 {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = key;
        i += 1;
    }
    table
};

/// By id minus one: the next value that is looked up for the same name, or 0.
static NEXT_VALUE: [u8; VALUES.len()] = {
    let mut next = [0; VALUES.len()];
    let mut i = 0;
    while i < VALUES.len() {
        next[i] = first_value(VALUES[i].0, i + 1);
        i += 1;
    }
    next
};

const _: () = assert!(NAMES.len() <= 255 && VALUES.len() <= 127);

/// The name of an id, or `None` for an id this side does not know.
#[inline]
pub(crate) fn by_id(id: u8) -> Option<&'static HeaderName> {
    HEADER_NAMES.get(usize::from(id).wrapping_sub(1))
}

/// The value of an id, or `None` for an id this side does not know.
#[inline]
pub(crate) fn value_by_id(id: u8) -> Option<&'static HeaderValue> {
    HEADER_VALUES.get(usize::from(id).wrapping_sub(1))
}

/// The ids of a name and of its value, each 0 when there is none.
#[inline]
pub(crate) fn ids_of(name: &str, value: &[u8]) -> (u8, u8) {
    let wanted = Key::of(name.as_bytes());
    let mut slot = wanted.hash();
    while let Some(key) = TABLE.get(slot) {
        if key.id == 0 {
            break;
        }
        if key.first == wanted.first && key.last == wanted.last && key.len == wanted.len && (key.len <= 16 || same_name(key.id, name)) {
            return (key.id, if key.values == 0 { 0 } else { value_id(key.values, value) });
        }
        slot = (slot + 1) % SLOTS;
    }
    (0, 0)
}

#[inline]
fn same_name(id: u8, name: &str) -> bool {
    NAMES.get(usize::from(id) - 1).is_some_and(|known| *known == name)
}

#[inline]
fn value_id(first: u8, value: &[u8]) -> u8 {
    let mut id = first;
    while let Some((_, known)) = VALUES.get(usize::from(id).wrapping_sub(1)) {
        if known.as_bytes() == value {
            return id;
        }
        id = NEXT_VALUE.get(usize::from(id) - 1).copied().unwrap_or(0);
    }
    0
}

/// Id of the first value from `from` on that stands beside `name`, or 0.
const fn first_value(name: &str, from: usize) -> u8 {
    let mut i = from;
    while i < VALUES.len() {
        if same(VALUES[i].0.as_bytes(), name.as_bytes()) {
            return i as u8 + 1;
        }
        i += 1;
    }
    0
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

impl Key {
    #[inline]
    const fn of(name: &[u8]) -> Self {
        let len = name.len();
        let (first, last) = if len >= 8 {
            (word(name, 0), word(name, len - 8))
        } else {
            (short(name), 0)
        };
        Self {
            first,
            last,
            len,
            id: 0,
            values: 0,
        }
    }

    /// Two words, multiplied and shifted.
    #[inline]
    const fn hash(&self) -> usize {
        let mixed = (self.first ^ self.last.rotate_left(29) ^ self.len as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> 55) as usize
    }
}

#[inline]
const fn word(name: &[u8], at: usize) -> u64 {
    let Some((_, tail)) = name.split_at_checked(at) else { return 0 };
    match tail.first_chunk::<8>() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => 0,
    }
}

/// Up to seven bytes, without a loop: two halves that overlap, or three single bytes that do.
#[inline]
const fn short(name: &[u8]) -> u64 {
    match (name.first_chunk::<4>(), name.last_chunk::<4>(), name) {
        (Some(head), Some(tail), _) => u32::from_le_bytes(*head) as u64 | (u32::from_le_bytes(*tail) as u64) << 32,
        (_, _, [one]) => *one as u64,
        (_, _, [one, .., last]) => *one as u64 | (name[name.len() / 2] as u64) << 8 | (*last as u64) << 16,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_its_id_and_back() {
        for (i, name) in NAMES.iter().enumerate() {
            let (id, _) = ids_of(name, b"");
            assert_eq!(usize::from(id), i + 1, "{name}");
            assert_eq!(by_id(id).map(HeaderName::as_str), Some(*name));
        }
        for unknown in [
            "x-unknown-name",
            "",
            "x",
            "sec-fetch-moda",
            "access-control-xxxxxxxxxxx-origin",
            "content-security-polizy",
        ] {
            assert_eq!(ids_of(unknown, b"gzip"), (0, 0), "{unknown}");
        }
        assert!(by_id(0).is_none() && by_id(255).is_none());
    }

    #[test]
    fn every_value_finds_its_id_and_back() {
        for (i, (name, value)) in VALUES.iter().enumerate() {
            let (_, id) = ids_of(name, value.as_bytes());
            assert_eq!(usize::from(id), i + 1, "{name}: {value}");
            assert_eq!(value_by_id(id).map(HeaderValue::as_bytes), Some(value.as_bytes()));
        }
        assert_eq!(ids_of("accept", b"text/html").1, 0);
        assert!(value_by_id(0).is_none() && value_by_id(127).is_none());
    }
}

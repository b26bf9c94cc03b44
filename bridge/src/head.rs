//! Heads: headers lent as fields, copied once by the receiver into one block.

use std::cell::{Cell, UnsafeCell};
use std::mem::MaybeUninit;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use wharf_plugin_api::http::Field;

use crate::{names, shapes};

const ON_STACK: usize = 32;

/// Runs `with` with the headers as lent fields and the sum of their value lengths. Headers for which `skip` is their
/// name stay behind.
#[inline]
pub(crate) fn lend<R>(map: &HeaderMap, skip: Option<&HeaderName>, with: impl FnOnce(&[Field], u32) -> R) -> R {
    let mut on_stack = [const { MaybeUninit::<Field>::uninit() }; ON_STACK];
    let mut values_len = 0_u32;
    if map.len() <= ON_STACK {
        let mut n = 0;
        for (name, value) in map {
            if skip == Some(name) {
                continue;
            }
            if let Some(slot) = on_stack.get_mut(n) {
                slot.write(field(name, value, &mut values_len));
                n += 1;
            }
        }
        // SAFETY: the first `n` were written.
        let fields = unsafe { std::slice::from_raw_parts(on_stack.as_ptr().cast::<Field>(), n) };
        with(fields, values_len)
    } else {
        let fields: Vec<Field> = map
            .iter()
            .filter(|(name, _)| skip != Some(*name))
            .map(|(name, value)| field(name, value, &mut values_len))
            .collect();
        with(&fields, values_len)
    }
}

#[inline]
fn field(name: &HeaderName, value: &HeaderValue, values_len: &mut u32) -> Field {
    let text = name.as_str();
    let bytes = value.as_bytes();
    let (name_id, value_id) = names::ids_of(text, bytes);
    if value_id == 0 {
        *values_len += bytes.len() as u32;
    }
    Field {
        value: bytes.as_ptr(),
        name: text.as_ptr(),
        value_len: bytes.len() as u32,
        name_len: text.len() as u16,
        name_id,
        flags: u8::from(value.is_sensitive()) | value_id << 1,
    }
}

/// Copies lent fields into `map`, all values without an id (and `extra` before them) into one block; returns the part that
/// holds `extra`.
///
/// # Safety
/// `fields` and what they point to must be alive, `values_len` must be the sum of the lengths of values without an id, names
/// must be valid lower-case header names and values valid header values, as `http` itself checked on the other side.
#[inline]
pub(crate) unsafe fn copy(fields: &[Field], values_len: u32, extra: &[u8], map: &mut HeaderMap) -> Bytes {
    // SAFETY: passed on.
    let mut block = unsafe { Block::gather(fields, extra.len() + values_len as usize, extra) };
    let first = if values_len == 0 {
        std::mem::take(&mut block)
    } else {
        block.split_to(extra.len())
    };
    if map.capacity() == 0
        && fields.len() >= shapes::SHORTEST
        && let Some(mut made) = shapes::map_for(fields)
    {
        for (to, field) in made.values_mut().zip(fields) {
            // SAFETY: passed on.
            *to = unsafe { value(field, &mut block) };
        }
        *map = made;
        return first;
    }
    map.reserve(fields.len());
    for field in fields {
        // SAFETY: passed on.
        let value = unsafe { value(field, &mut block) };
        match names::by_id(field.name_id) {
            Some(name) => drop(map.append(name, value)),
            None => {
                // SAFETY: alive by the caller's promise.
                let text = unsafe { std::slice::from_raw_parts(field.name, usize::from(field.name_len)) };
                if let Ok(name) = HeaderName::from_lowercase(text) {
                    map.append(name, value);
                }
            }
        }
    }
    first
}

/// The value of a field: a known one, or the next bytes of the block.
///
/// # Safety
/// As in [`copy`].
#[inline]
unsafe fn value(field: &Field, block: &mut Bytes) -> HeaderValue {
    let value_id = field.flags >> 1;
    let mut value = if value_id == 0 {
        // The last one takes the block itself: one count less to take and to give.
        let bytes = if field.value_len as usize == block.len() {
            std::mem::take(block)
        } else {
            block.split_to(field.value_len as usize)
        };
        // SAFETY: the bytes come from a `HeaderValue` of the other side.
        unsafe { HeaderValue::from_maybe_shared_unchecked(bytes) }
    } else if let Some(known) = names::value_by_id(value_id) {
        known.clone()
    } else {
        // A value of a longer table than ours.
        // SAFETY: alive by the caller's promise, and from a `HeaderValue` of the other side.
        unsafe {
            let text = std::slice::from_raw_parts(field.value, field.value_len as usize);
            HeaderValue::from_maybe_shared_unchecked(Bytes::copy_from_slice(text))
        }
    };
    if field.flags & 1 != 0 {
        value.set_sensitive(true);
    }
    value
}

/// Bytes that are gathered in place, in the one allocation that `Bytes::from_owner` makes.
struct Block<const N: usize> {
    fields: *const Field,
    fields_len: usize,
    extra: *const u8,
    extra_len: usize,
    len: usize,
    gathered: Cell<bool>,
    room: UnsafeCell<[MaybeUninit<u8>; N]>,
}

// SAFETY: the pointers are read only in the first `as_ref`, which `Bytes::from_owner` calls before it returns.
unsafe impl<const N: usize> Send for Block<N> {}
// SAFETY: as above; afterwards the bytes are immutable.
unsafe impl<const N: usize> Sync for Block<N> {}

impl Block<0> {
    /// # Safety
    /// As in [`copy`]; `len` is the sum of all lengths.
    #[inline]
    unsafe fn gather(fields: &[Field], len: usize, extra: &[u8]) -> Bytes {
        if len == 0 {
            return Bytes::new();
        }
        match len {
            ..=64 => Block::<64>::made(fields, len, extra),
            65..=192 => Block::<192>::made(fields, len, extra),
            193..=448 => Block::<448>::made(fields, len, extra),
            449..=960 => Block::<960>::made(fields, len, extra),
            _ => {
                let mut all = Vec::with_capacity(len);
                all.extend_from_slice(extra);
                for field in fields.iter().filter(|field| field.flags >> 1 == 0) {
                    // SAFETY: alive by the caller's promise.
                    all.extend_from_slice(unsafe { std::slice::from_raw_parts(field.value, field.value_len as usize) });
                }
                Bytes::from(all)
            }
        }
    }
}

impl<const N: usize> Block<N> {
    #[inline]
    fn made(fields: &[Field], len: usize, extra: &[u8]) -> Bytes {
        Bytes::from_owner(Self {
            fields: fields.as_ptr(),
            fields_len: fields.len(),
            extra: extra.as_ptr(),
            extra_len: extra.len(),
            len,
            gathered: Cell::new(false),
            room: UnsafeCell::new([const { MaybeUninit::uninit() }; N]),
        })
    }

    /// # Safety
    /// Only while the pointers are alive: within `made`.
    unsafe fn fill(&self) {
        let mut to = self.room.get().cast::<u8>();
        // SAFETY: `len <= N` is the sum of all lengths, so every copy stays inside; the pointers are alive.
        unsafe {
            std::ptr::copy_nonoverlapping(self.extra, to, self.extra_len);
            to = to.add(self.extra_len);
            for field in std::slice::from_raw_parts(self.fields, self.fields_len) {
                if field.flags >> 1 != 0 {
                    continue;
                }
                std::ptr::copy_nonoverlapping(field.value, to, field.value_len as usize);
                to = to.add(field.value_len as usize);
            }
        }
    }
}

impl<const N: usize> AsRef<[u8]> for Block<N> {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        if !self.gathered.replace(true) {
            // SAFETY: the first call comes from `Bytes::from_owner` inside `made`.
            unsafe { self.fill() };
        }
        // SAFETY: `fill` wrote the first `len` bytes.
        unsafe { std::slice::from_raw_parts(self.room.get().cast::<u8>(), self.len) }
    }
}

/// The code of a method, or 0 and its text.
#[inline]
pub(crate) fn method_code(method: &Method) -> (u8, &str) {
    let code = match *method {
        Method::GET => 1,
        Method::POST => 2,
        Method::PUT => 3,
        Method::DELETE => 4,
        Method::HEAD => 5,
        Method::OPTIONS => 6,
        Method::PATCH => 7,
        Method::TRACE => 8,
        Method::CONNECT => 9,
        _ => return (0, method.as_str()),
    };
    (code, "")
}

/// The method of a code or text; `None` if the text is no method.
#[inline]
pub(crate) fn method(code: u8, text: &[u8]) -> Option<Method> {
    Some(match code {
        1 => Method::GET,
        2 => Method::POST,
        3 => Method::PUT,
        4 => Method::DELETE,
        5 => Method::HEAD,
        6 => Method::OPTIONS,
        7 => Method::PATCH,
        8 => Method::TRACE,
        9 => Method::CONNECT,
        _ => return Method::from_bytes(text).ok(),
    })
}

/// The code of a version.
#[inline]
pub(crate) fn version_code(version: Version) -> u8 {
    match version {
        Version::HTTP_09 => 9,
        Version::HTTP_10 => 10,
        Version::HTTP_2 => 20,
        Version::HTTP_3 => 30,
        _ => 11,
    }
}

/// The version of a code; 1.1 for one that is not known.
#[inline]
pub(crate) fn version(code: u8) -> Version {
    match code {
        9 => Version::HTTP_09,
        10 => Version::HTTP_10,
        20 => Version::HTTP_2,
        30 => Version::HTTP_3,
        _ => Version::HTTP_11,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crossed(map: &HeaderMap) -> HeaderMap {
        lend(map, None, |fields, len| {
            let mut out = HeaderMap::new();
            // SAFETY: lent by the line above.
            let extra = unsafe { copy(fields, len, b"/path?q=1", &mut out) };
            assert_eq!(&extra[..], b"/path?q=1");
            out
        })
    }

    #[test]
    fn headers_survive_the_crossing_in_every_block_size() {
        for n in [0, 1, 3, 10, 31, 32, 33, 90] {
            let mut map = HeaderMap::new();
            for i in 0..n {
                map.append("x-many", HeaderValue::from_str(&format!("value-{i}")).unwrap());
                map.append(
                    HeaderName::from_bytes(format!("x-own-{i}").as_bytes()).unwrap(),
                    HeaderValue::from_static("v"),
                );
            }
            map.insert("content-type", HeaderValue::from_static("application/json"));
            let mut secret = HeaderValue::from_static("token");
            secret.set_sensitive(true);
            map.insert("authorization", secret);
            map.append("accept", HeaderValue::from_static("*/*"));
            map.append("accept", HeaderValue::from_static(""));
            map.append("accept-encoding", HeaderValue::from_static("gzip, deflate, br, zstd"));
            for _ in 0..3 {
                assert_eq!(crossed(&map), map);
            }
            let got = crossed(&map);
            assert!(got["authorization"].is_sensitive());
        }
    }

    #[test]
    fn known_shapes_carry_the_values_of_each_request() {
        for i in 0..5 {
            let mut map = HeaderMap::new();
            for (name, value) in [("host", "h"), ("accept", "*/*"), ("cookie", "c"), ("user-agent", "u")] {
                map.insert(name, HeaderValue::from_str(&format!("{value}{i}")).unwrap());
            }
            map.insert("te", HeaderValue::from_static("trailers"));
            assert_eq!(crossed(&map), map);
        }
    }

    #[test]
    fn an_id_of_a_longer_table_is_read_as_text() {
        let mut map = HeaderMap::new();
        map.insert("accept", HeaderValue::from_static("*/*"));
        let got = lend(&map, None, |fields, len| {
            let mut fields = fields.to_vec();
            fields[0].flags = 127 << 1;
            fields[0].name_id = 255;
            let mut out = HeaderMap::new();
            // SAFETY: lent by the line above.
            let extra = unsafe { copy(&fields, len, b"/", &mut out) };
            assert_eq!(&extra[..], b"/");
            out
        });
        assert_eq!(got, map);
    }
}

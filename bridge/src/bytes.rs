//! `bytes::Bytes` across the ABI: out without a copy or an allocation, in with at most one.

use std::mem::ManuallyDrop;

use bytes::Bytes;
use wharf_plugin_api::bytes::FfiBytes;
use wharf_plugin_api::guard_drop;

/// Below this a copy is cheaper than keeping the other side's block alive.
const COPY_UP_TO: usize = 512;

const _: () = assert!(size_of::<Bytes>() == size_of::<[*mut (); 4]>() && align_of::<Bytes>() <= align_of::<[*mut (); 4]>());

/// Moves bytes out. They stay where they are; their four words travel along.
#[must_use]
pub fn send(bytes: Bytes) -> FfiBytes {
    let (ptr, len) = (bytes.as_ptr(), bytes.len());
    // SAFETY: the sizes are equal (checked above) and `Bytes` is moved, not copied: the value is given up here.
    let state = unsafe { std::mem::transmute::<Bytes, [*mut (); 4]>(bytes) };
    // SAFETY: `Bytes` is immutable and `Send`; it lives in `state` until `drop_ours` drops it.
    unsafe { FfiBytes::from_parts(ptr, len, state, drop_ours) }
}

/// Takes bytes in: unwrapped when they were ours, copied when small, else kept alive behind a `Bytes`.
#[must_use]
pub fn receive(bytes: FfiBytes) -> Bytes {
    if std::ptr::fn_addr_eq(bytes.maker(), drop_ours as unsafe extern "C" fn(*mut [*mut (); 4])) {
        let (_, _, state, _) = bytes.into_parts();
        // SAFETY: only `send` of this image uses `drop_ours`, so the state is a `Bytes`; it was not dropped.
        return unsafe { std::mem::transmute::<[*mut (); 4], Bytes>(state) };
    }
    if bytes.as_ref().len() <= COPY_UP_TO {
        Bytes::copy_from_slice(bytes.as_ref())
    } else {
        Bytes::from_owner(bytes)
    }
}

unsafe extern "C" fn drop_ours(state: *mut [*mut (); 4]) {
    // SAFETY: `send` put a `Bytes` there, and this is called once.
    guard_drop(|| unsafe { ManuallyDrop::drop(&mut *state.cast::<ManuallyDrop<Bytes>>()) });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_bytes_come_back_as_they_were() {
        let sent = Bytes::from(vec![7; 4096]);
        let address = sent.as_ptr();
        let back = receive(send(sent));
        assert_eq!(back.as_ptr(), address);
        assert!(back.iter().all(|b| *b == 7));
    }
}

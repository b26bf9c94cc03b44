//! A piece of immutable bytes that carries its own way of being freed.

use abi_stable::StableAbi;

/// Bytes owned by whoever holds this; freed by the image that made them. Moving it moves four words of state that only
/// the maker reads, so a `bytes::Bytes` crosses without a copy and without an allocation.
#[repr(C)]
#[derive(StableAbi)]
pub struct FfiBytes {
    ptr: *const u8,
    len: usize,
    #[sabi(unsafe_opaque_field)]
    state: [*mut (); 4],
    #[sabi(unsafe_opaque_field)]
    drop: unsafe extern "C" fn(*mut [*mut (); 4]),
}

// SAFETY: the bytes are immutable, and makers promise that their state may be dropped on any thread.
unsafe impl Send for FfiBytes {}
// SAFETY: as above.
unsafe impl Sync for FfiBytes {}

impl FfiBytes {
    /// No bytes.
    pub const EMPTY: Self = Self {
        ptr: std::ptr::dangling(),
        len: 0,
        state: [std::ptr::null_mut(); 4],
        drop: nothing,
    };

    /// From parts. `drop` must not unwind.
    ///
    /// # Safety
    /// `ptr` must be readable for `len` bytes, and the bytes must not change, until `drop` was called with `state`;
    /// that may happen on any thread, and the state may be moved before.
    #[must_use]
    pub const unsafe fn from_parts(ptr: *const u8, len: usize, state: [*mut (); 4], drop: unsafe extern "C" fn(*mut [*mut (); 4])) -> Self {
        Self { ptr, len, state, drop }
    }

    /// Takes it apart without dropping.
    #[must_use]
    pub fn into_parts(self) -> (*const u8, usize, [*mut (); 4], unsafe extern "C" fn(*mut [*mut (); 4])) {
        let this = std::mem::ManuallyDrop::new(self);
        (this.ptr, this.len, this.state, this.drop)
    }

    /// The function that frees it: an address that tells the image that made it.
    #[must_use]
    pub fn maker(&self) -> unsafe extern "C" fn(*mut [*mut (); 4]) {
        self.drop
    }
}

impl AsRef<[u8]> for FfiBytes {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: promised in `from_parts`.
        unsafe { std::slice::from_raw_parts(self.ptr, self.len) }
    }
}

impl Drop for FfiBytes {
    fn drop(&mut self) {
        // SAFETY: promised in `from_parts`; called once.
        unsafe { (self.drop)(&raw mut self.state) }
    }
}

impl std::fmt::Debug for FfiBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FfiBytes({} bytes)", self.len)
    }
}

unsafe extern "C" fn nothing(_: *mut [*mut (); 4]) {}

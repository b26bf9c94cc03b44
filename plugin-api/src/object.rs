//! Finding things by name and major version: how services and exports are asked for, compared and handed over.

use std::mem::{ManuallyDrop, MaybeUninit};

use abi_stable::StableAbi;
use abi_stable::type_layout::TypeLayout;

use crate::fault::Fault;
use crate::guard::guard_drop;
use crate::layout;

/// A core service or an export: a type that is asked for by name and major version.
pub trait Interface: StableAbi + Send + Sync + Sized + 'static {
    /// Such as `log`.
    const NAME: &'static str;
    /// Changes when the interface changes in a way that the growth rules do not allow.
    const MAJOR: u16;
}

/// Writes `value` for someone who asked with the layout `wanted`. The asker's layout is the interface: ours may have
/// more methods at its end.
///
/// # Errors
/// [`FaultCode::LAYOUT`](crate::FaultCode::LAYOUT) with the place where they differ; nothing is written then.
///
/// # Safety
/// `wanted` must be the layout of the type that `out` has room for.
pub unsafe fn give<T: Interface>(value: T, wanted: &'static TypeLayout, out: *mut ()) -> Result<(), Fault> {
    layout::check(wanted, T::LAYOUT)?;
    // SAFETY: the layouts agree, so `out` has room for a `T`.
    unsafe { out.cast::<T>().write(value) };
    Ok(())
}

/// Asks with a room for a `T` and its layout.
///
/// # Errors
/// What `ask` says.
///
/// # Safety
/// `ask` must write a `T` when it returns `Ok`.
pub unsafe fn receive<T: Interface>(ask: impl FnOnce(&'static TypeLayout, *mut ()) -> Result<(), Fault>) -> Result<T, Fault> {
    let mut out = MaybeUninit::<T>::uninit();
    ask(T::LAYOUT, out.as_mut_ptr().cast())?;
    // SAFETY: `ask` returned `Ok`.
    Ok(unsafe { out.assume_init() })
}

/// An object of a type that the receiver knows only after it compared the layouts. The receiver owns it.
#[repr(C)]
#[derive(StableAbi)]
pub struct AnyObject {
    layout: &'static TypeLayout,
    #[sabi(unsafe_opaque_field)]
    state: *mut (),
    #[sabi(unsafe_opaque_field)]
    take: unsafe extern "C" fn(*mut (), *mut ()),
    #[sabi(unsafe_opaque_field)]
    drop: unsafe extern "C" fn(*mut ()),
}

// SAFETY: made only from `Interface` types, which are `Send` and `Sync`.
unsafe impl Send for AnyObject {}

impl AnyObject {
    /// Boxes a value together with its layout.
    #[must_use]
    pub fn new<T: Interface>(value: T) -> Self {
        Self {
            layout: T::LAYOUT,
            state: Box::into_raw(Box::new(value)).cast(),
            take: take_in::<T>,
            drop: drop_in::<T>,
        }
    }

    /// Compares and unpacks. Ours is the interface, the giver's the implementation.
    ///
    /// # Errors
    /// [`FaultCode::LAYOUT`](crate::FaultCode::LAYOUT) with the place where they differ.
    pub fn open<T: Interface>(self) -> Result<T, Fault> {
        layout::check(T::LAYOUT, self.layout)?;
        let this = ManuallyDrop::new(self);
        let mut out = MaybeUninit::<T>::uninit();
        // SAFETY: the layouts agree, so the giver writes what we have room for; `this` is not dropped.
        unsafe { (this.take)(this.state, out.as_mut_ptr().cast()) };
        // SAFETY: `take` moved the value to `out`.
        Ok(unsafe { out.assume_init() })
    }
}

impl Drop for AnyObject {
    fn drop(&mut self) {
        // SAFETY: we own the state, and the function belongs to it.
        unsafe { (self.drop)(self.state) }
    }
}

impl std::fmt::Debug for AnyObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("AnyObject").field(&self.layout.name()).finish()
    }
}

unsafe extern "C" fn take_in<T>(state: *mut (), out: *mut ()) {
    // SAFETY: `state` came from `new` with this `T` and is given up; `out` has room for a `T`.
    unsafe { out.cast::<T>().write(*Box::from_raw(state.cast::<T>())) };
}

unsafe extern "C" fn drop_in<T>(state: *mut ()) {
    // SAFETY: `state` came from `new` with this `T` and is given up.
    guard_drop(|| drop(unsafe { Box::from_raw(state.cast::<T>()) }));
}

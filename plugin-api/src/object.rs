//! Finding things by name and major version: how services and exports are asked for, compared and handed over.

use std::mem::{ManuallyDrop, MaybeUninit};

use abi_stable::StableAbi;
use abi_stable::type_layout::TypeLayout;

use crate::fault::{Fault, FaultCode};
use crate::guard::guard_drop;
use crate::layout;

/// A core service or an export: a type that is asked for by name and major version.
pub trait Interface: StableAbi + Send + Sync + Sized + 'static {
    /// Such as `log`.
    const NAME: &'static str;
    /// Changes when the interface changes in a way that the growth rules do not allow.
    const MAJOR: u16;
}

/// Room for an object that was asked for, with the layout of what fits in. Made by [`receive`] alone, so that whoever gets
/// one can fill it without `unsafe`.
#[repr(C)]
#[derive(StableAbi, Debug)]
pub struct Room<'a> {
    layout: &'static TypeLayout,
    #[sabi(unsafe_opaque_field)]
    out: *mut (),
    filled: &'a mut bool,
}

impl Room<'_> {
    /// Moves `value` in. The asker's layout is the interface: ours may have more methods at its end.
    ///
    /// # Errors
    /// [`FaultCode::LAYOUT`](crate::FaultCode::LAYOUT) with the place where they differ; nothing is written then.
    pub fn fill<T: Interface>(self, value: T) -> Result<(), Fault> {
        layout::check(self.layout, T::LAYOUT)?;
        // SAFETY: the layouts agree, and `receive` made `out` for a value of its layout.
        unsafe { self.out.cast::<T>().write(value) };
        *self.filled = true;
        Ok(())
    }
}

/// Asks with room for a `T`.
///
/// # Errors
/// What `ask` says; [`FaultCode::INTERNAL`](crate::FaultCode::INTERNAL) when it says `Ok` and left the room empty.
pub fn receive<T: Interface>(ask: impl FnOnce(Room<'_>) -> Result<(), Fault>) -> Result<T, Fault> {
    let mut out = MaybeUninit::<T>::uninit();
    let mut filled = false;
    ask(Room {
        layout: T::LAYOUT,
        out: out.as_mut_ptr().cast(),
        filled: &mut filled,
    })?;
    if !filled {
        return Err(Fault::new(FaultCode::INTERNAL, format!("{} was promised and not given", T::NAME)));
    }
    // SAFETY: `Room::fill` wrote a value of this layout.
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

//! No panic crosses the ABI: every entry point, both ways, runs its body in [`guard`] or [`guard_drop`].
//!
//! `catch_unwind` must be compiled into the image whose code panics, so these are generic and inlined there.
//! An unguarded panic in a `sabi_trait` method exits the process, one in an `extern "C"` function aborts it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::fault::{Fault, FaultCode};

/// Runs `body`; a panic becomes a [`Fault`] with [`FaultCode::PANICKED`] and the panic's message.
///
/// # Errors
/// Only when `body` panics.
#[inline]
pub fn guard<R>(body: impl FnOnce() -> R) -> Result<R, Fault> {
    catch_unwind(AssertUnwindSafe(body)).map_err(panicked)
}

/// Runs a `drop`; a panic is swallowed here. The panic hook has reported it already.
#[inline]
pub fn guard_drop(body: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(body)) {
        drop_payload(payload);
    }
}

#[cold]
fn panicked(payload: Box<dyn Any + Send>) -> Fault {
    let message = payload_message(&*payload);
    drop_payload(payload);
    Fault::new(FaultCode::PANICKED, message)
}

/// The text of a panic payload.
#[must_use]
pub fn payload_message(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic whose payload is not text".to_owned()
    }
}

/// A payload may panic in its own drop; that one is forgotten.
fn drop_payload(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(move || drop(payload))) {
        std::mem::forget(second);
    }
}

//! A waker across the ABI: borrowed for the time of one poll, cloned with one allocation.
//!
//! The polling side lends a [`WakerHead`] that starts a struct only it knows. The polled side makes a
//! [`std::task::Waker`] of it whose table is its own and whose data is the pointer; cloning asks the owner for a
//! pointer that lives until it is dropped or woken.

use std::mem::ManuallyDrop;
use std::task::{Context, RawWaker, RawWakerVTable, Waker};

use crate::guard::guard_drop;

/// What stands first in every waker that crosses. Borrowed during a poll, owned after `clone`.
#[repr(C)]
#[derive(Debug)]
pub struct WakerHead {
    vt: *const WakerVt,
}

/// What a waker can do. Any thread may call any of them.
#[repr(C)]
#[derive(Debug)]
pub struct WakerVt {
    abi: u32,
    size: u32,
    clone: unsafe extern "C" fn(*const WakerHead) -> *const WakerHead,
    wake: unsafe extern "C" fn(*const WakerHead),
    wake_by_ref: unsafe extern "C" fn(*const WakerHead),
    drop: unsafe extern "C" fn(*const WakerHead),
}

#[repr(C)]
struct Lent<'a> {
    head: WakerHead,
    waker: &'a Waker,
}

#[repr(C)]
struct Owned {
    head: WakerHead,
    waker: Waker,
}

static LENT: WakerVt = WakerVt {
    abi: 1,
    size: size_of::<WakerVt>() as u32,
    clone: lent_clone,
    wake: lent_wake_by_ref,
    wake_by_ref: lent_wake_by_ref,
    drop: lent_drop,
};

static OWNED: WakerVt = WakerVt {
    abi: 1,
    size: size_of::<WakerVt>() as u32,
    clone: owned_clone,
    wake: owned_wake,
    wake_by_ref: owned_wake_by_ref,
    drop: owned_drop,
};

static RAW: RawWakerVTable = RawWakerVTable::new(raw_clone, raw_wake, raw_wake_by_ref, raw_drop);

/// Lends the waker of `cx` to `poll`, which passes the pointer across the ABI.
#[inline]
pub fn lend<R>(cx: &Context<'_>, poll: impl FnOnce(*const WakerHead) -> R) -> R {
    let lent = Lent {
        head: WakerHead { vt: &raw const LENT },
        waker: cx.waker(),
    };
    poll((&raw const lent).cast())
}

/// Makes a context of a lent waker for the time of `poll`.
///
/// # Safety
/// `head` must have come through [`lend`] of the other side and be alive during `poll`.
#[inline]
pub unsafe fn with_context<R>(head: *const WakerHead, poll: impl FnOnce(&mut Context<'_>) -> R) -> R {
    // SAFETY: RAW upholds the contract of wakers as long as `head` lives, and `ManuallyDrop` keeps the lent one from
    // being dropped: it is not ours.
    let waker = ManuallyDrop::new(unsafe { Waker::from_raw(RawWaker::new(head.cast(), &RAW)) });
    poll(&mut Context::from_waker(&waker))
}

fn own(waker: Waker) -> *const WakerHead {
    Box::into_raw(Box::new(Owned {
        head: WakerHead { vt: &raw const OWNED },
        waker,
    }))
    .cast_const()
    .cast()
}

unsafe extern "C" fn lent_clone(head: *const WakerHead) -> *const WakerHead {
    // SAFETY: `head` starts a `Lent` that is alive, as LENT stands only in one.
    let lent = unsafe { &*head.cast::<Lent<'_>>() };
    own(lent.waker.clone())
}

unsafe extern "C" fn lent_wake_by_ref(head: *const WakerHead) {
    // SAFETY: as in `lent_clone`.
    let lent = unsafe { &*head.cast::<Lent<'_>>() };
    guard_drop(|| lent.waker.wake_by_ref());
}

unsafe extern "C" fn lent_drop(_: *const WakerHead) {}

unsafe extern "C" fn owned_clone(head: *const WakerHead) -> *const WakerHead {
    // SAFETY: `head` starts an `Owned` that is alive, as OWNED stands only in one.
    own(unsafe { &*head.cast::<Owned>() }.waker.clone())
}

unsafe extern "C" fn owned_wake(head: *const WakerHead) {
    // SAFETY: made by `own`; the caller gives it up.
    let owned = unsafe { Box::from_raw(head.cast_mut().cast::<Owned>()) };
    guard_drop(move || owned.waker.wake());
}

unsafe extern "C" fn owned_wake_by_ref(head: *const WakerHead) {
    // SAFETY: as in `owned_clone`.
    let owned = unsafe { &*head.cast::<Owned>() };
    guard_drop(|| owned.waker.wake_by_ref());
}

unsafe extern "C" fn owned_drop(head: *const WakerHead) {
    // SAFETY: made by `own`; the caller gives it up.
    let owned = unsafe { Box::from_raw(head.cast_mut().cast::<Owned>()) };
    guard_drop(move || drop(owned));
}

/// The table of the other side. Every waker pointer starts with a head whose table is `'static` in its image.
unsafe fn vt<'a>(head: *const ()) -> &'a WakerVt {
    // SAFETY: the callers pass the data of a waker made in `with_context` or `raw_clone`.
    unsafe { &*(*head.cast::<WakerHead>()).vt }
}

unsafe fn raw_clone(head: *const ()) -> RawWaker {
    // SAFETY: `head` is alive, by the contract of wakers.
    RawWaker::new(unsafe { (vt(head).clone)(head.cast()) }.cast(), &RAW)
}

unsafe fn raw_wake(head: *const ()) {
    // SAFETY: as in `raw_clone`; the waker is given up.
    unsafe { (vt(head).wake)(head.cast()) }
}

unsafe fn raw_wake_by_ref(head: *const ()) {
    // SAFETY: as in `raw_clone`.
    unsafe { (vt(head).wake_by_ref)(head.cast()) }
}

unsafe fn raw_drop(head: *const ()) {
    // SAFETY: as in `raw_wake`.
    unsafe { (vt(head).drop)(head.cast()) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_clone_outlives_the_poll_and_wakes_once() {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(count.clone());
        let kept = lend(&Context::from_waker(&waker), |head| {
            // SAFETY: `head` is lent by the line above.
            unsafe { with_context(head, |cx| (cx.waker().clone(), cx.waker().wake_by_ref()).0) }
        });
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        let again = kept.clone();
        kept.wake();
        again.wake_by_ref();
        assert_eq!(count.0.load(Ordering::Relaxed), 3);
        drop(again);
        assert_eq!(Arc::strong_count(&count), 2, "only `count` and `waker` are left");
    }
}

//! A future across the ABI for the control plane: one allocation, guarded in `poll` and in `drop`.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use abi_stable::StableAbi;
use abi_stable::std_types::RResult;

use crate::fault::{Fault, FaultCode};
use crate::guard::{guard, guard_drop};
use crate::waker::{WakerHead, lend, with_context};

const PENDING: u8 = 0;
const READY: u8 = 1;
const FAULT: u8 = 2;

/// A future that resolves to `Result<T, Fault>`. The receiver polls it on any thread, one at a time, and owns it;
/// dropping it ends the work. A panic while polling arrives as a fault with [`FaultCode::PANICKED`].
#[repr(C)]
#[derive(StableAbi)]
#[must_use = "futures do nothing unless polled"]
pub struct FfiFuture<T> {
    #[sabi(unsafe_opaque_field)]
    state: *mut (),
    #[sabi(unsafe_opaque_field)]
    vt: *const FutureVt,
    marker: PhantomData<T>,
}

/// Behind the pointers of an [`FfiFuture`]; `abi` and `size` come first, since the layout check cannot see in here.
#[repr(C)]
struct FutureVt {
    abi: u32,
    size: u32,
    /// Writes a `T` to `out` and returns `READY`, or a [`Fault`] to `fault` and returns `FAULT`, or `PENDING`.
    poll: unsafe extern "C" fn(*mut (), *const WakerHead, out: *mut (), fault: *mut Fault) -> u8,
    drop: unsafe extern "C" fn(*mut ()),
}

// SAFETY: made only from `Send` futures, and polled through `&mut`.
unsafe impl<T: Send> Send for FfiFuture<T> {}

struct Vt<T, F>(PhantomData<(T, F)>);

impl<T, F: Future<Output = Result<T, Fault>>> Vt<T, F> {
    const VT: &'static FutureVt = &FutureVt {
        abi: 1,
        size: size_of::<FutureVt>() as u32,
        poll: poll_in::<T, F>,
        drop: drop_in::<F>,
    };
}

impl<T> FfiFuture<T> {
    /// Boxes `future`. Its code runs in this image and is guarded here.
    pub fn new<F>(future: F) -> Self
    where
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let state = Box::into_raw(Box::new(Some(future)));
        Self {
            state: state.cast(),
            vt: Vt::<T, F>::VT,
            marker: PhantomData,
        }
    }

    /// A future that is ready.
    pub fn ready(result: Result<T, Fault>) -> Self
    where
        T: Send + 'static,
    {
        Self::new(std::future::ready(result))
    }
}

unsafe extern "C" fn poll_in<T, F: Future<Output = Result<T, Fault>>>(
    state: *mut (),
    waker: *const WakerHead,
    out: *mut (),
    fault: *mut Fault,
) -> u8 {
    // SAFETY: `state` came from `new` with this `F`, and the receiver polls through `&mut`.
    let slot = unsafe { &mut *state.cast::<Option<F>>() };
    let polled = guard(|| {
        let Some(future) = slot.as_mut() else {
            return Poll::Ready(Err(Fault::new(FaultCode::INTERNAL, "a future was polled after it had ended")));
        };
        // SAFETY: the future is boxed and never moved; the waker is lent for the time of this call.
        unsafe { with_context(waker, |cx| Pin::new_unchecked(future).poll(cx)) }
    });
    let result = match polled {
        Ok(Poll::Pending) => return PENDING,
        Ok(Poll::Ready(result)) => result,
        Err(panicked) => Err(panicked),
    };
    guard_drop(|| *slot = None);
    match result {
        Ok(value) => {
            // SAFETY: `out` points to room for a `T`.
            unsafe { out.cast::<T>().write(value) };
            READY
        }
        Err(error) => {
            // SAFETY: `fault` points to room for a `Fault`.
            unsafe { fault.write(error) };
            FAULT
        }
    }
}

unsafe extern "C" fn drop_in<F>(state: *mut ()) {
    // SAFETY: `state` came from `new` with this `F` and is given up.
    guard_drop(|| drop(unsafe { Box::from_raw(state.cast::<Option<F>>()) }));
}

// The state is behind a pointer of its own.
impl<T> Unpin for FfiFuture<T> {}

impl<T> Future for FfiFuture<T> {
    type Output = Result<T, Fault>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut out = std::mem::MaybeUninit::<T>::uninit();
        let mut fault = std::mem::MaybeUninit::<Fault>::uninit();
        let state = self.state;
        // SAFETY: state and table were made together by `new` of the other side; the table is `'static` there.
        let code = unsafe {
            lend(cx, |head| {
                ((*self.vt).poll)(state, head, out.as_mut_ptr().cast(), fault.as_mut_ptr())
            })
        };
        match code {
            PENDING => Poll::Pending,
            // SAFETY: `READY` says that a `T` was written.
            READY => Poll::Ready(Ok(unsafe { out.assume_init() })),
            // SAFETY: `FAULT` says that a `Fault` was written.
            _ => Poll::Ready(Err(unsafe { fault.assume_init() })),
        }
    }
}

impl<T> Drop for FfiFuture<T> {
    fn drop(&mut self) {
        // SAFETY: we own the state, and the table belongs to it.
        unsafe { ((*self.vt).drop)(self.state) }
    }
}

impl<T> std::fmt::Debug for FfiFuture<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FfiFuture")
    }
}

/// An answer that is there, or comes: what is there costs no allocation and no task. The receiver owns it.
#[repr(u8)]
#[derive(StableAbi)]
#[must_use = "what comes later is done only when it is awaited"]
pub enum Answer<T> {
    /// It is there.
    Ready(RResult<T, Fault>),
    /// It comes.
    Later(FfiFuture<T>),
}

impl<T> Answer<T> {
    /// Waits for it.
    ///
    /// # Errors
    /// What the other side answered.
    pub async fn get(self) -> Result<T, Fault> {
        match self {
            Self::Ready(result) => result.into_result(),
            Self::Later(future) => future.await,
        }
    }
}

impl<T> std::fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ready(_) => "Answer::Ready",
            Self::Later(_) => "Answer::Later",
        })
    }
}

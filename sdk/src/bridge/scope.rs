//! Who is running on this thread: set in every entry point, restored when it returns.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context as TaskContext, Poll};

use tokio::runtime::EnterGuard;
use wharf_bridge::body::Scope;
use wharf_bridge::{Context, Received};

use super::core::{Core, Tasks};

/// One call, as long as its future or its response body lives.
pub struct CallScope {
    pub(crate) core: Arc<Core>,
    pub(crate) context: Received,
    /// Whether it is an event or a run, which no one has called.
    pub(crate) is_own: bool,
}

/// What is set while code of an instance runs. Dropping it restores what was set before.
pub struct Entered<'a> {
    before: Frame,
    _runtime: Option<EnterGuard<'a>>,
}

#[derive(Clone, Copy)]
struct Frame {
    core: *const Core,
    call: *const CallScope,
}

/// The place on which a thread of a module's own runtime finds the instance it works for.
pub(crate) type Seat = Arc<OnceLock<Weak<Core>>>;

thread_local! {
    // `const` and without a destructor: the hot path sets and restores two words.
    static CURRENT: Cell<Frame> = const { Cell::new(Frame { core: std::ptr::null(), call: std::ptr::null() }) };
    static SEAT: RefCell<Option<Seat>> = const { RefCell::new(None) };
}

/// Enters an instance, and a call of it.
#[inline]
pub(crate) fn enter<'a>(core: &'a Core, call: Option<&'a CallScope>) -> Entered<'a> {
    let frame = Frame {
        core,
        call: call.map_or(std::ptr::null(), std::ptr::from_ref),
    };
    let runtime = match &core.runtime {
        Tasks::Own(Some(runtime)) => Some(runtime.enter()),
        Tasks::Own(None) | Tasks::Program(_) | Tasks::Host(_) => None,
    };
    Entered {
        before: CURRENT.replace(frame),
        _runtime: runtime,
    }
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        CURRENT.set(self.before);
    }
}

/// Tells this thread of a module's own runtime whom it works for.
pub(crate) fn sit_down(seat: Seat) {
    SEAT.with(|place| place.replace(Some(seat)));
}

/// Runs `with` with the instance that is running on this thread.
pub(crate) fn current_core<R>(with: impl FnOnce(&Core) -> R) -> Option<R> {
    let frame = CURRENT.try_with(Cell::get).ok()?;
    if !frame.core.is_null() {
        // SAFETY: an `Entered` set it and outlives this call: it is restored before the borrow it holds ends.
        return Some(with(unsafe { &*frame.core }));
    }
    let seat = SEAT.try_with(|place| place.borrow().clone()).ok()??;
    seat.get()?.upgrade().map(|core| with(&core))
}

/// Runs `with` with the call that is being handled on this thread.
pub(crate) fn current_call<R>(with: impl FnOnce(&CallScope) -> R) -> Option<R> {
    let frame = CURRENT.get();
    // SAFETY: as in `current_core`.
    (!frame.call.is_null()).then(|| with(unsafe { &*frame.call }))
}

impl CallScope {
    /// For work that belongs to no call.
    pub(crate) fn detached(core: Arc<Core>) -> Self {
        Self {
            core,
            context: Received::own(Context::default()),
            is_own: true,
        }
    }

    /// For an event or a run, which the module works on in its own name.
    pub(crate) fn own(core: Arc<Core>) -> Self {
        // Ids of modules need no escaping.
        let principal = format!("{{\"kind\":\"module\",\"id\":\"{}\"}}", core.identity.module);
        Self {
            core,
            context: Received::own_of(Context::default(), principal.as_bytes()),
            is_own: true,
        }
    }
}

impl Clone for CallScope {
    /// A clone outlives the start of the call, so it has a copy of what is lent.
    fn clone(&self) -> Self {
        Self {
            core: self.core.clone(),
            context: self.context.kept(),
            is_own: self.is_own,
        }
    }
}

impl Scope for CallScope {
    type Guard<'a> = Entered<'a>;

    #[inline]
    fn enter(&self) -> Entered<'_> {
        enter(&self.core, Some(self))
    }

    #[inline]
    fn keep(&mut self) {
        self.context.keep();
    }
}

/// A future of an instance outside any call: entered in every poll, and in its drop.
pub(crate) struct Scoped<F> {
    core: Arc<Core>,
    /// The event or run it works on, if any.
    call: Option<CallScope>,
    /// `None` once it has ended.
    future: Option<F>,
}

impl<F> Scoped<F> {
    pub(crate) fn new(core: Arc<Core>, future: F) -> Self {
        Self {
            core,
            call: None,
            future: Some(future),
        }
    }

    /// The same for an event or a run.
    pub(crate) fn of_own(core: Arc<Core>, future: F) -> Self {
        Self {
            call: Some(CallScope::own(core.clone())),
            core,
            future: Some(future),
        }
    }

    fn end(self: Pin<&mut Self>) {
        // SAFETY: the future is dropped in place.
        let this = unsafe { self.get_unchecked_mut() };
        let _entered = enter(&this.core, this.call.as_ref());
        this.future = None;
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<F::Output> {
        // SAFETY: the future is only polled and dropped in place.
        let this = unsafe { self.as_mut().get_unchecked_mut() };
        let polled = {
            let _entered = enter(&this.core, this.call.as_ref());
            match &mut this.future {
                // SAFETY: as above.
                Some(future) => unsafe { Pin::new_unchecked(future) }.poll(cx),
                None => Poll::Pending,
            }
        };
        if polled.is_ready() {
            self.end();
        }
        polled
    }
}

impl<F> Drop for Scoped<F> {
    fn drop(&mut self) {
        if self.future.is_some() {
            // SAFETY: `self` is being dropped and is not moved any more.
            unsafe { Pin::new_unchecked(self) }.end();
        }
    }
}

//! Who is running on this thread, and the watchdog that sees a module that does not come back.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};
use std::task::Waker;
use std::time::Duration;

use tokio::runtime::Handle;

use super::endpoint::CallInfo;
use super::standing::Standing;

/// How often the watchdog looks.
const TICK: Duration = Duration::from_millis(20);

/// Ticks since the watchdog started; 1 at the least, so that 0 means "not polling".
static NOW: AtomicU64 = AtomicU64::new(1);
/// A place for each thread that was ever inside a module.
static PLACES: Mutex<Vec<Weak<Place>>> = Mutex::new(Vec::new());

/// What a thread of the host is doing: written by it, read by the watchdog.
#[derive(Default)]
struct Place {
    /// Tick at which it went into a module, 0 when it is in none.
    since: AtomicU64,
    /// Whom it went into. Only locked when it changes, which is rare: a thread mostly serves the same few modules.
    inside: Mutex<Option<Arc<Standing>>>,
    /// The runtime whose worker this thread is.
    runtime: Option<Handle>,
}

/// A visit of this thread in a module. Dropping it restores what was before.
pub struct Visit<'a> {
    before: Frame,
    since_before: u64,
    standing: &'a Arc<Standing>,
}

#[derive(Clone, Copy)]
struct Frame {
    standing: *const Arc<Standing>,
    call: *const CallInfo,
}

/// What a thread knows of itself: without a destructor, so that reading it asks nothing first.
struct Here {
    frame: Cell<Frame>,
    /// Null before the first visit; kept alive by `SEAT`.
    place: Cell<*const Place>,
    /// Which standing the place names, to see without a lock whether it is the same.
    named: Cell<*const Standing>,
}

const OUTSIDE: Frame = Frame {
    standing: std::ptr::null(),
    call: std::ptr::null(),
};

thread_local! {
    static HERE: Here = const { Here { frame: Cell::new(OUTSIDE), place: Cell::new(std::ptr::null()), named: Cell::new(std::ptr::null()) } };
    static SEAT: Seat = Seat::take();
}

/// Keeps this thread's place until the thread ends.
struct Seat(Arc<Place>);

impl Seat {
    fn take() -> Self {
        start_watchdog();
        let place = Arc::new(Place {
            runtime: Handle::try_current().ok(),
            ..Place::default()
        });
        let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|known| known.strong_count() > 0);
        places.push(Arc::downgrade(&place));
        Self(place)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        HERE.with(|here| here.place.set(std::ptr::null()));
    }
}

impl Here {
    /// The place of this thread; none when it is about to end.
    #[inline]
    fn place(&self) -> Option<&Place> {
        if self.place.get().is_null() {
            self.take_seat();
        }
        // SAFETY: either null or in an `Arc` that lives until `Seat::drop` has set it to null again.
        unsafe { self.place.get().as_ref() }
    }

    #[cold]
    fn take_seat(&self) {
        let _ = SEAT.try_with(|seat| self.place.set(Arc::as_ptr(&seat.0)));
    }

    #[inline]
    fn name(&self, place: &Place, standing: &Arc<Standing>) {
        if self.named.get() != Arc::as_ptr(standing) {
            self.rename(place, standing);
        }
    }

    #[cold]
    fn rename(&self, place: &Place, standing: &Arc<Standing>) {
        // The watchdog must not take the time of the one for that of the other.
        place.since.store(0, Ordering::Release);
        self.named.set(Arc::as_ptr(standing));
        *place.inside.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(standing));
    }
}

/// Goes into a module on this thread; `None` when too many threads are in it, and then `waker` is woken later. Without a
/// waker it always goes in.
#[inline]
pub fn visit<'a>(standing: &'a Arc<Standing>, call: Option<&'a CallInfo>, waker: Option<&Waker>) -> Option<Visit<'a>> {
    if !standing.take_thread(waker) {
        return None;
    }
    let frame = Frame {
        standing,
        call: call.map_or(std::ptr::null(), std::ptr::from_ref),
    };
    HERE.with(|here| {
        let before = here.frame.replace(frame);
        let mut since_before = 0;
        if let Some(place) = here.place() {
            // Only this thread writes it: a load and a store do, where a swap would lock.
            since_before = place.since.load(Ordering::Relaxed);
            here.name(place, standing);
            place.since.store(NOW.load(Ordering::Relaxed), Ordering::Release);
        }
        Some(Visit {
            before,
            since_before,
            standing,
        })
    })
}

impl Drop for Visit<'_> {
    #[inline]
    fn drop(&mut self) {
        HERE.with(|here| {
            here.frame.set(self.before);
            let Some(place) = here.place() else { return };
            let since = place.since.load(Ordering::Relaxed);
            if !self.before.standing.is_null() {
                // SAFETY: the visit that set it is further up this thread's stack and outlives this one.
                here.name(place, unsafe { &*self.before.standing });
            }
            place.since.store(self.since_before, Ordering::Release);
            let now = NOW.load(Ordering::Relaxed);
            if now != since {
                self.was_seen(now.saturating_sub(since));
            }
        });
        self.standing.give_thread();
    }
}

impl Visit<'_> {
    /// At least one tick has passed.
    #[cold]
    fn was_seen(&self, ticks: u64) {
        if TICK * u32::try_from(ticks).unwrap_or(u32::MAX) >= self.standing.limits.slow_poll {
            self.standing.polled();
        }
    }
}

/// A stay of this thread in a module that the watchdog does not time: the thread is the module's to lose.
pub struct Stay {
    before: Frame,
}

/// Goes into a module on a thread that is lost if it does not come back.
#[must_use]
pub fn stay(standing: &Arc<Standing>) -> Stay {
    let frame = Frame {
        standing,
        call: std::ptr::null(),
    };
    Stay {
        before: HERE.with(|here| here.frame.replace(frame)),
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        HERE.with(|here| here.frame.set(self.before));
    }
}

/// Runs `with` with the instance and the call that this thread is working on.
pub fn with<R>(with: impl FnOnce(Option<&Arc<Standing>>, Option<&CallInfo>) -> R) -> R {
    let frame = HERE.with(|here| here.frame.get());
    // SAFETY: both were set by a visit that is further up this thread's stack, whose borrows last until it is dropped.
    unsafe { with(frame.standing.as_ref(), frame.call.as_ref()) }
}

fn start_watchdog() {
    static START: Once = Once::new();
    START.call_once(|| {
        let started = std::thread::Builder::new().name("wharf-watchdog".to_owned()).spawn(|| {
            loop {
                #[allow(clippy::disallowed_methods, reason = "a thread of its own, that does nothing else")]
                std::thread::sleep(TICK);
                let now = NOW.fetch_add(1, Ordering::Relaxed) + 1;
                look(now);
            }
        });
        if let Err(error) = started {
            tracing::error!(error = %error, "the watchdog cannot run: modules that block their thread are not seen");
        }
    });
}

fn look(now: u64) {
    let places: Vec<_> = PLACES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
        .filter_map(Weak::upgrade)
        .collect();
    for place in places {
        let since = place.since.load(Ordering::Acquire);
        if since == 0 || now.saturating_sub(since) < 4 {
            continue;
        }
        let inside = place.inside.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(standing) = inside
            && place.since.load(Ordering::Acquire) == since
        {
            standing.polling_for(TICK * u32::try_from(now - since).unwrap_or(u32::MAX));
            // A worker that found one task when it looked for input runs it and wakes nobody: if it does not come back, nobody
            // looks for input or timers any more. A task from outside wakes another worker, which then does.
            if let Some(runtime) = &place.runtime {
                drop(runtime.spawn(std::future::ready(())));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::time::Instant;

    use super::*;
    use crate::modules::standing::{Gate, Limits, Who};

    #[test]
    fn a_thread_that_stays_inside_is_seen_and_the_module_quarantined() {
        let limits = Limits {
            slow_poll: Duration::from_millis(100),
            stuck_poll: Duration::from_millis(300),
            ..Limits::default()
        };
        let who = Who {
            module: "spin".into(),
            version: "1.0.0".into(),
            generation: 1,
            instance: 1,
        };
        let standing = Standing::new(who, limits);
        let visit = visit(&standing, None, None).unwrap();
        with(|inside, call| assert!(inside.is_some_and(|s| s.who.module == "spin") && call.is_none()));
        let deadline = Instant::now() + Duration::from_secs(10);
        while standing.gate() != Gate::Quarantined {
            assert!(Instant::now() < deadline, "the watchdog did not see it");
            std::thread::yield_now();
        }
        drop(visit);
        with(|inside, _| assert!(inside.is_none()));
        assert!(standing.messages().iter().any(|m| m.text.contains("more than 100 ms")));
    }
}

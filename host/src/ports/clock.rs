//! What time it is: the machine's, or in tests one that is moved by hand.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

/// A clock.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;

    /// Ready at that time, or soon after; at once when it has passed.
    fn sleep_until(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// A machine's clock may be set: nobody sleeps longer than this without looking again.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep_until(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            loop {
                let left = Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default();
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(LOOK_AGAIN)).await;
            }
        })
    }
}

/// A clock that runs with the machine's and can be moved forward.
#[derive(Debug)]
pub struct MovableClock {
    ahead: Mutex<jiff::SignedDuration>,
    moved: watch::Sender<()>,
}

impl Default for MovableClock {
    fn default() -> Self {
        Self {
            ahead: Mutex::new(jiff::SignedDuration::ZERO),
            moved: watch::channel(()).0,
        }
    }
}

impl MovableClock {
    /// Moves it forward; whoever sleeps until a time that is passed by this wakes.
    pub fn advance(&self, by: Duration) {
        let by = jiff::SignedDuration::try_from(by).unwrap_or(jiff::SignedDuration::MAX);
        {
            let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
            *ahead = ahead.checked_add(by).unwrap_or(*ahead);
        }
        self.moved.send_replace(());
    }
}

impl Clock for MovableClock {
    fn now(&self) -> Timestamp {
        let ahead = *self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        Timestamp::now().checked_add(ahead).unwrap_or(Timestamp::MAX)
    }

    fn sleep_until(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            let mut moved = self.moved.subscribe();
            loop {
                let left = Duration::try_from(at.duration_since(self.now())).unwrap_or_default();
                if left.is_zero() {
                    return;
                }
                tokio::select! {
                    () = tokio::time::sleep(left) => {}
                    _ = moved.changed() => {}
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn whoever_sleeps_wakes_when_the_clock_is_moved() {
        let clock = Arc::new(MovableClock::default());
        let at = clock.now().checked_add(jiff::SignedDuration::from_hours(3)).unwrap();
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(at).await }
        });
        clock.advance(Duration::from_secs(3600));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(2 * 3600));
        tokio::time::timeout(Duration::from_secs(10), sleeper).await.unwrap().unwrap();
    }
}

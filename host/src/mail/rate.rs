//! How many mails a module may queue.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// A bucket a module that fills up again in a minute.
#[derive(Debug)]
pub(super) struct Rate {
    per_minute: f64,
    buckets: Mutex<HashMap<String, (f64, Instant)>>,
}

impl Rate {
    pub(super) fn new(per_minute: u32) -> Self {
        Self {
            per_minute: f64::from(per_minute.max(1)),
            buckets: Mutex::default(),
        }
    }

    /// Takes one, if there is one.
    pub(super) fn take(&self, module: &str, now: Instant) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, since) = buckets.entry(module.to_owned()).or_insert((self.per_minute, now));
        let filled = now.saturating_duration_since(*since).as_secs_f64() / 60.0 * self.per_minute;
        *left = (*left + filled).min(self.per_minute);
        *since = now;
        let has_one = *left >= 1.0;
        if has_one {
            *left -= 1.0;
        }
        has_one
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_module_gets_so_many_a_minute_and_another_its_own() {
        let (rate, now) = (Rate::new(3), Instant::now());
        let taken = |module: &str, now| (0..10).filter(|_| rate.take(module, now)).count();
        assert_eq!(taken("a", now), 3);
        assert_eq!(taken("b", now), 3);
        assert_eq!(taken("a", now + Duration::from_secs(20)), 1);
        assert_eq!(taken("a", now + Duration::from_secs(600)), 3);
    }
}

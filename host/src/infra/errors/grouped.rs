//! Passes on the first of equal reports, and counts the rest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::ports::errors::{ErrorEvent, ErrorSink};

/// So many different reports are told apart at once; more are passed on as they come.
const MOST_GROUPS: usize = 1_024;

/// Equal are reports of one module with the same kind and message.
type Key = (String, String, String);

/// Passes on one of equal reports in a time, with how many came and were not passed on since the last.
pub struct Grouped {
    sinks: Vec<Arc<dyn ErrorSink>>,
    window: Duration,
    groups: Mutex<HashMap<Key, Group>>,
}

struct Group {
    since: Instant,
    held_back: u64,
}

impl Grouped {
    /// In front of sinks.
    #[must_use]
    pub fn new(sinks: Vec<Arc<dyn ErrorSink>>, window: Duration) -> Self {
        Self {
            sinks,
            window,
            groups: Mutex::default(),
        }
    }

    /// How many were held back before this one; none when this one is held back too.
    fn pass(&self, event: &ErrorEvent) -> Option<u64> {
        let now = Instant::now();
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (event.module.clone(), event.kind.clone(), event.message.clone());
        if let Some(group) = groups.get_mut(&key) {
            if now.duration_since(group.since) < self.window {
                group.held_back += 1;
                return None;
            }
            let held_back = group.held_back;
            *group = Group { since: now, held_back: 0 };
            return Some(held_back);
        }
        if groups.len() >= MOST_GROUPS {
            groups.retain(|_, group| now.duration_since(group.since) < self.window);
        }
        if groups.len() < MOST_GROUPS {
            groups.insert(key, Group { since: now, held_back: 0 });
        }
        Some(0)
    }
}

impl ErrorSink for Grouped {
    fn report(&self, event: &ErrorEvent) {
        let Some(repeated) = self.pass(event) else { return };
        let event = ErrorEvent { repeated, ..event.clone() };
        for sink in &self.sinks {
            sink.report(&event);
        }
    }
}

#[cfg(test)]
pub(super) fn event(message: &str) -> ErrorEvent {
    ErrorEvent {
        at: jiff::Timestamp::UNIX_EPOCH,
        node: "n1".to_owned(),
        module: "blog".to_owned(),
        version: "1.0.0".to_owned(),
        kind: "blog.post.lost".to_owned(),
        message: message.to_owned(),
        chain: vec!["because\nof that".to_owned()],
        repeated: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::errors::MemoryErrors;

    #[test]
    fn a_flood_of_equal_reports_is_one_with_a_number() {
        let kept = Arc::new(MemoryErrors::new());
        let grouped = Grouped::new(vec![kept.clone()], Duration::from_millis(100));
        for _ in 0..1_000 {
            grouped.report(&event("same"));
        }
        grouped.report(&event("other"));
        let deadline = Instant::now() + Duration::from_secs(10);
        while kept.all().len() < 3 {
            assert!(Instant::now() < deadline, "the next was never passed on");
            grouped.report(&event("same"));
            std::thread::yield_now();
        }
        let all = kept.all();
        assert_eq!(
            all.iter().map(|event| event.message.as_str()).collect::<Vec<_>>(),
            ["same", "other", "same"]
        );
        assert!(all.last().is_some_and(|event| event.repeated >= 999), "{all:?}");
    }

    #[test]
    fn endless_different_reports_take_no_endless_memory() {
        let grouped = Grouped::new(Vec::new(), Duration::from_secs(60));
        for n in 0..5_000 {
            grouped.report(&event(&n.to_string()));
        }
        assert_eq!(grouped.groups.lock().unwrap_or_else(PoisonError::into_inner).len(), MOST_GROUPS);
    }
}

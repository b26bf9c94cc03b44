//! What calls further up keep, for calls that go over a socket of this host: it stays here, and a number travels.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::modules::belongings::Belongings;

type Known = Arc<Mutex<HashMap<u64, Belongings>>>;

/// What calls on their way have above them.
#[derive(Default)]
pub(super) struct CallsAbove {
    known: Known,
    last: AtomicU64,
}

/// Keeps it until the call has been answered.
pub(crate) struct OnItsWay {
    known: Known,
    number: u64,
}

impl CallsAbove {
    /// None for a call below which nobody could find anything.
    pub(super) fn keep(&self, belongings: &Belongings) -> Option<OnItsWay> {
        if !belongings.is_below() {
            return None;
        }
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(number, belongings.clone());
        Some(OnItsWay {
            known: Arc::clone(&self.known),
            number,
        })
    }

    /// Nothing for a call that has ended.
    pub(super) fn of(&self, number: Option<u64>) -> Belongings {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        number.and_then(|number| known.get(&number).cloned()).unwrap_or_default()
    }
}

impl OnItsWay {
    pub(super) const fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

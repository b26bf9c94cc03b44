//! Loads under way: who comes second waits for the first.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;

/// What a load ended with, for everybody who waited for it.
pub(super) type Outcome = Result<Bytes, Arc<dyn Error + Send + Sync>>;

/// The loads of one instance, by key.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<String, Weak<Flight>>>);

/// One load. Whoever holds the lock and finds nothing in it loads; if that one is dropped, the next in line does.
pub(super) struct Flight {
    key: String,
    flights: Weak<Flights>,
    pub(super) outcome: tokio::sync::Mutex<Option<Outcome>>,
}

impl Flights {
    /// The load of a key that is under way, or a new one.
    pub(super) fn join(self: &Arc<Self>, key: &str) -> Arc<Flight> {
        let mut flights = self.lock();
        if let Some(flight) = flights.get(key).and_then(Weak::upgrade) {
            return flight;
        }
        let flight = Arc::new(Flight {
            key: key.to_owned(),
            flights: Arc::downgrade(self),
            outcome: tokio::sync::Mutex::new(None),
        });
        flights.insert(key.to_owned(), Arc::downgrade(&flight));
        flight
    }

    /// Lets those who come from now on begin anew.
    pub(super) fn land(&self, flight: &Arc<Flight>) {
        let mut flights = self.lock();
        let is_this = |known: &Weak<Flight>| std::ptr::eq(known.as_ptr(), Arc::as_ptr(flight));
        if flights.get(&flight.key).is_some_and(is_this) {
            flights.remove(&flight.key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Weak<Flight>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Flight {
    /// A load that nobody finished must not stay in the table.
    fn drop(&mut self) {
        let Some(flights) = self.flights.upgrade() else { return };
        let mut flights = flights.lock();
        if flights.get(&self.key).is_some_and(|known| known.strong_count() == 0) {
            flights.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_flight_until_it_landed_or_everybody_left() {
        let flights = Arc::new(Flights::default());
        let (one, two) = (flights.join("a"), flights.join("a"));
        assert!(Arc::ptr_eq(&one, &two));
        flights.land(&one);
        let three = flights.join("a");
        assert!(!Arc::ptr_eq(&one, &three));
        flights.land(&one);
        assert!(Arc::ptr_eq(&three, &flights.join("a")), "an old flight takes no new one away");
        drop((one, two, three));
        assert!(flights.lock().is_empty());
    }
}

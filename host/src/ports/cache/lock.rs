//! Locks in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Token;
use crate::ports::clock::Clock;

/// So many names are kept before those whose lease is over are looked for.
const TIDY_FROM: usize = 1_024;

/// The locks of one module.
pub(super) struct Locks {
    clock: Arc<dyn Clock>,
    held: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    held: HashMap<String, Held>,
    /// The highest fence that was given, of any lock.
    fence: u64,
}

struct Held {
    token: Token,
    until: Timestamp,
}

impl Locks {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            held: Mutex::default(),
        }
    }

    pub(super) fn take(&self, name: &str, lease: Duration) -> Option<Token> {
        let now = self.clock.now();
        let mut table = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if table.held.get(name).is_some_and(|held| held.until > now) {
            return None;
        }
        if table.held.len() >= TIDY_FROM {
            table.held.retain(|_, held| held.until > now);
        }
        // The time makes it grow over a restart too, which loses the table.
        let time = u64::try_from(now.as_microsecond()).unwrap_or(0);
        table.fence = time.max(table.fence + 1);
        let token = Token {
            owner: new_owner(),
            fence: table.fence,
        };
        let until = after(now, lease);
        table.held.insert(name.to_owned(), Held { token, until });
        Some(token)
    }

    pub(super) fn renew(&self, name: &str, token: Token, lease: Duration) -> bool {
        let now = self.clock.now();
        let mut table = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match table.held.get_mut(name) {
            Some(held) if held.token == token && held.until > now => {
                held.until = after(now, lease);
                true
            }
            _ => false,
        }
    }

    pub(super) fn give_back(&self, name: &str, token: Token) -> bool {
        let now = self.clock.now();
        let mut table = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if table.held.get(name).is_some_and(|held| held.token == token) {
            return table.held.remove(name).is_some_and(|held| held.until > now);
        }
        false
    }
}

/// A number that no other holder has.
#[must_use]
pub fn new_owner() -> u64 {
    // Where the system gives no random numbers, the ids of this process are still unlike each other.
    getrandom::u64().unwrap_or_else(|_| uuid::Uuid::now_v7().as_u64_pair().1)
}

/// A point in time so much later, or the last there is.
pub(super) fn after(now: Timestamp, time: Duration) -> Timestamp {
    SignedDuration::try_from(time)
        .ok()
        .and_then(|time| now.checked_add(time).ok())
        .unwrap_or(Timestamp::MAX)
}

//! Clients that work in rounds, one after the other, while something else is done to what they use.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use wharf_tests::until;

/// How long a round may take on a busy machine.
const SOON: Duration = Duration::from_secs(120);
/// Most rounds of one client: what is waited for comes long before.
const MOST: usize = 2000;

/// How many rounds each client has done.
#[derive(Debug)]
pub(crate) struct Rounds {
    done: Vec<AtomicUsize>,
    over: AtomicBool,
    broken: AtomicBool,
}

/// Ends the rounds, also when the test has failed meanwhile.
struct Over<'a>(&'a Rounds);

/// Says that a client has failed.
struct Client<'a>(&'a Rounds);

/// Lets clients do round after round until `act` is done. `round` gets the client and the number of its round, each from 0 on.
pub(crate) fn meanwhile(clients: usize, round: impl Fn(usize, usize) + Sync, act: impl FnOnce(&Rounds)) {
    let rounds = Rounds {
        done: (0..clients).map(|_| AtomicUsize::new(0)).collect(),
        over: AtomicBool::new(false),
        broken: AtomicBool::new(false),
    };
    thread::scope(|scope| {
        for (client, done) in rounds.done.iter().enumerate() {
            let (rounds, round) = (&rounds, &round);
            scope.spawn(move || {
                let _alive = Client(rounds);
                // One after the other: what is opened on demand, such as connections to a database, is not opened all at once.
                until(SOON, || rounds.may_begin(client).then_some(()));
                for number in 0..MOST {
                    if rounds.over.load(Ordering::SeqCst) {
                        return;
                    }
                    round(client, number);
                    done.store(number + 1, Ordering::SeqCst);
                }
            });
        }
        let _over = Over(&rounds);
        act(&rounds);
    });
}

impl Rounds {
    fn may_begin(&self, client: usize) -> bool {
        let before = client.checked_sub(1).map_or(1, |before| self.done[before].load(Ordering::SeqCst));
        before > 0 || self.over.load(Ordering::SeqCst) || self.broken.load(Ordering::SeqCst)
    }

    /// Waits until each client has begun and ended so many rounds from now on.
    pub(crate) fn pass(&self, more: usize) {
        let now = || self.done.iter().map(|done| done.load(Ordering::SeqCst)).collect::<Vec<_>>();
        let goals: Vec<usize> = now().iter().map(|done| done + more + 1).collect();
        let is_there = || now().iter().zip(&goals).all(|(done, goal)| done >= goal);
        let waited = until(SOON, || (self.broken.load(Ordering::SeqCst) || is_there()).then_some(()));
        assert!(!self.broken.load(Ordering::SeqCst), "a client failed: what it said stands above");
        assert!(waited.is_some(), "found {:?} rounds, expected {goals:?} within {SOON:?}", now());
    }
}

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::SeqCst);
    }
}

impl Drop for Client<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.broken.store(true, Ordering::SeqCst);
        }
    }
}

//! How long to wait before the next try: twice as long each time, with jitter, so that what failed together does not come
//! back together.

use std::time::Duration;

/// Delays between tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Before the second try, at most.
    pub first: Duration,
    /// Before any try, at most.
    pub most: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            most: Duration::from_secs(600),
        }
    }
}

impl Backoff {
    /// The delay after `tries` tries have failed: between half of and the whole doubled delay.
    #[must_use]
    pub fn after(&self, tries: u32) -> Duration {
        self.jittered(tries, getrandom::u32().unwrap_or(u32::MAX / 2))
    }

    fn jittered(&self, tries: u32, random: u32) -> Duration {
        let doubled = self.first.saturating_mul(1_u32 << tries.saturating_sub(1).min(20)).min(self.most);
        let share = 0.5 + f64::from(random) / f64::from(u32::MAX) / 2.0;
        doubled.mul_f64(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_a_limit_and_differ_by_half() {
        let backoff = Backoff {
            first: Duration::from_secs(1),
            most: Duration::from_secs(10),
        };
        for (tries, random, seconds) in [
            (1, 0, 0.5),
            (1, u32::MAX, 1.0),
            (2, u32::MAX, 2.0),
            (3, 0, 2.0),
            (9, u32::MAX, 10.0),
            (4_000_000, u32::MAX, 10.0),
        ] {
            let found = backoff.jittered(tries, random).as_secs_f64();
            assert!((found - seconds).abs() < 0.001, "{tries} tries: {found} s");
        }
    }
}

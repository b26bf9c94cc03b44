//! The three widths of a bucket, and how long buckets of each are kept.

/// Seconds of a minute.
pub(crate) const MINUTE: i64 = 60;
/// Seconds of an hour.
pub(crate) const HOUR: i64 = 60 * MINUTE;
/// Seconds of a day of UTC.
pub(crate) const DAY: i64 = 24 * HOUR;

/// How wide a bucket is. The number is what the database keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Grain {
    /// A minute.
    Minute = 0,
    /// An hour of UTC.
    Hour = 1,
    /// A day of UTC.
    Day = 2,
}

/// How long buckets are kept. Days of UTC are kept for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retention {
    /// Days for which minutes are kept.
    pub(crate) minutes: u32,
    /// Days for which hours are kept.
    pub(crate) hours: u32,
}

impl Grain {
    /// From the finest to the coarsest.
    pub(crate) const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// Its width in seconds.
    pub(crate) const fn seconds(self) -> i64 {
        match self {
            Self::Minute => MINUTE,
            Self::Hour => HOUR,
            Self::Day => DAY,
        }
    }

    /// As in requests.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// As the database keeps it.
    pub(crate) const fn number(self) -> i16 {
        self as i16
    }

    /// What the database has kept.
    pub(crate) fn of_number(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|grain| grain.number() == number)
    }

    /// Beginning of the bucket in which a moment lies; both in seconds since 1970.
    pub(crate) const fn floor(self, at: i64) -> i64 {
        at.div_euclid(self.seconds()) * self.seconds()
    }

    /// The first beginning of a bucket at a moment or after it.
    pub(crate) const fn ceil(self, at: i64) -> i64 {
        self.floor(at + self.seconds() - 1)
    }
}

impl Retention {
    /// The first moment whose buckets are kept: always a midnight of UTC, so that a day is there whole or not at all.
    pub(crate) fn cutoff(self, grain: Grain, now: i64) -> i64 {
        let days = match grain {
            Grain::Minute => self.minutes,
            Grain::Hour => self.hours.max(self.minutes),
            Grain::Day => return 0,
        };
        (Grain::Day.floor(now) - i64::from(days) * DAY).max(0)
    }

    /// The finest grain of which the bucket of a moment is kept.
    pub(crate) fn finest(self, at: i64, now: i64) -> Grain {
        let is_kept = |grain: &Grain| at >= self.cutoff(*grain, now);
        Grain::ALL.into_iter().find(is_kept).unwrap_or(Grain::Day)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_moment_lies_in_its_bucket_and_wider_buckets_hold_narrower_ones(at in 0..253_402_300_000_i64) {
            let mut inner = at;
            for grain in Grain::ALL {
                let begins = grain.floor(at);
                prop_assert!(begins <= at && at < begins + grain.seconds());
                prop_assert_eq!(grain.floor(inner), begins);
                prop_assert_eq!(grain.floor(begins), begins);
                prop_assert!(grain.ceil(at) >= at && grain.ceil(at) - at < grain.seconds());
                inner = begins;
            }
        }

        #[test]
        fn coarser_buckets_are_kept_at_least_as_long(minutes in 1..90_u32, hours in 1..3660_u32, now in 0..4_000_000_000_i64) {
            let kept = Retention { minutes, hours };
            let cutoffs = Grain::ALL.map(|grain| kept.cutoff(grain, now));
            prop_assert!(cutoffs.is_sorted_by(|finer, coarser| finer >= coarser));
            prop_assert!(cutoffs.iter().all(|cutoff| cutoff % DAY == 0));
        }
    }

    #[test]
    fn the_finest_grain_of_a_moment_follows_its_age() {
        let kept = Retention { minutes: 2, hours: 10 };
        let now = 100 * DAY + 5;
        for (at, grain) in [
            (now, Grain::Minute),
            (98 * DAY, Grain::Minute),
            (98 * DAY - 1, Grain::Hour),
            (90 * DAY, Grain::Hour),
            (90 * DAY - 1, Grain::Day),
            (0, Grain::Day),
        ] {
            assert_eq!(kept.finest(at, now), grain, "{at}");
        }
    }

    #[test]
    fn numbers_are_read_back() {
        assert!(Grain::ALL.iter().all(|grain| Grain::of_number(grain.number()) == Some(*grain)));
        assert_eq!(Grain::of_number(3), None);
    }
}

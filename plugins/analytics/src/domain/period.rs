//! Periods, and the buckets that cover one exactly.

use super::grain::{DAY, Grain, Retention};

/// The last moment that is looked at: the end of the year 9998.
const END: i64 = 253_370_764_800;

/// From a moment to before another one, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

/// Why something is no period.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PeriodError {
    /// The end is not after the beginning.
    #[error("found a period that ends before it begins or as it begins, expected `to` after `from`")]
    Empty,
    /// Outside of what has buckets.
    #[error("found a period that begins before 1970 or ends after 9998, expected one in between")]
    Range,
}

/// A period in buckets of three grains: every moment of it lies in exactly one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cover {
    /// What is covered: the period, widened to whole buckets of the finest grain that is kept at either end.
    pub(crate) period: Period,
    /// Parts, each to be read from buckets of one grain; at most five.
    pub(crate) parts: Vec<(Grain, Period)>,
}

impl Period {
    /// One that is asked for.
    pub(crate) fn new(from: i64, to: i64) -> Result<Self, PeriodError> {
        match (from, to) {
            (from, to) if from >= to => Err(PeriodError::Empty),
            (from, to) if from < 0 || to > END => Err(PeriodError::Range),
            (from, to) => Ok(Self { from, to }),
        }
    }

    fn is_empty(self) -> bool {
        self.from >= self.to
    }
}

impl Cover {
    /// Of a period, by what is kept at a moment: days in the middle, hours and minutes towards the ends.
    pub(crate) fn of(asked: Period, kept: Retention, now: i64) -> Self {
        let first = kept.finest(asked.from, now);
        // The end is not in the period, so what lies before it decides.
        let last = kept.finest(asked.to - 1, now);
        let period = Period {
            from: first.floor(asked.from),
            to: last.ceil(asked.to),
        };
        let mut parts = Vec::new();
        split(period, Grain::Day, &mut parts);
        Self { period, parts }
    }
}

/// Whole buckets of a grain in the middle, and finer ones before and after.
fn split(period: Period, grain: Grain, parts: &mut Vec<(Grain, Period)>) {
    if period.is_empty() {
        return;
    }
    let finer = match grain {
        Grain::Minute => return parts.push((grain, period)),
        Grain::Hour => Grain::Minute,
        Grain::Day => Grain::Hour,
    };
    let whole = Period {
        from: grain.ceil(period.from),
        to: grain.floor(period.to),
    };
    if whole.is_empty() {
        return split(period, finer, parts);
    }
    let (from, to) = (period.from, period.to);
    split(Period { from, to: whole.from }, finer, parts);
    parts.push((grain, whole));
    split(Period { from: whole.to, to }, finer, parts);
}

/// The days of UTC in which a period lies.
pub(crate) fn days(period: Period) -> i64 {
    (Grain::Day.ceil(period.to) - Grain::Day.floor(period.from)) / DAY
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::grain::{HOUR, MINUTE};
    use super::*;

    const NOW: i64 = 20_000 * DAY + 12_345;
    const KEPT: Retention = Retention { minutes: 3, hours: 30 };

    fn cover(from: i64, to: i64) -> Cover {
        Cover::of(Period::new(from, to).unwrap(), KEPT, NOW)
    }

    proptest! {
        #[test]
        fn parts_follow_each_other_without_gaps_and_in_whole_buckets(back in 1..50 * DAY, length in 1..60 * DAY) {
            let asked = Period::new(NOW - back, NOW - back + length).unwrap();
            let cover = Cover::of(asked, KEPT, NOW);
            prop_assert!(cover.period.from <= asked.from && cover.period.to >= asked.to);
            let mut at = cover.period.from;
            for (grain, part) in &cover.parts {
                prop_assert_eq!(part.from, at);
                prop_assert!(part.from < part.to);
                prop_assert_eq!((grain.floor(part.from), grain.floor(part.to)), (part.from, part.to));
                at = part.to;
            }
            prop_assert_eq!(at, cover.period.to);
            prop_assert!(cover.parts.len() <= 5);
        }

        #[test]
        fn no_part_is_read_from_buckets_that_are_gone(back in 1..50 * DAY, length in 1..60 * DAY) {
            for (grain, part) in cover(NOW - back, NOW - back + length).parts {
                prop_assert!(part.from >= KEPT.cutoff(grain, NOW));
            }
        }

        #[test]
        fn a_period_is_widened_by_less_than_one_bucket_of_what_is_kept(back in 1..50 * DAY, length in 1..60 * DAY) {
            let (from, to) = (NOW - back, NOW - back + length);
            let found = cover(from, to).period;
            prop_assert!(from - found.from < KEPT.finest(from, NOW).seconds());
            prop_assert!(found.to - to < KEPT.finest(to - 1, NOW).seconds());
        }
    }

    #[test]
    fn a_recent_period_has_days_in_the_middle_and_minutes_at_its_ends() {
        let midnight = 19_998 * DAY;
        let found = cover(midnight - HOUR - MINUTE, midnight + DAY + 2 * HOUR + 3 * MINUTE);
        let grains: Vec<Grain> = found.parts.iter().map(|(grain, _)| *grain).collect();
        assert_eq!(grains, [Grain::Minute, Grain::Hour, Grain::Day, Grain::Hour, Grain::Minute]);
    }

    #[test]
    fn an_old_period_is_widened_to_days() {
        let found = cover(NOW - 40 * DAY, NOW - 39 * DAY);
        assert_eq!(found.parts, [(Grain::Day, found.period)]);
        assert_eq!(days(found.period), 2);
    }

    #[test]
    fn what_is_no_period_is_refused() {
        assert_eq!(Period::new(5, 5), Err(PeriodError::Empty));
        assert_eq!(Period::new(6, 5), Err(PeriodError::Empty));
        assert_eq!(Period::new(-1, 5), Err(PeriodError::Range));
        assert_eq!(Period::new(0, END + 1), Err(PeriodError::Range));
    }
}

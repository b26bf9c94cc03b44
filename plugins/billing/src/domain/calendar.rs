//! Days and periods. A day is one of UTC; a period begins with its first day and ends before the first day of the next one.

use jiff::Span;
use jiff::civil::Date;

/// How long a period is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interval {
    Month,
    Year,
}

/// Days from `start` on, before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) start: Date,
    pub(crate) end: Date,
}

/// The day on which the first period begins, and with it all others: every boundary is counted from it, so a subscription of the 31st
/// is billed on the last day of shorter months and on the 31st again after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Anchor {
    pub(crate) day: Date,
    pub(crate) interval: Interval,
}

/// A day that no calendar has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found a day outside of what a calendar can hold, expected one between the years 1 and 9999")]
pub(crate) struct NoSuchDay;

impl Interval {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Month, Self::Year].into_iter().find(|interval| interval.as_str() == text)
    }
}

impl Period {
    /// How many days.
    pub(crate) fn days(self) -> u64 {
        days_between(self.start, self.end)
    }

    /// The days that both have; none when there are none.
    pub(crate) fn overlap(self, other: Self) -> Option<Self> {
        let both = Self {
            start: self.start.max(other.start),
            end: self.end.min(other.end),
        };
        (both.start < both.end).then_some(both)
    }
}

impl Anchor {
    /// The first day of a period, counted from 0.
    pub(crate) fn boundary(self, number: u32) -> Result<Date, NoSuchDay> {
        let months = i64::from(number) * if self.interval == Interval::Year { 12 } else { 1 };
        let span = Span::new().try_months(months).map_err(|_| NoSuchDay)?;
        self.day.checked_add(span).map_err(|_| NoSuchDay)
    }

    /// A period, counted from 0.
    pub(crate) fn period(self, number: u32) -> Result<Period, NoSuchDay> {
        let end = number.checked_add(1).ok_or(NoSuchDay)?;
        Ok(Period {
            start: self.boundary(number)?,
            end: self.boundary(end)?,
        })
    }
}

/// Days from one to the other; none when the second is not later.
pub(crate) fn days_between(from: Date, to: Date) -> u64 {
    from.until(to).map_or(0, |span| u64::try_from(span.get_days()).unwrap_or(0))
}

/// So many days later.
pub(crate) fn days_after(day: Date, days: u32) -> Result<Date, NoSuchDay> {
    let span = Span::new().try_days(i64::from(days)).map_err(|_| NoSuchDay)?;
    day.checked_add(span).map_err(|_| NoSuchDay)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_subscription_of_the_31st_comes_back_to_the_31st() {
        let anchor = Anchor {
            day: date(2026, 1, 31),
            interval: Interval::Month,
        };
        let starts: Vec<_> = (0..5).map(|number| anchor.boundary(number).unwrap().to_string()).collect();
        assert_eq!(starts, ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]);
    }

    #[test]
    fn a_leap_day_is_the_28th_in_other_years() {
        let anchor = Anchor {
            day: date(2028, 2, 29),
            interval: Interval::Year,
        };
        assert_eq!(anchor.period(0).unwrap().end, date(2029, 2, 28));
        assert_eq!(anchor.period(4).unwrap().start, date(2032, 2, 29));
        assert_eq!(anchor.period(0).unwrap().days(), 365);
    }

    #[test]
    fn periods_touch_and_do_not_overlap() {
        let anchor = Anchor {
            day: date(2026, 1, 31),
            interval: Interval::Month,
        };
        for number in 0..30 {
            let (this, next) = (anchor.period(number).unwrap(), anchor.period(number + 1).unwrap());
            assert_eq!((this.end, this.overlap(next)), (next.start, None));
        }
        assert!(anchor.boundary(u32::MAX).is_err());
        assert_eq!(days_between(date(2026, 3, 1), date(2026, 2, 1)), 0);
    }
}

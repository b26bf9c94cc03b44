//! A series: its points, the buckets they are made of, and zeros where nothing happened.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::grain::{Grain, HOUR, Retention};
use super::period::{self, Period};
use super::tally::Sums;

/// Points that one answer has at most.
pub(crate) const MAX_POINTS: i64 = 2_000;

/// One point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    /// Its beginning, in seconds since 1970.
    pub(crate) begins: i64,
    /// The day in the zone of the series, when its points are days.
    pub(crate) date: Option<Date>,
    /// What happened until the next point.
    pub(crate) sums: Sums,
}

/// The points of a series, to be filled from buckets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// What is covered: the period that was asked for, widened to whole points.
    pub(crate) period: Period,
    /// Which buckets it is made of. A bucket belongs to the point in which it begins.
    pub(crate) source: Grain,
    points: Vec<Point>,
}

/// Why there is no such series.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlanError {
    /// It would be too long.
    #[error("found a period of more than {MAX_POINTS} points, expected at most so many: ask for a shorter period or a coarser grain")]
    TooLong,
    /// Its buckets are gone.
    #[error("found a period whose {} buckets are not kept any more, expected one from {earliest} on: ask for a coarser grain, or for days of UTC, which are kept for ever", .source_grain.name())]
    Gone {
        /// Which buckets it needs.
        source_grain: Grain,
        /// The first moment of which there are such buckets.
        earliest: Timestamp,
    },
    /// A zone with minutes and hours.
    #[error("found a zone with grain {}, expected it with grain day only: minutes and hours are those of UTC", .0.name())]
    Zone(Grain),
    /// Times that cannot be computed with.
    #[error("found a period that ends outside of the calendar, expected one between 1970 and 9998")]
    Calendar,
}

impl Plan {
    /// For a period, a grain and a zone; days are those of the zone, with 23 or 25 hours where its clocks change.
    pub(crate) fn new(asked: Period, grain: Grain, zone: &TimeZone, kept: Retention, now: i64) -> Result<Self, PlanError> {
        let is_utc = *zone == TimeZone::UTC;
        let plan = match grain {
            Grain::Day if !is_utc => Self::local_days(asked, zone)?,
            Grain::Day => Self::utc_days(asked)?,
            _ if !is_utc => return Err(PlanError::Zone(grain)),
            _ => Self::even(asked, grain)?,
        };
        let earliest = kept.cutoff(plan.source, now);
        if plan.period.from < earliest {
            return Err(PlanError::Gone {
                source_grain: plan.source,
                earliest: Timestamp::from_second(earliest).unwrap_or_default(),
            });
        }
        Ok(plan)
    }

    /// Adds what a bucket holds to the point in which it begins. One outside of the period is left out.
    pub(crate) fn add(&mut self, begins: i64, sums: Sums) {
        if begins >= self.period.to {
            return;
        }
        let after = self.points.partition_point(|point| point.begins <= begins);
        if let Some(point) = after.checked_sub(1).and_then(|at| self.points.get_mut(at)) {
            point.sums = point.sums.plus(sums);
        }
    }

    /// The points, oldest first.
    pub(crate) fn into_points(self) -> Vec<Point> {
        self.points
    }

    fn even(asked: Period, grain: Grain) -> Result<Self, PlanError> {
        let period = Period {
            from: grain.floor(asked.from),
            to: grain.ceil(asked.to),
        };
        let count = (period.to - period.from) / grain.seconds();
        if count > MAX_POINTS {
            return Err(PlanError::TooLong);
        }
        let points = (0..count).map(|n| point(period.from + n * grain.seconds(), None)).collect();
        Ok(Self {
            period,
            source: grain,
            points,
        })
    }

    fn utc_days(asked: Period) -> Result<Self, PlanError> {
        let mut plan = Self::even(asked, Grain::Day)?;
        for point in &mut plan.points {
            let at = Timestamp::from_second(point.begins).map_err(|_| PlanError::Calendar)?;
            point.date = Some(at.to_zoned(TimeZone::UTC).date());
        }
        Ok(plan)
    }

    fn local_days(asked: Period, zone: &TimeZone) -> Result<Self, PlanError> {
        if period::days(asked) > MAX_POINTS + 2 {
            return Err(PlanError::TooLong);
        }
        let first = Timestamp::from_second(asked.from).map_err(|_| PlanError::Calendar)?;
        let mut date = first.to_zoned(zone.clone()).date();
        let mut begins = midnight(date, zone)?;
        let from = begins;
        let mut points = Vec::new();
        while begins < asked.to {
            let next = date.tomorrow().map_err(|_| PlanError::Calendar)?;
            let ends = midnight(next, zone)?;
            // A zone that moves over the date line leaves a day out: it has no moments.
            if ends > begins {
                points.push(point(begins, Some(date)));
            }
            (date, begins) = (next, ends);
        }
        if i64::try_from(points.len()).is_ok_and(|count| count > MAX_POINTS) {
            return Err(PlanError::TooLong);
        }
        let are_hours = points.iter().all(|point| point.begins % HOUR == 0) && begins % HOUR == 0;
        Ok(Self {
            period: Period { from, to: begins },
            source: if are_hours { Grain::Hour } else { Grain::Minute },
            points,
        })
    }
}

fn point(begins: i64, date: Option<Date>) -> Point {
    Point {
        begins,
        date,
        sums: Sums::default(),
    }
}

/// The first moment of a day: not 00:00 where the clocks are put forward then.
fn midnight(date: Date, zone: &TimeZone) -> Result<i64, PlanError> {
    let first = date.to_zoned(zone.clone()).map_err(|_| PlanError::Calendar)?;
    Ok(first.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::grain::DAY;
    use super::*;

    const KEPT: Retention = Retention {
        minutes: 3_000,
        hours: 9_000,
    };

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn plan(from: &str, to: &str, grain: Grain, in_zone: &str) -> Result<Plan, PlanError> {
        let asked = Period::new(at(from), at(to)).unwrap();
        Plan::new(asked, grain, &zone(in_zone), KEPT, at("2026-11-01T00:00:00Z"))
    }

    fn lengths(plan: &Plan) -> Vec<i64> {
        let mut ends: Vec<i64> = plan.points.iter().map(|point| point.begins).skip(1).collect();
        ends.push(plan.period.to);
        plan.points
            .iter()
            .zip(ends)
            .map(|(point, end)| (end - point.begins) / HOUR)
            .collect()
    }

    #[test]
    fn days_are_as_long_as_the_clocks_of_their_zone_say() {
        for (from, to, name, expected) in [
            ("2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z", "Europe/Berlin", vec![24, 23, 24]),
            ("2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z", "Europe/Berlin", vec![24, 25, 24]),
            ("2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z", "UTC", vec![24, 24, 24]),
            ("2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z", "Africa/Lagos", vec![24, 24, 24]),
        ] {
            assert_eq!(lengths(&plan(from, to, Grain::Day, name).unwrap()), expected, "{from} {name}");
        }
    }

    #[test]
    fn a_day_that_has_no_midnight_begins_when_its_first_moment_is() {
        // Clocks in Beirut went from 00:00 to 01:00 on 2021-03-28.
        let found = plan("2021-03-28T10:00:00Z", "2021-03-28T11:00:00Z", Grain::Day, "Asia/Beirut").unwrap();
        assert_eq!((found.period.from, lengths(&found)), (at("2021-03-27T22:00:00Z"), vec![23]));
    }

    #[test]
    fn a_day_that_a_zone_left_out_is_no_point() {
        // Samoa went from the 29th to the 31st of December 2011.
        let found = plan("2011-12-29T12:00:00Z", "2012-01-01T00:00:00Z", Grain::Day, "Pacific/Apia").unwrap();
        let dates: Vec<String> = found
            .points
            .iter()
            .filter_map(|point| point.date)
            .map(|date| date.to_string())
            .collect();
        assert_eq!(dates, ["2011-12-29", "2011-12-31", "2012-01-01"]);
    }

    #[test]
    fn zones_with_whole_hours_are_made_of_hours_and_others_of_minutes() {
        let source = |name| {
            plan("2026-06-01T00:00:00Z", "2026-06-03T00:00:00Z", Grain::Day, name)
                .unwrap()
                .source
        };
        assert_eq!(source("UTC"), Grain::Day);
        assert_eq!(source("America/New_York"), Grain::Hour);
        assert_eq!(source("Asia/Kolkata"), Grain::Minute);
        // Half an hour of daylight saving: whole hours in summer only.
        let lord_howe = |from, to| plan(from, to, Grain::Day, "Australia/Lord_Howe").unwrap().source;
        assert_eq!(lord_howe("2026-01-10T00:00:00Z", "2026-01-12T00:00:00Z"), Grain::Hour);
        assert_eq!(lord_howe("2026-06-10T00:00:00Z", "2026-06-12T00:00:00Z"), Grain::Minute);
    }

    #[test]
    fn what_is_not_kept_is_refused_and_not_shown_as_zero() {
        let now = at("2026-11-01T00:00:00Z");
        let kept = Retention { minutes: 2, hours: 10 };
        let asked = Period::new(now - 5 * DAY, now).unwrap();
        let gone = Plan::new(asked, Grain::Minute, &TimeZone::UTC, kept, now);
        // Five days of minutes are too long anyway.
        assert_eq!(gone, Err(PlanError::TooLong));
        let asked = Period::new(now - 5 * DAY, now - 5 * DAY + HOUR).unwrap();
        let gone = Plan::new(asked, Grain::Minute, &TimeZone::UTC, kept, now).unwrap_err();
        assert!(gone.to_string().contains("from 2026-10-30T00:00:00Z on"), "{gone}");
        let kolkata = Plan::new(asked, Grain::Day, &zone("Asia/Kolkata"), kept, now);
        assert!(matches!(
            kolkata,
            Err(PlanError::Gone {
                source_grain: Grain::Minute,
                ..
            })
        ));
        assert!(Plan::new(asked, Grain::Day, &zone("Europe/Berlin"), kept, now).is_ok());
    }

    #[test]
    fn there_are_limits() {
        let day = |to: &str, name: &str| plan("2020-01-01T00:00:00Z", to, Grain::Day, name);
        assert_eq!(day("2025-07-01T00:00:00Z", "Europe/Berlin"), Err(PlanError::TooLong));
        assert_eq!(day("9000-01-01T00:00:00Z", "Europe/Berlin"), Err(PlanError::TooLong));
        assert_eq!(day("9000-01-01T00:00:00Z", "UTC"), Err(PlanError::TooLong));
        assert_eq!(
            plan("2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z", Grain::Hour, "Europe/Berlin"),
            Err(PlanError::Zone(Grain::Hour))
        );
    }

    fn any_zone() -> impl Strategy<Value = &'static str> {
        proptest::sample::select(vec![
            "UTC",
            "Europe/Berlin",
            "America/New_York",
            "America/Sao_Paulo",
            "Asia/Kolkata",
            "Asia/Beirut",
            "Australia/Lord_Howe",
            "Pacific/Apia",
            "Africa/Casablanca",
        ])
    }

    proptest! {
        #[test]
        fn points_fill_the_period_and_every_bucket_is_in_one(
            name in any_zone(),
            from in 1_200_000_000..1_780_000_000_i64,
            length in 1..40 * DAY,
            moments in proptest::collection::vec((0..40 * DAY, -9..9_i64), 0..50),
        ) {
            let asked = Period::new(from, from + length).unwrap();
            let kept = Retention { minutes: 90_000, hours: 90_000 };
            let mut plan = Plan::new(asked, Grain::Day, &zone(name), kept, at("2026-11-01T00:00:00Z")).unwrap();
            prop_assert!(plan.period.from <= asked.from && plan.period.to >= asked.to);
            prop_assert_eq!(plan.points.first().map(|point| point.begins), Some(plan.period.from));
            prop_assert!(plan.points.is_sorted_by(|a, b| a.begins < b.begins));
            prop_assert!(plan.points.iter().all(|point| plan.source.floor(point.begins) == point.begins));
            let inside = moments.iter().filter(|(after, _)| plan.period.from + after < plan.period.to);
            let expected = inside.clone().fold(Sums::default(), |all, (_, value)| all.plus(Sums { count: 1, sum: *value }));
            let buckets: Vec<_> = moments.iter().map(|(after, value)| (plan.source.floor(plan.period.from + after), *value)).collect();
            for (begins, value) in buckets {
                plan.add(begins, Sums { count: 1, sum: value });
            }
            let found = plan.into_points().iter().fold(Sums::default(), |all, point| all.plus(point.sums));
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn a_moment_is_counted_on_its_date_in_the_zone(name in any_zone(), from in 1_200_000_000..1_780_000_000_i64) {
            let asked = Period::new(from, from + 1).unwrap();
            let kept = Retention { minutes: 90_000, hours: 90_000 };
            let mut plan = Plan::new(asked, Grain::Day, &zone(name), kept, at("2026-11-01T00:00:00Z")).unwrap();
            plan.add(plan.source.floor(from), Sums { count: 1, sum: 1 });
            let hit = plan.into_points().into_iter().find(|point| point.sums.count == 1).unwrap();
            let there = Timestamp::from_second(from).unwrap().to_zoned(zone(name)).date();
            prop_assert_eq!(hit.date, Some(there));
        }
    }
}

//! Cron in a time zone: five fields, as in crontab(5).
//!
//! When both days are restricted, either will do. Where the clock is put forward, a time that does not exist is moved by as
//! much as the clock (02:30 is 03:30). Where it is put back, a schedule for certain hours takes the first of two equal
//! times, one for every hour takes both.

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp};

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// 29 February comes every fourth year, or after eight.
const SEARCHED_DAYS: i32 = 366 * 9;

/// When something is to be done.
#[derive(Clone, Debug)]
pub struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Both the day of the month and the day of the week are restricted.
    either_day: bool,
    every_hour: bool,
    zone: TimeZone,
}

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CronError {
    /// A field is wrong.
    #[error("found schedule {0:?}, expected five fields: minute, hour, day of month, month, day of week")]
    Schedule(String),
    /// There is no such zone.
    #[error("found time zone {0:?}, expected the name of an IANA zone such as \"Europe/Berlin\"")]
    Zone(String),
}

impl Cron {
    /// Reads a schedule and finds the zone; UTC without.
    ///
    /// # Errors
    /// [`CronError`]
    pub fn parse(schedule: &str, zone: Option<&str>) -> Result<Self, CronError> {
        let wrong = || CronError::Schedule(schedule.to_owned());
        let fields: Vec<&str> = schedule.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(wrong());
        };
        let read = |text: &str, least, most, names: &[&str]| field(text, least, most, names).ok_or_else(wrong);
        let weekdays = read(weekday, 0, 7, &DAYS)?;
        let zone_name = zone.unwrap_or("UTC");
        Ok(Self {
            minutes: read(minute, 0, 59, &[])?,
            hours: read(hour, 0, 23, &[])?,
            days: read(day, 1, 31, &[])?,
            months: read(month, 1, 12, &MONTHS)?,
            // Sunday is 0 and 7.
            weekdays: (weekdays | (weekdays >> 7)) & 0x7f,
            either_day: !day.starts_with('*') && !weekday.starts_with('*'),
            every_hour: *hour == "*",
            zone: TimeZone::get(zone_name).map_err(|_| CronError::Zone(zone_name.to_owned()))?,
        })
    }

    /// The first time after this one; none when there is none for years, as for 30 February.
    #[must_use]
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        // A time that does not exist may be moved over midnight, so the day before may still have one.
        let first = after.to_zoned(self.zone.clone()).date().checked_sub(Span::new().days(1)).ok()?;
        let mut found: Option<Timestamp> = None;
        for ahead in 0..SEARCHED_DAYS {
            let date = first.checked_add(Span::new().days(ahead)).ok()?;
            let had_one = found.is_some();
            if self.has_day(date) {
                let next = self.times(date).filter(|at| *at > after).min();
                found = found.into_iter().chain(next).min();
            }
            // The day after may begin before a moved time of this one.
            if had_one {
                break;
            }
        }
        found
    }

    /// The last times after one and up to another, at most so many, oldest first. It begins at the end, so however long the time in
    /// between is, only the days of those times are worked out.
    #[must_use]
    pub fn last_between(&self, after: Timestamp, until: Timestamp, most: usize) -> Vec<Timestamp> {
        let day_of = |at: Timestamp| at.to_zoned(self.zone.clone()).date();
        let mut found = BTreeSet::new();
        // As for `next_after`: a time of the day before may be moved over midnight.
        let (mut date, first) = (day_of(until), day_of(after).yesterday().unwrap_or(Date::MIN));
        loop {
            let had_enough = found.len() >= most;
            if self.has_day(date) {
                found.extend(self.times(date).filter(|at| *at > after && *at <= until));
            }
            let Ok(before) = date.yesterday() else { break };
            if had_enough || before < first {
                break;
            }
            date = before;
        }
        let too_many = found.len().saturating_sub(most);
        found.into_iter().skip(too_many).collect()
    }

    fn has_day(&self, date: Date) -> bool {
        let has = |set: u64, value: i8| u32::try_from(value).is_ok_and(|value| set & (1_u64 << value) != 0);
        let in_month = has(self.days, date.day());
        let in_week = has(self.weekdays, date.weekday().since(Weekday::Sunday));
        let day = if self.either_day {
            in_month || in_week
        } else {
            in_month && in_week
        };
        has(self.months, date.month()) && day
    }

    fn times(&self, date: Date) -> impl Iterator<Item = Timestamp> + '_ {
        let values = |set: u64, most: i8| (0..most).filter(move |value| set & (1_u64 << *value) != 0);
        let civil = values(self.hours, 24).flat_map(move |hour| values(self.minutes, 60).map(move |minute| date.at(hour, minute, 0, 0)));
        civil.flat_map(move |at| {
            let ambiguous = self.zone.to_ambiguous_timestamp(at);
            let is_twice = matches!(ambiguous.offset(), AmbiguousOffset::Fold { .. });
            let again = (is_twice && self.every_hour).then(|| ambiguous.later().ok()).flatten();
            ambiguous.compatible().ok().into_iter().chain(again)
        })
    }
}

/// The values a field stands for, as bits.
fn field(text: &str, least: u32, most: u32, names: &[&str]) -> Option<u64> {
    text.split(',')
        .try_fold(0, |set, item| Some(set | list_item(item, least, most, names)?))
}

fn list_item(item: &str, least: u32, most: u32, names: &[&str]) -> Option<u64> {
    let (range, step) = item.split_once('/').map_or((item, None), |(range, step)| (range, Some(step)));
    let value = |text: &str| {
        let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let number = named.and_then(|at| u32::try_from(at).ok()).map(|at| at + least);
        number.or_else(|| text.parse().ok()).filter(|value| (least..=most).contains(value))
    };
    let (from, to) = match range.split_once('-') {
        _ if range == "*" => (least, most),
        Some((from, to)) => (value(from)?, value(to)?),
        None if step.is_none() => (value(range)?, value(range)?),
        None => return None,
    };
    let step: usize = step.map_or(Some(1), |step| step.parse().ok().filter(|step| *step > 0))?;
    (from <= to).then(|| (from..=to).step_by(step).fold(0, |set, value| set | (1_u64 << value)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// The next times after one, as UTC.
    fn check(schedule: &str, zone: &str, after: &str, expected: &[&str]) {
        let cron = Cron::parse(schedule, Some(zone)).unwrap();
        let mut at: Timestamp = after.parse().unwrap();
        let mut found = Vec::new();
        for _ in expected {
            at = cron.next_after(at).unwrap();
            found.push(at.to_string());
        }
        assert_eq!(found, expected, "{schedule} in {zone}");
    }

    #[test]
    fn plain_schedules_come_in_order() {
        check(
            "0 3 * * *",
            "UTC",
            "2026-01-01T03:00:00Z",
            &["2026-01-02T03:00:00Z", "2026-01-03T03:00:00Z"],
        );
        check(
            "*/20 8-9 * * *",
            "UTC",
            "2026-01-01T08:45:00Z",
            &[
                "2026-01-01T09:00:00Z",
                "2026-01-01T09:20:00Z",
                "2026-01-01T09:40:00Z",
                "2026-01-02T08:00:00Z",
            ],
        );
        check(
            "0 0 29 2 *",
            "UTC",
            "2026-01-01T00:00:00Z",
            &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"],
        );
        check(
            "30 9 * * mon-fri",
            "America/New_York",
            "2026-01-02T20:00:00Z",
            &["2026-01-05T14:30:00Z"],
        );
        check("0 12 * * 7", "UTC", "2026-01-01T00:00:00Z", &["2026-01-04T12:00:00Z"]);
    }

    #[test]
    fn either_of_two_restricted_days_will_do() {
        check(
            "0 0 13 * fri",
            "UTC",
            "2026-02-10T00:00:00Z",
            &["2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z", "2026-02-27T00:00:00Z"],
        );
    }

    #[test]
    fn a_time_in_the_gap_is_moved_and_comes_once() {
        // Berlin, 29 March 2026: 02:00 becomes 03:00.
        check(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00:00Z",
            &["2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"],
        );
        check(
            "30 * * * *",
            "Europe/Berlin",
            "2026-03-29T00:00:00Z",
            &["2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z", "2026-03-29T02:30:00Z"],
        );
        // Beirut puts the clock forward at midnight: 00:00 of 29 March 2026 is 01:00.
        check(
            "0 0 * * *",
            "Asia/Beirut",
            "2026-03-28T12:00:00Z",
            &["2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z"],
        );
    }

    #[test]
    fn a_time_in_the_overlap_comes_once_unless_every_hour_counts() {
        // Berlin, 25 October 2026: 03:00 becomes 02:00.
        check(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00:00Z",
            &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
        );
        check(
            "30 * * * *",
            "Europe/Berlin",
            "2026-10-25T00:00:00Z",
            &["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"],
        );
    }

    #[test]
    fn the_last_times_are_those_that_going_forward_finds() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        for (schedule, zone) in [
            ("*/20 8-9 * * *", "UTC"),
            ("30 2 * * *", "Europe/Berlin"),
            ("30 * * * *", "Europe/Berlin"),
            ("0 0 * * *", "Asia/Beirut"),
            ("59 23 * * *", "Asia/Beirut"),
            ("0 0 13 * fri", "UTC"),
            ("0 0 30 2 *", "UTC"),
        ] {
            let cron = Cron::parse(schedule, Some(zone)).unwrap();
            for (after, until) in [
                ("2026-03-20T08:20:00Z", "2026-04-03T09:00:00Z"),
                ("2026-10-20T00:30:00Z", "2026-10-31T00:30:00Z"),
                ("2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
                ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
            ] {
                let (after, until) = (time(after), time(until));
                let mut forward = Vec::new();
                let mut at = after;
                while let Some(next) = cron.next_after(at).filter(|next| *next <= until) {
                    forward.push(next);
                    at = next;
                }
                assert_eq!(
                    cron.last_between(after, until, usize::MAX),
                    forward,
                    "{schedule} in {zone} until {until}"
                );
                let last = forward.iter().rev().take(2).rev().copied().collect::<Vec<_>>();
                assert_eq!(cron.last_between(after, until, 2), last, "{schedule} in {zone} until {until}");
            }
        }
    }

    #[test]
    fn what_never_comes_and_what_is_no_schedule_are_told() {
        assert!(Cron::parse("0 0 30 2 *", None).unwrap().next_after(Timestamp::UNIX_EPOCH).is_none());
        for wrong in ["", "* * * *", "61 * * * *", "* * * * * *", "5/2 * * * *", "*/0 * * * *"] {
            assert!(matches!(Cron::parse(wrong, None), Err(CronError::Schedule(_))), "{wrong}");
        }
        assert_eq!(
            Cron::parse("* * * * *", Some("Mars/Olympus")).unwrap_err(),
            CronError::Zone("Mars/Olympus".to_owned())
        );
    }
}
